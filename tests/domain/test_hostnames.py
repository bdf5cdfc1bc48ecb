"""Which host names meet."""

from __future__ import annotations

import pytest

from platform_health.domain.hostnames import meet, meets_any


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("", "a.example.com", True),
        ("a.example.com", "A.example.COM", True),
        ("a.example.com", "b.example.com", False),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "badexample.com", False),
        ("*.example.com", "*.a.example.com", True),
        ("*.example.com", "*.example.com", True),
        ("*.example.com", "*.example.org", False),
        ("*.xample.com", "*.example.com", False),
    ],
)
def test_meeting_is_symmetric(one: str, other: str, expected: bool) -> None:
    assert meet(one, other) is meet(other, one) is expected


def test_a_route_without_host_names_meets_every_listener() -> None:
    assert meets_any("a.example.com", ())
    assert not meets_any("a.example.com", ("b.example.com",))
