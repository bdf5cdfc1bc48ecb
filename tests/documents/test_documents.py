"""Pictures of documents: paths relative to the text, tolerance towards strange content."""

from __future__ import annotations

import json

import pytest

from platform_health.documents.dashboard import dashboard
from platform_health.documents.litellm import litellm_config
from platform_health.documents.router import router_config
from platform_health.documents.texts import Text
from platform_health.views.view import Path


def test_nested_panels_have_their_paths() -> None:
    inner = {"title": "b", "datasource": "Prometheus", "targets": [{"expr": "y", "legendFormat": "{{pod}}"}]}
    panels = [{"title": "a", "targets": [{"expr": "x"}, {"expr": " "}]}, {"type": "row", "panels": [inner]}]
    found = dashboard(json.dumps({"title": "t", "panels": panels}))
    assert found is not None
    assert [(query.expr, query.at) for query in found.queries] == [
        ("x", "panels[0].targets[0].expr"),
        ("y", "panels[1].panels[0].targets[0].expr"),
    ]
    assert found.queries[1].source is not None
    assert found.queries[1].source.uid == "Prometheus"


def test_exported_dashboards_have_a_root() -> None:
    found = dashboard(json.dumps({"dashboard": {"title": "t", "panels": [{"targets": [{"expr": "x"}]}]}}))
    assert found is not None
    assert found.queries[0].at == "dashboard.panels[0].targets[0].expr"


@pytest.mark.parametrize(
    "content",
    ['{"panels": 3, "title": 1}', '{"panels": [3, null, {"targets": {}}], "title": "a"}', '{"panels": [', "x"],
)
def test_strange_dashboards_do_no_harm(content: str) -> None:
    found = dashboard(content)
    assert found is None or found.queries == ()


def test_paths_inside_of_a_text() -> None:
    assert Text("", Path("data") / "config.yaml", "config.yaml").within("a[0].b") == 'data["config.yaml"]#a[0].b'
    assert Text("", Path(""), "file").within("a[0].b") == "a[0].b"


def test_litellm_knows_its_names() -> None:
    config = litellm_config(
        """
model_list:
- model_name: small
  litellm_params: {model: openai/small-2}
  model_info: {id: one}
- {model_name: anthropic/*, litellm_params: {model: anthropic/*}}
router_settings:
  model_group_alias: {chat: small}
  fallbacks: [{small: [chat]}, {small: [a], chat: [b]}]
  default_fallbacks: [small]
litellm_settings: {set_verbose: true, fallbacks: [{x: [y]}]}
"""
    )
    assert config is not None
    assert [name for name in ("small", "openai/small-2", "one", "chat", "anthropic/x") if config.is_defined(name)] == [
        "small",
        "openai/small-2",
        "one",
        "chat",
        "anthropic/x",
    ]
    assert not config.is_defined("claude")
    assert config.is_called("claude")
    assert not config.is_defined("smal")
    assert config.misshapen == ("router_settings.fallbacks[1]",)
    assert {fallback.group.name for fallback in config.fallbacks if fallback.group} == {"small", "chat"}
    assert config.debug == ("litellm_settings.set_verbose",)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ("[429, '503']", {429, 503}),
        ("[5xx]", set(range(500, 600))),
        ("['500-502']", {500, 501, 502}),
        ("[timeout]", None),
        ("503", None),
    ],
)
def test_status_codes(codes: str, expected: set[int] | None) -> None:
    config = router_config(f"backends: [{{name: a, url: 'http://a'}}]\nretry: {{retry_status_codes: {codes}}}\n")
    assert config is not None
    assert config.retry.codes == (None if expected is None else frozenset(expected))
