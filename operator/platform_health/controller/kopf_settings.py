"""How kopf must run to leave other people's objects alone, to cost little, and to survive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import kopf

from platform_health.sources.pace import TIMING, Timing, jitter

FINALIZER = "platformhealth.dev/never"
"""A finalizer that nobody sets: kopf removes its own from any object that carries it."""


class NoDiff(kopf.DiffBaseStorage):
    """Remembers nothing about objects: kopf would write annotations, and copies every object to compare it."""

    def build(self, *, body: Any, extra_fields: Any = None) -> Any:
        """No essence of an object."""
        return {}

    def fetch(self, *, body: Any) -> Any:
        """Nothing was stored."""
        return None

    def store(self, *, body: Any, patch: Any, essence: Any) -> None:
        """Stores nothing."""


class NoProgress(kopf.ProgressStorage):
    """Remembers no progress of handlers."""

    def fetch(self, *, key: Any, body: Any) -> Any:
        """Nothing was stored."""
        return None

    def store(self, *, key: Any, record: Any, body: Any, patch: Any) -> None:
        """Stores nothing."""

    def purge(self, *, key: Any, body: Any, patch: Any) -> None:
        """There is nothing to purge."""

    def touch(self, *, body: Any, patch: Any, value: Any) -> None:
        """Touches nothing."""

    def clear(self, *, essence: Any) -> Any:
        """There is nothing to clear."""
        return essence


class Endlessly:
    """Pauses between attempts, growing, jittered, without an end: kopf ends when they do."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing

    def __iter__(self) -> Iterator[float]:
        pauses = self._timing.backoff()
        while True:
            yield pauses.pause()


def settings(timing: Timing = TIMING) -> kopf.OperatorSettings:
    """The settings of one life of kopf."""
    chosen = kopf.OperatorSettings()
    chosen.scanning.disabled = True
    chosen.peering.standalone = True
    chosen.posting.enabled = False
    chosen.persistence.finalizer = FINALIZER
    chosen.persistence.diffbase_storage = NoDiff()
    chosen.persistence.progress_storage = NoProgress()
    chosen.watching.chunk_size = 500
    chosen.watching.server_timeout = int(jitter(*timing.watch))
    chosen.watching.inactivity_timeout = 2 * timing.inactivity
    chosen.watching.connect_timeout = 10.0
    chosen.networking.connect_timeout = 10.0
    chosen.networking.request_timeout = 60.0
    chosen.networking.enforce_retry_after = True
    chosen.networking.error_backoffs = Endlessly(timing)
    chosen.queueing.idle_timeout = 0.1
    chosen.queueing.exit_timeout = 1.0
    chosen.execution.max_workers = 1
    chosen.process.ultimate_exiting_timeout = None
    return chosen
