"""Writes the statuses: whole, only when they changed, at most once a second each, and only as the leader.

One task writes everything, one after the other. It compares what should stand in a status with what does (as it was
last written or seen in the watch), so that a status that somebody edits by hand is put right and an unchanged one is
never touched. Every write names the uid and the resourceVersion it replaces: a report that was deleted and created
anew is not given the findings of its predecessor, and a leader that was asleep cannot overwrite its successor.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from platform_health.connection import APPLY_PATCH, ApiError, Conflict, Connection, Invalid, NotFound
from platform_health.reporting.status import canonical, says_the_same
from platform_health.views.platform import PlatformHealth

log = logging.getLogger(__name__)

FIELD_MANAGER = "platform-health-status"
INTERVAL = 1.0
"""Seconds between two writes of one status."""
SLOW_INTERVAL = 60.0
"""Seconds between two writes where only the number of judgements differs."""
BACKOFF = (1.0, 60.0)
"""Seconds of the first and the longest pause after a write that failed."""


class Statuses(Protocol):
    """The API server, as far as statuses are concerned."""

    async def write(self, name: str, uid: str, version: str, status: Mapping[str, Any]) -> Mapping[str, Any]:
        """Writes a status; answers the object. Raises ApiError."""

    async def read(self, name: str) -> Mapping[str, Any]:
        """The object. Raises ApiError."""


class ClusterStatuses:
    """Statuses behind a connection, written with server-side apply."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        kind = PlatformHealth.kind
        self._path = f"/apis/{kind.api_version}/{kind.plural}"

    async def write(self, name: str, uid: str, version: str, status: Mapping[str, Any]) -> Mapping[str, Any]:
        """Writes a status; forced, because nobody else has a say in it."""
        kind = PlatformHealth.kind
        metadata = {"name": name, "uid": uid} | ({"resourceVersion": version} if version else {})
        body = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, "status": status}
        answer: Mapping[str, Any] = await self._connection.patch(
            f"{self._path}/{name}/status", body, APPLY_PATCH, {"fieldManager": FIELD_MANAGER, "force": "true"}
        )
        return answer

    async def read(self, name: str) -> Mapping[str, Any]:
        """The object."""
        answer: Mapping[str, Any] = await self._connection.get(f"{self._path}/{name}")
        return answer


class _Entry:
    """One report: what should stand there, what does, and when it may be written again."""

    def __init__(self, name: str, uid: str, now: float) -> None:
        self.name, self.uid, self.met_at = name, uid, now
        self.wanted: Mapping[str, Any] | None = None
        self.standing: Mapping[str, Any] = {}
        self.version = ""
        self.written_at = float("-inf")
        self.blocked_until = float("-inf")
        self.failures = 0

    def due_at(self) -> float | None:
        """When to write; None where there is nothing to write."""
        if self.wanted is None or canonical(self.wanted) == canonical(self.standing):
            return None
        if says_the_same(self.wanted, self.standing):
            return max(max(self.written_at, self.met_at) + SLOW_INTERVAL, self.blocked_until)
        return max(self.written_at + INTERVAL, self.blocked_until)


