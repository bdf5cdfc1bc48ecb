"""The vocabulary of invariants."""

from __future__ import annotations

import pytest

from platform_health.invariant import Violation


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('Get "http://ann:hush@prom:9090/api": no such host', 'Get "http://…@prom:9090/api": no such host'),
        ("Authorization: Bearer ey.hush-1 rejected", "Authorization: Bearer … rejected"),
        ("sent Bearer eyJhbGciOiJSUzI1NiJ9.e30", "sent Bearer …"),
        ("neither a Bearer token nor basic authentication", "neither a Bearer token nor basic authentication"),
        ("GET http://prom/q?a=b&token=hush failed", "GET http://prom/q?a=b&token=… failed"),
        ("the image registry/vllm:v1@sha256:0a is gone", "the image registry/vllm:v1@sha256:0a is gone"),
        ("http://llama.llm:8000/v1 has no port 8000", "http://llama.llm:8000/v1 has no port 8000"),
    ],
)
def test_a_message_tells_no_credentials(said: str, shown: str) -> None:
    assert Violation(at="spec", because=said).message == shown
