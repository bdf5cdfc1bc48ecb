"""What the operator's loop calls: it looks at the reports, starts the fixes that every gate lets through, and waits.

All of it runs in the loop that owns the inventory. Each fix is a task of its own, at most one per object. Nothing is
kept here that a restart must not lose: budgets, cooldowns and intents stand in the journal.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from platform_health.engine import Engine
from platform_health.findings import Finding, named
from platform_health.remediation import plan, repair
from platform_health.remediation.apply import Cluster
from platform_health.remediation.guard import Closed, Concern, Decode
from platform_health.remediation.journal import Entry, Journal
from platform_health.remediation.plan import (
    Apply,
    Braked,
    Decision,
    Gate,
    Plan,
    Policy,
    Propose,
    Sighting,
    Situation,
    Skip,
)
from platform_health.remediation.repair import Recorder, Repairs, Silent
from platform_health.views.view import Ref, View

log = logging.getLogger(__name__)

REST_SECONDS = {Skip: 5.0, Propose: 300.0}
"""How long a fix is left alone after a gate that needed the API server said no; a change of the object ends it."""


class Rest(msgspec.Struct, frozen=True):
    """What came of the last try at a finding, and until when it holds."""

    decision: Propose | Skip
    until: float
    target: Ref
    view: View | None


class Waiting(msgspec.Struct, frozen=True):
    """A fix that waits for its finding to go away."""

    concern: Concern
    gone: asyncio.Event


class Remediator:
    """Repairs what may be repaired.

    ``braked`` restores the brakes that the conditions of the reports show after a restart; ``wake`` is called whenever
    :meth:`consider` should be, because a fix came to an end.
    """

    def __init__(
        self,
        engine: Engine,
        cluster: Cluster,
        journal: Journal,
        decode: Decode,
        *,
        recorder: Recorder | None = None,
        clock: Callable[[], float] = time.time,
        warm_up: float = plan.WARM_UP,
        verify_seconds: float = repair.VERIFY_SECONDS,
        retry_seconds: float = repair.RETRY_SECONDS,
        braked: Mapping[str, Braked] | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine, self._journal, self._clock, self._wake_loop = engine, journal, clock, wake
        self._warm_up, self._started = warm_up, clock()
        self._invariants = {invariant.name: invariant for invariant in engine.invariants}
        self._repairs = Repairs(
            engine,
            cluster,
            journal,
            decode,
            self._wait_until_gone,
            recorder=recorder or Silent(),
            clock=clock,
            verify_seconds=verify_seconds,
            retry_seconds=retry_seconds,
        )
        self.braked: dict[str, Braked] = dict(braked or {})
        """The brakes that are on, by report; for the condition Remediating."""
        self.paused = False
        """No new fix is started, whatever the reports say: set it before the lease is given up."""
        self._found: dict[str, Finding] = {}
        self._has_looked = False
        self._sightings: tuple[Sighting, ...] = ()
        self._busy: dict[Ref, asyncio.Task[object]] = {}
        self._waiting: list[Waiting] = []
        self._rests: dict[str, Rest] = {}
        self._revisited: dict[str, View | None] = {}
        self._commit = asyncio.Lock()

    # --- for the operator --------------------------------------------------------------------------------------

    def recover(self, reports: Iterable[str]) -> None:
        """Settles what an earlier leader began. Call it once the journal is read, before the first :meth:`consider`."""
        for report in reports:
            for entry in self._journal.entries(report):
                ref = entry.object.ref
                if entry.state == "Applying" and ref is not None:
                    self._begin(ref, self._repairs.settle(report, entry))

    async def consider(self, found: Iterable[Finding], sightings: Iterable[Sighting]) -> list[Plan]:
        """Looks at all findings (with ``first_seen``) and at what each report shows; starts the fixes that may be.

        Returns what happens to every finding that has a fix. Call it after every refresh of the engine, and when
        :attr:`next_change` has come. It does not wait for the fixes.
        """
        self._found, self._has_looked = {finding.id: finding for finding in found}, True
        self._sightings = tuple(sightings)
        self._wake()
        self._brake()
        self._revisit()
        self._forget_rests()
        return [self._start(made) for made in plan.plans(self._sightings, self._situation())]

    @property
    def next_change(self) -> float | None:
        """When a fix that is left alone may be tried again though nothing changed; seconds since the epoch."""
        times = [rest.until for rest in self._rests.values()]
        if self._clock() < self._started + self._warm_up:
            times.append(self._started + self._warm_up)
        return min(times, default=None)

    @property
    def busy(self) -> frozenset[Ref]:
        """The objects that are being repaired."""
        return frozenset(self._busy)

    async def idle(self) -> None:
        """Returns once no fix is under way."""
        while self._busy:
            await asyncio.wait(self._busy.values())
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Ends all fixes where they stand; the next leader settles what they have begun."""
        self.paused = True
        tasks = list(self._busy.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- starting ----------------------------------------------------------------------------------------------

    def _situation(self, without: Ref | None = None) -> Situation:
        return Situation(
            now=self._clock(),
            started=self._started,
            inventory=self._engine.inventory,
            invariants=self._invariants,
            entries=self._journal.entries,
            warm_up=self._warm_up,
            braked=self.braked,
            busy=frozenset(self._busy) - {without},
        )

    def _start(self, made: Plan) -> Plan:
        if not isinstance(made.decision, Apply):
            return made
        finding = made.finding
        assert finding.fix is not None
        target = plan.target_of(finding.subject, finding.fix)
        rest = self._rests.get(finding.id)
        if rest is not None:
            return msgspec.structs.replace(made, decision=rest.decision)
        if self.paused or target in self._busy:
            because = "repairs are paused" if self.paused else f"another fix of {target} is under way"
            return msgspec.structs.replace(made, decision=Skip(because))
        self._begin(target, self._attempt(finding, target))
        return made

    def _begin(self, target: Ref, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        self._busy[target] = task
        task.add_done_callback(lambda done: self._ended(target, done))

    def _ended(self, target: Ref, task: asyncio.Task[object]) -> None:
        if self._busy.get(target) is task:
            del self._busy[target]
        self._wake_loop()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a fix of %s ended in an error", target, exc_info=error)

    async def _attempt(self, finding: Finding, target: Ref) -> None:
        try:
            prepared = await self._repairs.ready(finding, target, self._entries_about(finding))
            async with self._commit:
                policy = self._still_wanted(finding, target)
                entry = self._repairs.intent(prepared, policy.generation)
                await self._intend(policy.report, entry)
            try:
                self._still_wanted(finding, target, plan.VETOES)
            except Closed:
                await self._repairs.drop(policy.report, entry)
                raise
            await self._repairs.carry_out(policy.report, entry, prepared)
        except Closed as closed:
            log.info("no fix of %s by %s: %s", target, finding.invariant, closed)
            self._rest(finding, target, closed.decision)
        except Exception as error:
            self._rest(finding, target, Skip(f"it failed: {error}"))
            raise

    async def _intend(self, report: str, entry: Entry) -> None:
        """Puts the intent into the journal; where it cannot be stored, nothing is done."""
        try:
            await self._journal.record(report, entry)
        except Exception as error:
            await self._repairs.drop(report, entry)
            raise Closed(Skip(f"it could not be recorded: {error}")) from error

    def _still_wanted(self, finding: Finding, target: Ref, gates: Sequence[Gate] | None = None) -> Policy:
        """The last look before the write: modes, pauses and budgets may have changed while we asked."""
        seen = [
            (sighting.policy, shown)
            for sighting in sorted(self._sightings, key=lambda sighting: sighting.policy.age_key)
            for shown in sighting.findings
            if shown.id == finding.id
        ]
        if self.paused or not seen:
            raise Closed(Skip("repairs are paused" if self.paused else "it is no longer violated"))
        decision = plan.plan(seen, self._situation(without=target), gates).decision
        if not isinstance(decision, Apply):
            raise Closed(decision)
        return next(policy for policy, shown in seen if policy.allows(shown))

    def _entries_about(self, finding: Finding) -> list[Entry]:
        reports = dict.fromkeys(sighting.policy.report for sighting in self._sightings)
        return [entry for report in reports for entry in self._journal.entries(report) if entry.is_about(finding)]

    # --- resting -----------------------------------------------------------------------------------------------

    def _rest(self, finding: Finding, target: Ref, decision: Decision) -> None:
        assert not isinstance(decision, Apply)
        until = self._clock() + REST_SECONDS[type(decision)]
        self._rests[finding.id] = Rest(decision, until, target, self._engine.inventory.peek(target))

    def _forget_rests(self) -> None:
        now = self._clock()
        for key, rest in list(self._rests.items()):
            finding = self._found.get(key)
            is_over = finding is None or finding.fix is None or now >= rest.until
            if is_over or self._engine.inventory.peek(rest.target) is not rest.view:
                del self._rests[key]

    # --- watching ----------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        for waiting in self._waiting:
            if self._is_gone(waiting.concern):
                waiting.gone.set()

    def _is_gone(self, concern: Concern) -> bool:
        """Whether the finding is gone and that is known: what has become unknown is not healed."""
        if concern.id in self._found:
            return False
        return not any(
            judgement.unknown and named(judgement.subject) == concern.subject
            for (invariant, _), judgement in self._engine.notable.items()
            if invariant.name == concern.invariant
        )

    async def _wait_until_gone(self, concern: Concern, seconds: float) -> bool:
        if self._has_looked and self._is_gone(concern):
            return True
        waiting = Waiting(concern, asyncio.Event())
        self._waiting.append(waiting)
        try:
            await asyncio.wait_for(waiting.gone.wait(), seconds)
        except TimeoutError:
            return False
        finally:
            self._waiting.remove(waiting)
        return True

    def _revisit(self) -> None:
        """Looks once at every object whose applied fix does not hold any more, and again when the object changes."""
        for sighting in self._sightings:
            report = sighting.policy.report
            for entry in self._journal.entries(report):
                if entry.state == "Applied" and entry.finding in self._found and not self.paused:
                    self._look_again(report, entry)

    def _look_again(self, report: str, entry: Entry) -> None:
        ref = entry.object.ref
        view = self._engine.inventory.peek(ref) if ref is not None else None
        if ref is None or ref in self._busy or (entry.id in self._revisited and self._revisited[entry.id] is view):
            return
        self._revisited[entry.id] = view
        self._begin(ref, self._repairs.revisit(report, entry))

    def _brake(self) -> None:
        """Pulls the brake of every report that applies fixes, and releases those whose spec a person has changed."""
        generations = {sighting.policy.report: sighting.policy.generation for sighting in self._sightings}
        for report, braked in list(self.braked.items()):
            if generations.get(report, braked.generation) != braked.generation:
                del self.braked[report]
        if all(sighting.policy.mode != "Apply" for sighting in self._sightings):
            return
        since = self._started + self._warm_up
        because = plan.mass_failure(self._found.values(), self._engine.inventory, self._clock(), since)
        if because is None:
            return
        for sighting in self._sightings:
            policy = sighting.policy
            if policy.mode == "Apply" and policy.report not in self.braked:
                log.warning("no more fixes for report %s until its spec is changed: %s", policy.report, because)
                self.braked[policy.report] = Braked(generation=policy.generation, because=because)
