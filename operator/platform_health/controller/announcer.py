"""Writes Events: what the leader has to announce, slowly enough that no object and no API server drowns in it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from platform_health.connection import ApiError, Connection

log = logging.getLogger(__name__)

MAX_WAITING = 1_000
PER_SECOND = 10.0
BURST_PER_OBJECT = 25
REFILL_SECONDS = 300.0
MAX_OBJECTS = 4_096

Write = Callable[[Mapping[str, Any]], Awaitable[object]]


def to_cluster(connection: Connection) -> Write:
    """Creates Events through a connection."""

    async def write(event: Mapping[str, Any]) -> object:
        namespace = event["metadata"]["namespace"]
        return await connection.post(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", event)

    return write


class Buckets:
    """How many more Events each object may get: a burst, then one every few minutes (as client-go has it)."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> bool:
        """Whether one more is allowed; takes it."""
        now = self._clock()
        left, since = self._left.pop(key, (float(BURST_PER_OBJECT), now))
        left = min(float(BURST_PER_OBJECT), left + (now - since) / REFILL_SECONDS)
        allowed = left >= 1.0
        self._left[key] = (left - 1.0 if allowed else left, now)
        while len(self._left) > MAX_OBJECTS:
            self._left.popitem(last=False)
        return allowed


class Announcer:
    """Takes Events and writes them one after the other. What fails is not tried again: an Event is news, not state."""

    def __init__(
        self,
        write: Write,
        is_leader: Callable[[], bool],
        *,
        clock: Callable[[], float] = time.monotonic,
        counted: Callable[[str], None] = lambda result: None,
    ) -> None:
        self._write, self._is_leader, self._counted = write, is_leader, counted
        self._buckets = Buckets(clock)
        self._waiting: deque[Mapping[str, Any]] = deque()
        self._wake = asyncio.Event()
        self._complained = ""

    def announce(self, event: Mapping[str, Any]) -> None:
        """Queues an Event, unless its object has had too many."""
        regarding = event["regarding"]
        key = "/".join((regarding["kind"], regarding.get("namespace", ""), regarding["name"]))
        if not self._is_leader() or len(self._waiting) >= MAX_WAITING or not self._buckets.take(key):
            self._counted("dropped")
            return
        self._waiting.append(event)
        self._wake.set()

    async def run(self) -> None:
        """Writes until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                event = self._waiting.popleft()
                if not self._is_leader():
                    self._counted("dropped")
                    continue
                await self._attempt(event)
                await asyncio.sleep(1 / PER_SECOND)

    async def _attempt(self, event: Mapping[str, Any]) -> None:
        try:
            await self._write(event)
        except ApiError as error:
            self._counted("failed")
            if str(error) != self._complained:
                self._complained = str(error)
                log.warning("an event was not written: %s", error)
        else:
            self._counted("written")
