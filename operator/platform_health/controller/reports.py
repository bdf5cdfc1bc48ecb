"""Every PlatformHealth as the operator knows it: its spec, what it shows now, and what its status should say."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from platform_health.api.spec import InvalidSpec, Spec, parse_spec
from platform_health.controller.history import History
from platform_health.findings import Finding, Unclear
from platform_health.invariant import Invariant
from platform_health.inventory import Inventory
from platform_health.knowledge import ClusterKnowledge
from platform_health.reporting import ignores
from platform_health.reporting.report import Report, Scope, kinds_needed, report
from platform_health.reporting.scope import check_names, scope_of
from platform_health.reporting.status import Coverage, Repairs, invalid, status, syncing
from platform_health.views.platform import PAUSE_ANNOTATION
from platform_health.views.view import Kind


class Judged(msgspec.Struct, frozen=True):
    """All that was judged, before any report looks at it."""

    found: tuple[Finding, ...]
    unclear: tuple[Unclear, ...]
    inventory: Inventory
    knowledge: ClusterKnowledge
    judgements: int
    now: float
    complete: bool

    @property
    def today(self) -> Any:
        """The date on which ignores are looked at (UTC)."""
        return datetime.fromtimestamp(self.now, UTC).date()


class HealthReport:
    """One PlatformHealth. ``shown`` is the last report that a valid spec gave."""

    def __init__(self, name: str, uid: str, invariants: Collection[Invariant]) -> None:
        self.name, self.uid = name, uid
        self.generation = 0
        self.created = ""
        self.annotations: Mapping[str, str] = {}
        self.spec: Spec | None = None
        self.problem: str | None = None
        self.shown: Report | None = None
        self.coverage = Coverage(invariants=0, judged=0)
        self._given: Any = None
        self._invariants = invariants
        self._names = {invariant.name for invariant in invariants} | {ignores.INVARIANT}
        self.scope = Scope()
        self._selected: list[Invariant] = []
        self._kinds: list[Kind] = []
        self.history = History()

    @property
    def is_paused(self) -> bool:
        """Whether the annotation on it forbids repairs."""
        return PAUSE_ANNOTATION in self.annotations

    @property
    def is_ready(self) -> bool:
        """Whether it follows its spec with every needed kind read."""
        return self.problem is None and self.shown is not None and not self.coverage.unreadable

    def take(self, raw: Mapping[str, Any]) -> bool:
        """Takes over an object as it was read; returns whether the report may look different because of it."""
        metadata = raw.get("metadata") or {}
        given = raw.get("spec") or {}
        annotations = metadata.get("annotations") or {}
        unchanged = self.generation == metadata.get("generation", 0) and self._given == given
        same = unchanged and self.annotations == annotations
        self.generation, self.annotations = metadata.get("generation", 0), annotations
        self.created = metadata.get("creationTimestamp") or ""
        if not unchanged or self._given is None:
            self._given = given
            self._follow(given)
        return not same

    def _follow(self, given: Any) -> None:
        try:
            spec = parse_spec(given)
            check_names(spec, self._invariants)
        except InvalidSpec as error:
            self.problem = str(error)
            return
        self.spec, self.problem, self.scope = spec, None, scope_of(spec)
        self._selected = [entry for entry in self._invariants if self.scope.selects(entry.name, entry.family)]
        self._kinds = [kind for kind in kinds_needed(self._selected) if kind.via != "never"]

    def look(self, judged: Judged) -> None:
        """Makes the report of what was judged. A report whose spec is wrong goes on showing what it showed."""
        if self.problem is not None:
            return
        scope, today = self.scope, judged.today
        everything = report(judged.found, judged.unclear, scope, judged.inventory, judged.now, today)
        stale = ignores.stale_ignores(self.name, scope, judged.found, judged.unclear, self._names, today)
        stale = self.history.stamp(stale, (), judged.now, complete=judged.complete)
        if stale:
            anywhere = msgspec.structs.replace(scope, match_names=(), match_labels={})
            about_itself = report(stale, (), anywhere, judged.inventory, judged.now, today)
            everything = ignores.merged(everything, about_itself)
        self.shown = everything
        unreadable = judged.knowledge.unreadable()
        self.coverage = Coverage(
            invariants=len(self._selected),
            judged=judged.judgements,
            unreadable={
                kind.resource: str(judged.knowledge.state(kind))
                for kind in self._kinds
                if kind in unreadable or judged.knowledge.gap(kind.view) is not None
            },
        )

    def document(self, previous: Mapping[str, Any], now: float, repairs: Repairs | None) -> dict[str, Any] | None:
        """What the status should say now; None where there is nothing to say yet."""
        if self.problem is not None:
            return invalid(self.problem, self.generation, previous, now)
        if self.shown is None or self.spec is None:
            return None if previous.get("conditions") else syncing(self.generation, previous, now)
        return status(self.shown, self.spec, self.generation, previous, self.coverage, now, repairs)


class Reports:
    """All PlatformHealths, by name."""

    def __init__(self, invariants: Collection[Invariant]) -> None:
        self._invariants = invariants
        self._reports: dict[str, HealthReport] = {}

    def __iter__(self) -> Iterator[HealthReport]:
        return iter(self._reports.values())

    def __len__(self) -> int:
        return len(self._reports)

    def get(self, name: str) -> HealthReport | None:
        """The report of this name."""
        return self._reports.get(name)

    def take(self, raw: Mapping[str, Any]) -> tuple[HealthReport, bool, bool]:
        """Takes over an object; answers the report, whether it is new, and whether it may look different."""
        metadata = raw["metadata"]
        name, uid = metadata["name"], metadata.get("uid", "")
        known = self._reports.get(name)
        is_new = known is None or known.uid != uid
        entry = HealthReport(name, uid, self._invariants) if known is None or is_new else known
        self._reports[name] = entry
        return entry, is_new, entry.take(raw)

    def drop(self, name: str) -> bool:
        """The object is gone; returns whether it was there."""
        return self._reports.pop(name, None) is not None

    @property
    def next_change(self) -> float | None:
        """When the next settling finding of any report becomes active; seconds since the epoch."""
        shown = [entry.shown for entry in self if entry.shown is not None and entry.problem is None]
        return min((one.next_change for one in shown if one.next_change is not None), default=None)

    def shown(self) -> Iterable[tuple[Finding, ...]]:
        """The findings of every report."""
        return [entry.shown.findings for entry in self if entry.shown is not None]
