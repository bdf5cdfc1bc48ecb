"""The operator: one loop that owns inventory, engine and signals, and everything that hangs on it.

A change wakes the loop; a few milliseconds later everything that came in by then is judged together, every report looks
at the verdicts, and what differs is handed to the writers. Whether this process may write is asked by the writers,
each time: a replica that does not lead judges all the same, so that it can take over without a pause.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec

from platform_health.connection import Connection
from platform_health.controller.announcer import Announcer, to_cluster
from platform_health.controller.history import History
from platform_health.controller.journal import StatusJournal
from platform_health.controller.leader import Leadership
from platform_health.controller.publisher import ClusterStatuses, Publisher, Statuses
from platform_health.controller.repairing import ClusterRepairs, FixRecorder, LeaderOnly, NoRepairs, Repairing
from platform_health.controller.reports import HealthReport, Judged, Reports
from platform_health.engine import Engine
from platform_health.findings import Finding, Unclear, findings, unclear
from platform_health.invariant import Invariant
from platform_health.inventory import Inventory
from platform_health.knowledge import ClusterKnowledge, KindState
from platform_health.remediation.apply import ApiCluster
from platform_health.reporting.events import Announcements, event
from platform_health.reporting.metrics import Metrics
from platform_health.reporting.report import kinds_needed
from platform_health.reporting.status import first_sights
from platform_health.views.core import Namespace
from platform_health.views.view import Kind, Ref, View

log = logging.getLogger(__name__)

COALESCE = 0.005
"""Seconds to wait for more after a first change."""
SYNC_PATIENCE = 60.0
"""Seconds after which judging begins although some kinds have not been listed; they count as unreadable."""
HEARTBEAT = 1.0
DAY = 86_400.0


class Sources(Protocol):
    """What brings the objects."""

    def is_synced(self) -> bool:
        """Whether every kind was listed, or is known to be unreadable or absent."""

    def problems(self) -> list[str]:
        """What of the machinery does not work, for /healthz."""

    async def start(self) -> None:
        """Begins to deliver."""

    async def stop(self) -> None:
        """Ends."""


class Pulse(msgspec.Struct):
    """Signs of life, for the probes."""

    beat: float = 0.0
    synced: bool = False


class Operator:
    """Everything between the sources and the writers."""

    def __init__(
        self,
        invariants: tuple[Invariant, ...],
        statuses: Statuses,
        write_event: Callable[[Mapping[str, Any]], Awaitable[object]],
        leadership: Leadership,
        *,
        instance: str,
        metrics: Metrics | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.invariants, self.leadership, self.instance, self._clock = invariants, leadership, instance, clock
        self.kinds = kinds_needed(invariants)
        self.knowledge = ClusterKnowledge()
        self.inventory = Inventory(self.knowledge, clock)
        self.engine = Engine(self.inventory, invariants)
        self.metrics = metrics or Metrics()
        self.reports = Reports(invariants)
        self.journal = StatusJournal(self.inventory, clock)
        self.journal.publish = self._publish
        self.publisher = Publisher(
            statuses,
            self._leads,
            counted=lambda name, result: self.metrics.status_writes.labels(name, result).inc(),
            overtaken=self._overtaken,
        )
        self.announcer = Announcer(
            write_event, self._leads, counted=lambda result: self.metrics.events.labels(result).inc()
        )
        self.repairs: Repairing = NoRepairs()
        self.pulse = Pulse()
        self._history = History()
        self._announcements = Announcements(self.inventory)
        self._found: tuple[Finding, ...] = ()
        self._unclear: tuple[Unclear, ...] = ()
        self._subjects: set[Ref] = set()
        self._wake = asyncio.Event()
        self._first_change: float | None = None
        self._look_again = True
        self._judge_again = True
        self._judged_before = 0
        self._looked_at = 0.0

    # --- what the sources tell ---------------------------------------------------------------------------------

    def put(self, view: View) -> None:
        """An object is there, or has changed."""
        if self.inventory.put(view):
            self._noticed(view.ref)

    def remove(self, ref: Ref) -> None:
        """An object is gone."""
        if self.inventory.remove(ref):
            self._noticed(ref)

    def state(self, kind: Kind, state: KindState, because: str) -> None:
        """How well a kind is known has changed."""
        self.knowledge.set(kind, state, because)
        self.inventory.touch_kind(kind)
        self._look_again = True
        self._changed()

    def _noticed(self, ref: Ref) -> None:
        # Reports also read the labels of namespaces and the annotations of the objects that findings name.
        if ref.kind is Namespace.kind or ref in self._subjects:
            self._look_again = True
        self._changed()

    def _changed(self) -> None:
        if self._first_change is None:
            self._first_change = time.monotonic()
        self._wake.set()

    def take_report(self, event_type: str, raw: Mapping[str, Any]) -> None:
        """A PlatformHealth is there, has changed, or is gone (DELETED)."""
        metadata, status = raw["metadata"], raw.get("status") or {}
        if event_type == "DELETED":
            self.drop_report(metadata["name"])
            return
        entry, is_new, differs = self.reports.take(raw)
        self.publisher.seen(entry.name, entry.uid, metadata.get("resourceVersion", ""), status)
        if is_new or not self._leads():
            self._learn(entry, status, is_new=is_new)
        self._judge_again |= is_new
        if differs:
            self._look_again = True
            self._wake.set()

    def drop_report(self, name: str) -> None:
        """A PlatformHealth is gone."""
        if self.reports.drop(name):
            self.publisher.forget(name)
            self.journal.drop(name)
            self.metrics.forget(name)
            self._look_again = True
            self._wake.set()

    def wake(self) -> None:
        """Something that no source tells has changed (leadership, a fix that ended): judges and writes anew."""
        self.publisher.poke()
        self._wake.set()

    def _learn(self, entry: HealthReport, status: Mapping[str, Any], *, is_new: bool) -> None:
        """Takes over what another operator, perhaps the one before us, has written."""
        self.journal.restore(entry.name, status)
        for finding, seen in first_sights(status):
            history = entry.history if finding.subject.name == entry.name else self._history
            if is_new or history.knows(finding.id):
                history.remember(finding, seen)
            if is_new and finding.state == "active":
                self._announcements.assume(finding)

    def _overtaken(self, name: str, status: Mapping[str, Any]) -> None:
        """Another leader wrote after what we saw last: its journal counts."""
        self.journal.restore(name, status)
        self._look_again = True
        self._wake.set()

    # --- judging -----------------------------------------------------------------------------------------------

    def judge(self, *, complete: bool = True) -> None:
        """Judges what changed, lets every report look, and hands what differs to the writers."""
        now = self._clock()
        before = self.engine.judged
        if self.engine.refresh() or self._judge_again:
            self._judge_again = False
            judgements = list(self.engine.notable.values())
            self._unclear = tuple(unclear(judgements))
            self._found = tuple(self._history.stamp(findings(judgements), self._unclear, now, complete=complete))
            self._subjects = {finding.subject for finding in self._found}
            self._look_again = True
        self.metrics.judgements.inc(self.engine.judged - before)
        if self._look_again or self._is_due(now) or self.engine.size != self._judged_before:
            self._look_again, self._looked_at, self._judged_before = False, now, self.engine.size
            self._look(now, complete=complete)
        if self._first_change is not None:
            self.metrics.event_to_verdict.observe(time.monotonic() - self._first_change)
            self._first_change = None

    def _is_due(self, now: float) -> bool:
        change = self.reports.next_change
        return (change is not None and change <= now) or now // DAY != self._looked_at // DAY

    def _look(self, now: float, *, complete: bool) -> None:
        judged = Judged(
            self._found, self._unclear, self.inventory, self.knowledge, self.engine.size, now, complete=complete
        )
        for entry in self.reports:
            entry.look(judged)
            self._offer(entry, now)
            if entry.shown is not None:
                self.metrics.show(entry.name, entry.shown, ready=entry.is_ready)
        for turn in self._announcements.turns(self.reports.shown(), self._everything(), self._unclear):
            if self._leads():
                self.announcer.announce(event(turn, self.inventory, self.instance))

    def _everything(self) -> list[Finding]:
        """All findings, and those that reports have about themselves."""
        return [*self._found, *(finding for findings in self.reports.shown() for finding in findings)]

    def _offer(self, entry: HealthReport, now: float) -> None:
        document = entry.document(self.publisher.standing(entry.name), now, self.journal.repairs(entry.name))
        if document is not None:
            self.publisher.offer(entry.name, entry.uid, document)

    async def _publish(self, name: str) -> bool:
        """Writes the status of a report as it is now; whether it stands in time. For the journal."""
        entry = self.reports.get(name)
        if entry is None or not self._leads():
            return False
        self._offer(entry, self._clock())
        return await self.publisher.written(name)

    def _leads(self) -> bool:
        return self.leadership.is_leader

    # --- running -----------------------------------------------------------------------------------------------

    async def run(self, sources: Sources, stop: asyncio.Event) -> None:
        """Runs until ``stop`` is set. What must not outlive the operator has ended when this returns."""
        writers = [
            asyncio.create_task(self.publisher.run(), name="publisher"),
            asyncio.create_task(self.announcer.run(), name="announcer"),
            asyncio.create_task(self._beat(), name="heartbeat"),
        ]
        judging = asyncio.create_task(self._run(sources), name="judging")
        ended = asyncio.create_task(stop.wait(), name="stop")
        try:
            await sources.start()
            await asyncio.wait({ended, judging, *writers}, return_when=asyncio.FIRST_COMPLETED)
            for task in (judging, *writers):
                if task.done():
                    task.result()
        finally:
            await _cancelled([judging, ended])
            await self.repairs.close()
            await _cancelled(writers)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.publisher.flush(), 2.0)
            await sources.stop()

    async def _run(self, sources: Sources) -> None:
        complete = await self._first_lists(sources)
        self.pulse.synced = True
        log.info("judging %d invariants about %d kinds", len(self.invariants), len(self.kinds))
        while True:
            started = time.monotonic()
            self._wake.clear()
            complete = complete or sources.is_synced()
            self.judge(complete=complete)
            await self._repair()
            took = time.monotonic() - started
            # As much time for the streams as for the judging, however much comes in.
            await asyncio.sleep(min(took, 1.0))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._until_next())
            await asyncio.sleep(COALESCE)

    async def _first_lists(self, sources: Sources) -> bool:
        """Waits until everything was listed; meanwhile new reports say that it is so. False: not in time."""
        deadline = time.monotonic() + SYNC_PATIENCE
        while not sources.is_synced() and time.monotonic() < deadline:
            for entry in self.reports:
                self._offer(entry, self._clock())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), 0.05)
            self._wake.clear()
            await asyncio.sleep(0.01)
        self._first_change = None
        return sources.is_synced()

    def _until_next(self) -> float:
        now = self._clock()
        times = [(now // DAY + 1) * DAY, self.engine.next_recheck, self.reports.next_change, self.repairs.next_change]
        return max(0.0, min(time for time in times if time is not None) - now)

    async def _repair(self) -> None:
        """Only what was judged after complete lists may be repaired; the gates of remediation know which kinds are."""
        try:
            self._look_again |= await self.repairs.consider(list(self.reports), self._found, leads=self._leads())
        except Exception:
            log.exception("remediation failed")
        if self._look_again:
            self._wake.set()

    async def _beat(self) -> None:
        while True:
            self.pulse.beat = time.monotonic()
            self.metrics.is_leader.set(self._leads())
            self.metrics.show_kinds(
                {kind.resource: self.knowledge.state(kind) for kind in self.kinds if kind.via != "never"},
                {kind.resource: len(self.inventory.peek_all(kind)) for kind in self.kinds if kind.via != "never"},
            )
            await asyncio.sleep(HEARTBEAT)


async def _cancelled(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            log.debug("while stopping: %s", result)


def on_cluster(
    connection: Connection, invariants: tuple[Invariant, ...], leadership: Leadership, *, instance: str, warm_up: float
) -> Operator:
    """An operator that reads, writes and repairs through a connection."""
    operator = Operator(invariants, ClusterStatuses(connection), to_cluster(connection), leadership, instance=instance)
    operator.repairs = ClusterRepairs(
        operator.engine,
        operator.journal,
        LeaderOnly(ApiCluster(connection), lambda: leadership.is_leader),
        FixRecorder(operator.announcer.announce, operator.metrics, instance),
        warm_up=warm_up,
        clock=time.time,
        wake=operator.wake,
    )
    return operator
