"""One replica writes. It stops by its own clock, and gives the lease away when it ends."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from platform_health.connection import Conflict, NotFound, Unreachable
from platform_health.controller.leader import Election, LeaderElection


class Lease:
    """A Lease in memory, with optimistic locking. ``down`` makes every request fail."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = None
        self.down = False
        self.lose_answer = False
        self._versions = itertools.count(1)

    async def read(self) -> dict[str, Any]:
        self._check()
        if self.stored is None:
            raise NotFound("none", status=404)
        return self.stored

    async def create(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        self._check()
        if self.stored is not None:
            raise Conflict("exists", status=409)
        return self._store({"metadata": {}, "spec": dict(spec)})

    async def replace(self, lease: Mapping[str, Any]) -> dict[str, Any]:
        self._check()
        assert self.stored is not None
        if lease["metadata"]["resourceVersion"] != self.stored["metadata"]["resourceVersion"]:
            raise Conflict("modified", status=409)
        return self._store(dict(lease))

    def _store(self, lease: dict[str, Any]) -> dict[str, Any]:
        self.stored = {**lease, "metadata": {"resourceVersion": str(next(self._versions))}}
        if self.lose_answer:
            self.lose_answer = False
            raise Unreachable("no answer")
        return self.stored

    def _check(self) -> None:
        if self.down:
            raise Unreachable("down")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lease() -> Lease:
    return Lease()


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_the_first_leads_and_the_second_waits(lease: Lease, clock: Clock) -> None:
    one, two = Election(lease, "one", clock), Election(lease, "two", clock)
    for _ in range(20):
        await one.attempt()
        await two.attempt()
        assert (one.is_leader, two.is_leader) == (True, False)
        clock.now += 2


async def test_a_dead_leader_is_succeeded_after_its_lease(lease: Lease, clock: Clock) -> None:
    one, two = Election(lease, "one", clock), Election(lease, "two", clock)
    await one.attempt()
    await two.attempt()
    clock.now = 14.9
    await two.attempt()
    assert not two.is_leader
    assert not one.is_leader
    clock.now = 15.1
    await two.attempt()
    assert two.is_leader
    assert lease.stored is not None
    assert lease.stored["spec"]["leaseTransitions"] == 1


async def test_a_leader_that_cannot_renew_stops_before_anybody_succeeds(lease: Lease, clock: Clock) -> None:
    """By its own clock, without an answer from anywhere."""
    one = Election(lease, "one", clock)
    await one.attempt()
    lease.down = True
    clock.now = 9.9
    with pytest.raises(Unreachable):
        await one.attempt()
    assert one.is_leader
    clock.now = 10.0
    assert not one.is_leader


async def test_a_sleeper_does_not_lead_after_waking(lease: Lease, clock: Clock) -> None:
    one, two = Election(lease, "one", clock), Election(lease, "two", clock)
    await one.attempt()
    await two.attempt()
    clock.now = 60
    await two.attempt()
    assert not one.is_leader
    assert two.is_leader
    await one.attempt()
    await one.attempt()
    assert (one.is_leader, two.is_leader) == (False, True)


async def test_a_renewal_whose_answer_was_lost_counts(lease: Lease, clock: Clock) -> None:
    one = Election(lease, "one", clock)
    await one.attempt()
    lease.lose_answer = True
    clock.now = 2
    with pytest.raises(Unreachable):
        await one.attempt()
    for clock.now in (4.0, 6.0):
        await one.attempt()
    clock.now = 15
    assert one.is_leader


async def test_a_released_lease_is_free_at_once(lease: Lease, clock: Clock) -> None:
    one, two = Election(lease, "one", clock), Election(lease, "two", clock)
    await one.attempt()
    await two.attempt()
    await one.release()
    assert not one.is_leader
    await two.attempt()
    assert two.is_leader


async def test_the_thread_leads_says_so_and_releases(lease: Lease) -> None:
    """In a thread and loop of its own, which a busy main loop cannot starve."""
    threads = set()

    @asynccontextmanager
    async def open_lease() -> AsyncIterator[Lease]:
        threads.add(threading.current_thread().name)
        yield lease

    election = LeaderElection(open_lease, "one")
    turned = asyncio.Event()
    loop = asyncio.get_running_loop()
    election.on_change(lambda leads: loop.call_soon_threadsafe(turned.set) and None)
    assert not election.is_leader
    election.start()
    await asyncio.wait_for(turned.wait(), 5)
    assert election.is_leader
    await election.stop()
    assert not election.is_leader
    assert threads == {"leader-election"}
    assert lease.stored is not None
    assert lease.stored["spec"]["holderIdentity"] == ""
