"""GEP-2257 durations."""

from __future__ import annotations

import pytest

from platform_health.domain.timeouts import duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0s", 0),
        ("15s", 15),
        ("500ms", 0.5),
        ("1h30m", 5400),
        ("1m1s1ms1h", 3661.001),
        ("", None),
        ("10", None),
        ("1.5s", None),
        ("-1s", None),
        ("30S", None),
        ("123456s", None),
        ("1h1m1s1ms1h", None),
        ("1s ", None),
    ],
)
def test_duration(text: str, expected: float | None) -> None:
    assert duration(text) == expected
