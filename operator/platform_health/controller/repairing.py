"""Between the loop and remediation: reports become policies, leadership opens and closes the work, conditions tell."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from platform_health.connection import Busy
from platform_health.controller.journal import StatusJournal
from platform_health.controller.reports import HealthReport
from platform_health.engine import Engine
from platform_health.findings import Finding
from platform_health.invariant import Operation
from platform_health.inventory import Inventory
from platform_health.remediation import plan
from platform_health.remediation.apply import Cluster
from platform_health.remediation.journal import Target
from platform_health.remediation.patch import Raw
from platform_health.remediation.plan import Braked, Policy, Sighting
from platform_health.remediation.remediator import Remediator
from platform_health.reporting.events import document
from platform_health.reporting.metrics import Metrics
from platform_health.reporting.status import Condition
from platform_health.sources.decode import ViewDecoder
from platform_health.views.platform import PAUSE_ANNOTATION
from platform_health.views.view import Ref, View

log = logging.getLogger(__name__)

BRAKED = "Braked"


class Repairing(Protocol):
    """What the loop knows of remediation. It is asked after every judgement."""

    @property
    def next_change(self) -> float | None:
        """When to ask again though nothing changed; seconds since the epoch."""

    async def consider(self, reports: Sequence[HealthReport], found: Sequence[Finding], *, leads: bool) -> bool:
        """Repairs what may be repaired; whether what it says of itself has changed."""

    async def close(self) -> None:
        """Ends everything that is under way."""


class NoRepairs:
    """An operator that only reports."""

    next_change = None

    async def consider(self, reports: Sequence[HealthReport], found: Sequence[Finding], *, leads: bool) -> bool:
        """Does nothing."""
        return False

    async def close(self) -> None:
        """There is nothing to end."""


class ClusterRepairs:
    """Remediation of a cluster, by the leader alone."""

    def __init__(
        self,
        engine: Engine,
        journal: StatusJournal,
        cluster: Cluster,
        recorder: FixRecorder,
        *,
        warm_up: float,
        clock: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self._inventory, self._journal, self._clock = engine.inventory, journal, clock
        self._warm_until = clock() + warm_up
        self._leads = False
        self._remediator = Remediator(
            engine, cluster, journal, decoded, recorder=recorder, clock=clock, warm_up=warm_up, wake=wake
        )
        self._remediator.paused = True

    @property
    def next_change(self) -> float | None:
        """When to ask again though nothing changed."""
        return self._remediator.next_change if self._leads else None

    async def consider(self, reports: Sequence[HealthReport], found: Sequence[Finding], *, leads: bool) -> bool:
        """Repairs what may be repaired, as long as we lead."""
        has_turned, self._leads = leads != self._leads, leads
        if has_turned and not leads:
            await self._remediator.close()
        self._remediator.paused = not leads
        if not leads:
            return False
        self._settle([entry.name for entry in reports] if has_turned else [])
        plans = await self._remediator.consider(found, [sighting(entry, self._inventory) for entry in reports])
        reasons = {
            made.finding.id: made.decision.because for made in plans if not isinstance(made.decision, plan.Apply)
        }
        changed, self._journal.reasons = reasons != self._journal.reasons, reasons
        return self._tell(reports) or changed

    async def close(self) -> None:
        """Ends the fixes that are under way where they stand."""
        await self._remediator.close()

    def _settle(self, names: Sequence[str]) -> None:
        """Goes on with what was begun before we led, in these reports and in those that were read since."""
        unsettled = self._journal.unsettled()
        for name, status in unsettled.items():
            braked = brake_in(status)
            if braked is not None:
                self._remediator.braked.setdefault(name, braked)
        self._remediator.recover(dict.fromkeys([*names, *unsettled]))

    def _tell(self, reports: Sequence[HealthReport]) -> bool:
        said = {
            entry.name: condition
            for entry in reports
            if (condition := self._condition(entry, self._remediator.braked.get(entry.name))) is not None
        }
        changed = said != self._journal.conditions
        self._journal.conditions = said
        return changed

    def _condition(self, entry: HealthReport, braked: Braked | None) -> Condition | None:
        if entry.spec is None or entry.problem is not None or entry.spec.remediation.mode != "Apply":
            return None
        if entry.is_paused:
            return Condition("Remediating", "False", "Paused", f"the annotation {PAUSE_ANNOTATION} forbids repairs")
        if braked is not None:
            return Condition("Remediating", "False", BRAKED, braked.because)
        if not entry.spec.remediation.allow:
            return Condition("Remediating", "False", "NothingAllowed", "spec.remediation.allow names no invariant")
        if self._clock() < self._warm_until:
            return Condition("Remediating", "False", "WarmingUp", "nothing is repaired right after a start")
        return Condition("Remediating", "True", "Applying", "safe fixes of the allowed invariants are applied")


def sighting(entry: HealthReport, inventory: Inventory) -> Sighting:
    """What a report shows, with what it wants repaired. One whose spec is wrong wants nothing, but may still veto."""
    spec = entry.spec
    wants = spec.remediation if spec is not None and entry.problem is None else None
    policy = Policy(
        report=entry.name,
        covers=lambda ref: entry.scope.covers(ref, inventory),
        mode=wants.mode if wants else "Report",
        allow=frozenset(wants.allow) if wants else frozenset(),
        max_fixes_per_hour=wants.max_fixes_per_hour if wants else 0,
        created=entry.created,
        generation=entry.generation,
        paused=entry.annotations.get(PAUSE_ANNOTATION),
    )
    return Sighting(policy, entry.shown.findings if entry.shown else ())


def brake_in(status: Mapping[str, Any]) -> Braked | None:
    """The brake that a status shows, so that a restart does not release it."""
    for condition in status.get("conditions") or ():
        if condition.get("type") == "Remediating" and condition.get("reason") == BRAKED:
            return Braked(generation=condition.get("observedGeneration", 0), because=condition.get("message", ""))
    return None


def decoded(raw: dict[str, Any], view: type[View]) -> View:
    """A raw object as a view; msgspec.ValidationError where it is none."""
    version = str(raw.get("apiVersion", "")).rpartition("/")[2]
    seen = ViewDecoder(view.kind, version or view.kind.versions[0]).from_raw(raw)
    if seen.value is None:
        raise msgspec.ValidationError(seen.because)
    return seen.value


class LeaderOnly:
    """A cluster that is written to only while we lead, asked at the very moment of each write."""

    def __init__(self, cluster: Cluster, is_leader: Callable[[], bool]) -> None:
        self._cluster, self._is_leader = cluster, is_leader

    def _check(self) -> None:
        if not self._is_leader():
            raise Busy("another replica leads by now", status=429)

    async def get(self, ref: Ref, api_version: str) -> Raw:
        """The object as it is now."""
        return await self._cluster.get(ref, api_version)

    async def patch(self, ref: Ref, api_version: str, operations: Sequence[Operation], *, dry_run: bool) -> Raw:
        """The object after a JSON Patch."""
        self._check()
        return await self._cluster.patch(ref, api_version, operations, dry_run=dry_run)

    async def create(self, ref: Ref, document: Raw, *, dry_run: bool) -> tuple[Raw, bool]:
        """The object after a server-side apply, and whether it was created by it."""
        self._check()
        return await self._cluster.create(ref, document, dry_run=dry_run)

    async def delete(self, ref: Ref, api_version: str, uid: str) -> None:
        """Deletes this very object."""
        self._check()
        await self._cluster.delete(ref, api_version, uid)


class FixRecorder:
    """Makes repairs known: an Event on the object, and a metric."""

    def __init__(self, announce: Callable[[Mapping[str, Any]], None], metrics: Metrics, instance: str) -> None:
        self._announce, self._metrics, self._instance = announce, metrics, instance

    async def event(self, target: Target, kind: Literal["Normal", "Warning"], reason: str, note: str) -> None:
        """An Event on the object."""
        regarding = {"apiVersion": target.api_version, "kind": target.kind, "name": target.name, "uid": target.uid}
        if target.namespace:
            regarding["namespace"] = target.namespace
        self._announce(document(regarding, kind, reason, "Repair", note, self._instance))

    def count(self, invariant: str, outcome: str) -> None:
        """One more fix with this outcome."""
        self._metrics.fixes.labels(invariant, outcome).inc()
