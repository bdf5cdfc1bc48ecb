"""Which paths arrive at a backend."""

from __future__ import annotations

import msgspec
import pytest

from platform_health.domain.paths import covers, is_below
from platform_health.views.gateway import Rule

CHAT = "/v1/chat/completions"


def rule(match: object = None, rewrite: object = None) -> Rule:
    value: dict[str, object] = {}
    if match is not None:
        value["matches"] = [match]
    if rewrite is not None:
        value["filters"] = [{"type": "URLRewrite", "urlRewrite": {"path": rewrite}}]
    return msgspec.convert(value, Rule)


@pytest.mark.parametrize(
    ("match", "rewrite", "expected"),
    [
        (None, None, True),
        ({"path": {"value": "/v1"}}, None, True),
        ({"path": {"value": "/v1/"}}, None, True),
        ({"path": {"value": "/v1/chat/comp"}}, None, False),
        ({"path": {"type": "Exact", "value": CHAT}}, None, True),
        ({"path": {"type": "Exact", "value": "/v1"}}, None, False),
        ({"path": {"type": "RegularExpression", "value": "/v1/.*"}}, None, None),
        ({"path": {"value": "/llama"}}, None, False),
        ({"path": {"value": "/llama"}}, {"replacePrefixMatch": "/"}, True),
        ({"path": {"value": "/llama"}}, {"replacePrefixMatch": "/v1"}, True),
        ({"path": {"value": "/v1"}}, {"replacePrefixMatch": "/api"}, False),
        ({"path": {"type": "Exact", "value": "/ask"}}, {"replaceFullPath": CHAT}, True),
        ({"path": {"value": "/"}, "method": "DELETE"}, None, False),
        ({"path": {"value": "/"}, "method": "POST"}, None, True),
    ],
)
def test_covers(match: object, rewrite: object, expected: bool | None) -> None:
    assert covers(rule(match, rewrite), CHAT) is expected


def test_prefixes_end_at_elements() -> None:
    assert is_below("/v1/x", "/v1") and is_below("/v1", "/v1/") and is_below("/v1", "/")
    assert not is_below("/v1x", "/v1")
