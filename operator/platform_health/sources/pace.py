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
    """How long things take, in seconds; tests shorten it."""

    first_pause: float = 0.8
    last_pause: float = 30.0
    refused_pause: tuple[float, float] = (60.0, 120.0)
    """Between two attempts at a kind that is forbidden or absent."""
    pace: float = 1.0
    """Between two LISTs, or two watches, of one kind that kopf asks for: it would ask again at once."""
    watch: tuple[float, float] = (300.0, 600.0)
    """How long the API server is asked to keep a watch."""
    inactivity: float = 90.0
    """Without a byte a watch is given up after this; bookmarks come every minute."""
    relist: tuple[float, float] = (420.0, 540.0)
    """After this a kind that kopf watches is listed again though nothing says so."""
    stale: float = 60.0
    """Without contact what was known of a kind is no longer relied on after this."""
    silence: float = 240.0
    """Without a request or a line a life of kopf is taken for dead after this."""
    join: float = 10.0
    """A life of kopf that is over gets this long to end before it is left behind."""
    look: float = 180.0
    """Between two looks at what is served, when nothing says that it changed; jittered by a quarter."""

    def backoff(self) -> Backoff:
        """New pauses, growing from the first to the last."""
        return Backoff(self.first_pause, self.last_pause)


TIMING = Timing()
