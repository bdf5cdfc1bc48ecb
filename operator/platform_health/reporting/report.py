"""A report is a filter over everything that was judged: namespaces, selection, severities, ignores.

The command line makes one from its flags, the operator one from every PlatformHealth object. Objects are judged once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from fnmatch import fnmatchcase

import msgspec

from platform_health.findings import Finding, Unclear, ordered
from platform_health.invariant import Invariant, Severity
from platform_health.inventory import Inventory
from platform_health.views.core import Namespace
from platform_health.views.view import Kind, Ref, View

IGNORE_ANNOTATION = "platformhealth.dev/ignore"


class Ignore(msgspec.Struct, frozen=True, kw_only=True):
    """One entry that silences findings. Empty fields and ``*`` match everything; ``until`` is the last day it holds."""

    invariant: str
    reason: str
    kind: str = ""
    namespace: str = ""
    name: str = ""
    until: date | None = None

    def matches(self, finding: Finding, today: date) -> bool:
        """Whether it silences ``finding`` today."""
        subject = finding.subject
        return (self.until is None or today <= self.until) and all(
            not pattern or fnmatchcase(value, pattern)
            for pattern, value in (
                (self.invariant, finding.invariant),
                (self.kind, subject.kind.name),
                (self.namespace, subject.namespace),
                (self.name, subject.name),
            )
        )


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What one report wants to see. ``select`` and ``deselect`` name invariants or families (globs)."""

    match_names: tuple[str, ...] = ()
    match_labels: dict[str, str] = {}
    select: tuple[str, ...] = ("*",)
    deselect: tuple[str, ...] = ()
    severity: dict[str, Severity] = {}
    ignore: tuple[Ignore, ...] = ()
    settle_seconds: float = 0.0
    honour_object_ignores: bool = True

    @property
    def is_restricted(self) -> bool:
        """Whether only some namespaces are reported; cluster-scoped subjects are then left out."""
        return bool(self.match_names or self.match_labels)

    def covers(self, ref: Ref, inventory: Inventory) -> bool:
        """Whether findings about this object belong into the report."""
        if not self.is_restricted:
            return True
        if not ref.namespace:
            return False
        if ref.namespace in self.match_names:
            return True
        namespace = inventory.peek(Ref(Namespace.kind, "", ref.namespace))
        labels: Mapping[str, str] = namespace.labels if namespace else {}
        return bool(self.match_labels) and all(labels.get(key) == value for key, value in self.match_labels.items())

    def selects(self, invariant: str, family: str) -> bool:
        """Whether an invariant is part of the report."""
        return _named(self.select, invariant, family) and not _named(self.deselect, invariant, family)


def _named(patterns: Iterable[str], invariant: str, family: str) -> bool:
    return any(fnmatchcase(invariant, pattern) or pattern == family for pattern in patterns)


class Silenced(msgspec.Struct, frozen=True):
    """A finding that an ignore silences, with the reason given."""

    finding: Finding
    reason: str


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Exact totals. The first four count active findings; ``consequences`` are counted in their severity too."""

    errors: int = 0
    warnings: int = 0
    infos: int = 0
    consequences: int = 0
    settling: int = 0
    unknown: int = 0
    ignored: int = 0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What one scope shows: findings in stable order, settling ones included."""

    findings: tuple[Finding, ...]
    ignored: tuple[Silenced, ...]
    unknown: tuple[Unclear, ...]
    summary: Summary
    next_change: float | None = None
    """When the next settling finding becomes active; seconds since the epoch."""

    @property
    def active(self) -> tuple[Finding, ...]:
        """The findings that count."""
        return tuple(finding for finding in self.findings if finding.state == "active")

    @property
    def is_healthy(self) -> bool:
        """Whether nothing active is an error or a warning."""
        return not (self.summary.errors or self.summary.warnings)


def report(
    found: Iterable[Finding],
    unclear: Iterable[Unclear],
    scope: Scope,
    inventory: Inventory,
    now: float,
    today: date,
) -> Report:
    """What ``scope`` shows of everything that was found. ``found`` carries ``first_seen`` where settling matters."""
    shown: list[Finding] = []
    silenced: list[Silenced] = []
    next_change: float | None = None
    for finding in found:
        if not scope.selects(finding.invariant, finding.family) or not scope.covers(finding.subject, inventory):
            continue
        severity = scope.severity.get(finding.invariant, finding.severity)
        active_at = finding.first_seen + scope.settle_seconds
        if now < active_at:
            next_change = min(active_at, next_change or active_at)
        state = "settling" if now < active_at else "active"
        seen = msgspec.structs.replace(finding, severity=severity, state=state)
        reason = _silence(seen, scope, inventory, today)
        if reason is None:
            shown.append(seen)
        else:
            silenced.append(Silenced(seen, reason))
    ids = {finding.id for finding in shown}
    shown = ordered(
        finding if finding.cause in ids else msgspec.structs.replace(finding, cause=None) for finding in shown
    )
    unknown = tuple(
        entry
        for entry in unclear
        if scope.selects(entry.invariant, entry.family) and scope.covers(entry.subject, inventory)
    )
    return Report(
        findings=tuple(shown),
        ignored=tuple(silenced),
        unknown=unknown,
        summary=summarise(shown, len(unknown), len(silenced)),
        next_change=next_change,
    )


def summarise(shown: Iterable[Finding], unknown: int, ignored: int) -> Summary:
    """The totals of some findings."""
    shown = list(shown)
    active = [finding for finding in shown if finding.state == "active"]
    count: Callable[[Severity], int] = lambda severity: sum(finding.severity is severity for finding in active)  # noqa: E731
    return Summary(
        errors=count(Severity.ERROR),
        warnings=count(Severity.WARNING),
        infos=count(Severity.INFO),
        consequences=sum(finding.cause is not None for finding in active),
        settling=len(shown) - len(active),
        unknown=unknown,
        ignored=ignored,
    )


def _silence(finding: Finding, scope: Scope, inventory: Inventory, today: date) -> str | None:
    for entry in scope.ignore:
        if entry.matches(finding, today):
            return entry.reason
    if scope.honour_object_ignores:
        subject = inventory.peek(finding.subject)
        for entry in object_ignores(subject) if subject else ():
            if entry.matches(finding, today):
                return entry.reason
    return None


_LINE = re.compile(r"\s*([A-Za-z*]+)\s*:\s*(.*?)\s*(?:\buntil\s+(\d{4}-\d{2}-\d{2})\s*)?\Z")


def object_ignores(view: View) -> list[Ignore]:
    """The ignores that an object carries in its annotation: ``<Invariant>: <reason> [until <date>]`` per line.

    A line without a reason, or of another shape, silences nothing.
    """
    ignores = []
    for line in view.annotations.get(IGNORE_ANNOTATION, "").splitlines():
        found = _LINE.match(line)
        if found is None or not found[2]:
            continue
        try:
            until = date.fromisoformat(found[3]) if found[3] else None
        except ValueError:
            continue
        ignores.append(Ignore(invariant=found[1], reason=found[2], until=until))
    return ignores


def kinds_needed(invariants: Iterable[Invariant]) -> list[Kind]:
    """Every kind that some invariant reads, in stable order: what must be watched."""
    kinds = {kind for invariant in invariants for kind in invariant.needs}
    return sorted({*kinds, Namespace.kind}, key=lambda kind: kind.resource)
