"""How long to wait: growing pauses, and never in step with others."""

from __future__ import annotations

import random

import msgspec


def jitter(low: float, high: float) -> float:
    """A random time between two, so that streams and replicas do not act in step."""
    return random.uniform(low, high)  # noqa: S311 - spreads load, keeps no secret


class Backoff:
    """Growing pauses between attempts: 0.8 s doubling to 30 s, jittered up to double."""

    def __init__(self, first: float = 0.8, last: float = 30.0) -> None:
        self._first, self._last = first, last
        self._next = first

    def reset(self) -> None:
        """The last attempt succeeded."""
        self._next = self._first

    def pause(self, at_least: float | None = None) -> float:
        """How long to wait now."""
        pause, self._next = self._next, min(self._next * 2, self._last)
        return min(max(jitter(pause, pause * 2), at_least or 0.0), max(self._last, at_least or 0.0))


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How long things take; tests shorten it."""

    first_pause: float = 0.8
    last_pause: float = 30.0
    refused_pause: tuple[float, float] = (60.0, 120.0)
    inactivity: float = 90.0
    """Seconds without a byte after which a watch is given up; bookmarks come every minute."""
    watch: tuple[float, float] = (300.0, 600.0)


TIMING = Timing()
