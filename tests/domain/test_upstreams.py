"""In-cluster addresses: what a URL says, and which Service its host means."""

from __future__ import annotations

import pytest

from platform_health.domain.upstreams import Address, BadUrl, Place, address, place
from platform_health.inventory import Unknown


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a.b.svc:8000/v1", ("http", "a.b.svc", 8000, "/v1")),
        ("https://api.openai.com", ("https", "api.openai.com", 443, "")),
        ("HTTP://A:80", ("http", "a", 80, "")),
        ("http://user:secret@a:1", ("http", "a", 1, "")),
        ("http://[::1]:8000", ("http", "::1", 8000, "")),
    ],
)
def test_urls(url: str, expected: tuple[str, str, int, str]) -> None:
    assert address(url) == Address(*expected)


@pytest.mark.parametrize(
    "url", ["a.b.svc:8000", "ftp://a", "http://", "http://a:99999", "http://a:x", "http://a:0", ""]
)
def test_bad_urls_repeat_nothing_of_the_url(url: str) -> None:
    found = address(url.replace("a", "secret"))
    assert isinstance(found, BadUrl)
    assert "secret" not in found.because


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("vllm", Place("here", "vllm", 80)),
        ("vllm.serving.svc", Place("serving", "vllm", 80)),
        ("vllm.serving.svc.cluster.local.", Place("serving", "vllm", 80)),
        ("vllm-0.vllm.serving.svc.example.internal", Place("serving", "vllm", 80)),
        ("vllm.serving", Place("serving", "vllm", 80, is_sure=False)),
        ("api.openai.com", None),
        ("models.local", None),
        ("localhost", None),
        ("10.0.0.1", None),
        ("::1", None),
        ("a_b!", None),
    ],
)
def test_hosts(host: str, expected: Place | None) -> None:
    assert place(host, 80, "here") == expected


def test_short_names_need_a_namespace() -> None:
    with pytest.raises(Unknown):
        place("vllm", 80, None)