class Publisher:
    """Keeps the statuses in the API server in step with the reports."""

    def __init__(
        self,
        statuses: Statuses,
        is_leader: Callable[[], bool],
        *,
        clock: Callable[[], float] = time.monotonic,
        counted: Callable[[str, str], None] = lambda name, result: None,
        overtaken: Callable[[str, Mapping[str, Any]], None] = lambda name, status: None,
    ) -> None:
        self._statuses, self._is_leader, self._clock, self._counted = statuses, is_leader, clock, counted
        self._overtaken = overtaken
        self._entries: dict[str, _Entry] = {}
        self._wake = asyncio.Event()
        self._progress = asyncio.Condition()

    def seen(self, name: str, uid: str, version: str, status: Mapping[str, Any]) -> None:
        """The watch shows a report as it stands. What is older than our own last write is an echo."""
        entry = self._entry(name, uid)
        if _is_newer(version, entry.version):
            entry.standing, entry.version = status, version
            if not self._is_leader():
                entry.written_at = float("-inf")
            self._wake.set()

    def offer(self, name: str, uid: str, status: Mapping[str, Any]) -> None:
        """This should stand in the status of a report."""
        self._entry(name, uid).wanted = status
        self._wake.set()

    def standing(self, name: str) -> Mapping[str, Any]:
        """The status as it was last written or seen."""
        entry = self._entries.get(name)
        return entry.standing if entry is not None else {}

    def forget(self, name: str) -> None:
        """The report is gone."""
        self._entries.pop(name, None)

    def poke(self) -> None:
        """Something that is not a status changed (leadership): look again."""
        self._wake.set()

    async def written(self, name: str, within: float = 10.0) -> bool:
        """Waits until what was offered last stands in the API server; False where it does not in time."""

        def stands() -> bool:
            entry = self._entries.get(name)
            return entry is not None and entry.wanted is not None and says_the_same(entry.wanted, entry.standing)

        async with self._progress:
            try:
                await asyncio.wait_for(self._progress.wait_for(stands), within)
            except TimeoutError:
                return False
        return True

    async def run(self) -> None:
        """Writes until cancelled."""
        while True:
            self._wake.clear()
            pause = await self._write_due()
            try:
                await asyncio.wait_for(self._wake.wait(), pause)
            except TimeoutError:
                continue

    async def flush(self) -> None:
        """Writes what is still to be written, without regard to the pauses; once each."""
        for entry in list(self._entries.values()):
            due_at = entry.due_at()
            if due_at is not None and entry.failures == 0 and self._is_leader():
                await self._write(entry)

    async def _write_due(self) -> float | None:
        """Writes every status that is due; answers how long nothing will be, None: until something happens."""
        next_at: float | None = None
        for entry in list(self._entries.values()):
            due_at = entry.due_at()
            if due_at is None or not self._is_leader():
                continue
            if due_at <= self._clock():
                await self._write(entry)
                due_at = entry.due_at()
            if due_at is not None:
                next_at = due_at if next_at is None else min(next_at, due_at)
        async with self._progress:
            self._progress.notify_all()
        return None if next_at is None else max(0.0, next_at - self._clock())

    async def _write(self, entry: _Entry) -> None:
        wanted = entry.wanted
        assert wanted is not None
        try:
            answer = await self._statuses.write(entry.name, entry.uid, entry.version, wanted)
        except Conflict:
            self._counted(entry.name, "conflict")
            await self._look_again(entry)
        except NotFound:
            self.forget(entry.name)
        except ApiError as error:
            self._fail(entry, error)
        else:
            entry.standing, entry.version = wanted, (answer.get("metadata") or {}).get("resourceVersion", "")
            entry.written_at, entry.failures = self._clock(), 0
            self._counted(entry.name, "written")

    async def _look_again(self, entry: _Entry) -> None:
        """Somebody was faster: takes over what stands there now; the next round writes where it still differs."""
        try:
            answer = await self._statuses.read(entry.name)
        except NotFound:
            self.forget(entry.name)
            return
        except ApiError as error:
            self._fail(entry, error)
            return
        metadata = answer.get("metadata") or {}
        if metadata.get("uid") != entry.uid:
            self.forget(entry.name)
            return
        status = answer.get("status") or {}
        is_foreign = entry.written_at == float("-inf") and canonical(status) != canonical(entry.standing)
        entry.standing, entry.version = status, metadata.get("resourceVersion", "")
        entry.failures += 1
        if is_foreign:
            # Before our first write only another leader can have written: what it recorded must not be lost.
            entry.wanted = None
            self._overtaken(entry.name, status)
        if entry.failures > 1:
            entry.blocked_until = self._clock() + _pause(entry.failures - 1)

    def _fail(self, entry: _Entry, error: ApiError) -> None:
        entry.failures += 1
        pause = _pause(entry.failures) if not isinstance(error, Invalid) else BACKOFF[1]
        entry.blocked_until = self._clock() + max(pause, error.retry_after or 0.0)
        self._counted(entry.name, "failed")
        log.warning("the status of platformhealth %s was not written, again in %.0f s: %s", entry.name, pause, error)

    def _entry(self, name: str, uid: str) -> _Entry:
        entry = self._entries.get(name)
        if entry is None or entry.uid != uid:
            entry = self._entries[name] = _Entry(name, uid, self._clock())
        return entry


def _pause(failures: int) -> float:
    first, longest = BACKOFF
    return min(longest, float(first * 2 ** (failures - 1))) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter


def _is_newer(version: str, than: str) -> bool:
    """Whether a resourceVersion is newer. Kubernetes promises since 1.35 what was always so: they count up."""
    if not than:
        return True
    try:
        return int(version) > int(than)
    except ValueError:
        return version != than
