"""Who writes: one of several replicas, chosen through a Lease.

The election has a thread, an event loop and a connection of its own, so that no amount of judging can make it miss a
renewal. Whether this process leads is a comparison with a monotonic clock, not a message that could be late: when the
lease could not be renewed in time, :attr:`Leadership.is_leader` is false at that very moment, whatever the thread does.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, Protocol

from platform_health.connection import ApiError, Conflict, Connection, NotFound

log = logging.getLogger(__name__)

LEASE_DURATION = 15.0
RENEW_DEADLINE = 10.0
RETRY_PERIOD = 2.0
RELEASE_PATIENCE = 5.0
LEASE_NAME = "platform-health"


class LeaseApi(Protocol):
    """One Lease object. All raise ApiError."""

    async def read(self) -> dict[str, Any]:
        """The Lease; NotFound where there is none."""

    async def create(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Creates it; Conflict where somebody was faster."""

    async def replace(self, lease: Mapping[str, Any]) -> dict[str, Any]:
        """Replaces it; Conflict where somebody was faster."""


class ClusterLease:
    """The Lease behind a connection."""

    def __init__(self, connection: Connection, namespace: str, name: str = LEASE_NAME) -> None:
        self._connection, self._namespace, self._name = connection, namespace, name
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"

    async def read(self) -> dict[str, Any]:
        """The Lease."""
        lease: dict[str, Any] = await self._connection.get(f"{self._path}/{self._name}")
        return lease

    async def create(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Creates the Lease."""
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": spec,
        }
        lease: dict[str, Any] = await self._connection.post(self._path, body)
        return lease

    async def replace(self, lease: Mapping[str, Any]) -> dict[str, Any]:
        """Replaces the Lease, unless it changed since it was read."""
        answer: dict[str, Any] = await self._connection.put(f"{self._path}/{self._name}", lease)
        return answer


class Leadership(Protocol):
    """Whether this process may write."""

    @property
    def is_leader(self) -> bool:
        """True while nobody else may lead."""


class Always:
    """Leadership without an election: there is one replica, and whoever started it said so."""

    is_leader = True

    def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""


class Election:
    """The rules of the Lease, without a thread: :meth:`attempt` again and again, :meth:`release` at the end.

    A foreign lease is taken over when it was released, or when we have watched it unchanged for its whole duration:
    clocks of other machines are never compared with ours.
    """

    def __init__(self, lease: LeaseApi, identity: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._lease, self.identity, self._clock = lease, identity, clock
        self._valid_until = float("-inf")
        self._known: dict[str, Any] | None = None
        self._observed: tuple[Any, ...] | None = None
        self._observed_at = 0.0

    @property
    def is_leader(self) -> bool:
        """Whether the lease is ours, by our own clock."""
        return self._clock() < self._valid_until

    async def attempt(self) -> None:
        """Acquires or renews the lease, or takes note of who holds it. Raises ApiError."""
        started = self._clock()
        try:
            await self._acquire(started)
        except Conflict:
            # Somebody wrote in between; what stands there now is looked at in the next round.
            self._known = None

    async def _acquire(self, started: float) -> None:
        if self._known is None:
            try:
                self._known = await self._lease.read()
            except NotFound:
                self._keep(await self._lease.create(self._spec(transitions=0)), started)
                return
        spec = self._known.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        if holder not in ("", self.identity) and not self._has_lapsed(spec, started):
            self._valid_until = float("-inf")
            self._known = None
            return
        transitions = spec.get("leaseTransitions") or 0
        renewed = self._spec(
            transitions=transitions if holder == self.identity else transitions + 1,
            acquired=spec.get("acquireTime") if holder == self.identity else None,
        )
        self._keep(await self._lease.replace({**self._known, "spec": renewed}), started)

    async def release(self) -> None:
        """Gives the lease away, so that a successor need not wait for its end. Raises ApiError."""
        if self.is_leader and self._known is not None:
            self._valid_until = float("-inf")
            spec = {**self._known["spec"], "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _micro_time()}
            await self._lease.replace({**self._known, "spec": spec})
        self._valid_until = float("-inf")

    def _keep(self, lease: dict[str, Any], started: float) -> None:
        self._known = lease
        self._valid_until = started + RENEW_DEADLINE

    def _has_lapsed(self, spec: Mapping[str, Any], now: float) -> bool:
        record = (spec.get("holderIdentity"), spec.get("renewTime"), spec.get("leaseTransitions"))
        if record != self._observed:
            self._observed, self._observed_at = record, now
        return now >= self._observed_at + float(spec.get("leaseDurationSeconds") or LEASE_DURATION)

    def _spec(self, transitions: int, acquired: str | None = None) -> dict[str, Any]:
        now = _micro_time()
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(LEASE_DURATION),
            "acquireTime": acquired or now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }


class LeaderElection:
    """An election in a thread of its own."""

    def __init__(self, open_lease: Callable[[], AbstractAsyncContextManager[LeaseApi]], identity: str) -> None:
        self._open_lease, self.identity = open_lease, identity
        self._changed: Callable[[bool], None] = lambda leads: None
        self._election: Election | None = None
        self._thread = threading.Thread(target=self._run, name="leader-election", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._stopping = threading.Event()

    @property
    def is_leader(self) -> bool:
        """Whether this process may write, now."""
        return not self._stopping.is_set() and self._election is not None and self._election.is_leader

    def on_change(self, changed: Callable[[bool], None]) -> None:
        """Calls ``changed`` whenever leadership turns, in the thread of the election."""
        self._changed = changed

    def start(self) -> None:
        """Begins to stand for election."""
        self._thread.start()

    async def stop(self) -> None:
        """Stops writing at once, releases the lease, and waits for the thread."""
        self._stopping.set()
        loop, ended = self._loop, self._ended
        if loop is not None and ended is not None and not loop.is_closed():
            loop.call_soon_threadsafe(ended.set)
        await asyncio.to_thread(self._thread.join, RELEASE_PATIENCE)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                asyncio.run(self._elect())
            except Exception:
                log.exception("the election failed and starts again")
                self._stopping.wait(RETRY_PERIOD)

    async def _elect(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        async with self._open_lease() as lease:
            self._election = election = Election(lease, self.identity)
            led = False
            while not self._stopping.is_set():
                await _bounded(election.attempt)
                if election.is_leader != led:
                    led = election.is_leader
                    log.info("%s %s", self.identity, "leads" if led else "does not lead any more")
                    self._changed(led)
                try:
                    jitter = random.uniform(0.9, 1.1)  # noqa: S311 - jitter
                    await asyncio.wait_for(self._ended.wait(), RETRY_PERIOD * jitter)
                except TimeoutError:
                    continue
            await _bounded(election.release)


async def _bounded(step: Callable[[], Awaitable[None]]) -> None:
    try:
        await asyncio.wait_for(step(), RENEW_DEADLINE / 2)
    except TimeoutError:
        log.warning("the lease: no answer within %g s", RENEW_DEADLINE / 2)
    except ApiError as error:
        log.warning("the lease: %s", error)


def _micro_time() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
