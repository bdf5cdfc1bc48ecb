"""Which fix may be applied, which one is only proposed, and which one has to wait: decided without touching anything.

Every gate is one small function that answers None where it is open, and otherwise what happens instead. They stand in
:data:`GATES` in the order in which their answers are worth the most to a person: who may not at all comes before who
may not yet. What only the fresh object can tell is asked in :mod:`platform_health.remediation.guard`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Literal

import msgspec

from platform_health.domain.ownership import owner_of
from platform_health.findings import Finding
from platform_health.invariant import Fix, Invariant, Severity
from platform_health.inventory import Inventory, Unknown, parse_time
from platform_health.remediation.journal import (
    CAPACITY,
    UNWANTED,
    Entry,
    bars_view,
    has_room,
    tokens_left,
)
from platform_health.views.core import Namespace
from platform_health.views.kinds import of_api_version
from platform_health.views.platform import PAUSE_ANNOTATION
from platform_health.views.view import Kind, Ref

WARM_UP = 120.0
"""Seconds after a start in which nothing is applied: what looks broken may only not have been read yet."""

MASS_WINDOW, MASS_SHARE, MASS_COUNT = 60.0, 0.2, 5
BREAKER_COUNT = 3
"""So many fixes of one invariant in a row that did not last, and it needs a person."""

Mode = Literal["Report", "Propose", "Apply"]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What one PlatformHealth wants repaired. ``covers`` says whether an object belongs into its scope."""

    report: str
    covers: Callable[[Ref], bool]
    mode: Mode = "Propose"
    allow: frozenset[str] = frozenset()
    max_fixes_per_hour: int = 10
    created: str = ""
    """Its creationTimestamp; the oldest report that allows a fix owns budget and journal."""
    generation: int = 0
    paused: str | None = None
    """The value of its pause annotation, None where it has none."""

    @property
    def age_key(self) -> tuple[float, str]:
        """Orders policies by age, then name."""
        return (parse_time(self.created) or 0.0, self.report)

    def allows(self, finding: Finding) -> bool:
        """Whether it wants the fixes of this invariant applied."""
        return self.mode == "Apply" and finding.invariant in self.allow


class Sighting(msgspec.Struct, frozen=True):
    """The findings that one report shows; ``state`` in them is the report's own."""

    policy: Policy
    findings: tuple[Finding, ...]


class Braked(msgspec.Struct, frozen=True, kw_only=True):
    """The mass-failure brake of one report is on until a person changes its spec, that is its generation."""

    generation: int
    because: str


class Apply(msgspec.Struct, frozen=True):
    """All gates that can be asked from here are open."""


class Propose(msgspec.Struct, frozen=True):
    """It is not applied, and will not be without somebody's doing; the patch is shown instead."""

    because: str


class Skip(msgspec.Struct, frozen=True):
    """It is not applied now."""

    because: str


Decision = Apply | Propose | Skip


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """All that gates look at beside the finding itself."""

    now: float
    started: float
    inventory: Inventory
    invariants: Mapping[str, Invariant]
    entries: Callable[[str], Sequence[Entry]]
    warm_up: float = WARM_UP
    braked: Mapping[str, Braked] = {}
    busy: Set[Ref] = frozenset()
    """Objects that are being repaired at this moment."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One fix of one finding, with every report that shows it; ``policy`` is the one that would own the fix."""

    finding: Finding
    fix: Fix
    policy: Policy
    shown_by: tuple[Policy, ...]

    @property
    def target(self) -> Ref:
        """The object that would be patched or created."""
        return target_of(self.finding.subject, self.fix)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one finding that has a fix. ``report`` owns it; empty where no report allows it."""

    finding: Finding
    decision: Decision
    report: str = ""


Gate = Callable[[Case, Situation], Decision | None]


def target_of(subject: Ref, fix: Fix) -> Ref:
    """The object that a fix of this subject patches or creates."""
    if fix.create is not None:
        return _ref(fix.create) or subject
    return fix.target or subject


def _ref(raw: Mapping[str, object]) -> Ref | None:
    metadata = raw.get("metadata")
    kind = of_api_version(str(raw.get("apiVersion", "")), str(raw.get("kind", "")))
    if kind is None or not isinstance(metadata, dict):
        return None
    return Ref(kind, str(metadata.get("namespace", "")) if kind.namespaced else "", str(metadata.get("name", "")))


def plans(sightings: Iterable[Sighting], situation: Situation) -> list[Plan]:
    """What happens to every finding that has a fix, in the order of the findings."""
    found: dict[str, list[tuple[Policy, Finding]]] = defaultdict(list)
    for sighting in sorted(sightings, key=lambda sighting: sighting.policy.age_key):
        for finding in sighting.findings:
            if finding.fix is not None:
                found[finding.id].append((sighting.policy, finding))
    return [plan(seen, situation) for seen in found.values()]


def plan(seen: Sequence[tuple[Policy, Finding]], situation: Situation, gates: Sequence[Gate] | None = None) -> Plan:
    """What happens to one finding. ``seen``: the reports that show it, the oldest first, each with its own finding."""
    policy, finding = next((pair for pair in seen if pair[0].allows(pair[1])), seen[0])
    assert finding.fix is not None
    case = Case(finding=finding, fix=finding.fix, policy=policy, shown_by=tuple(pair[0] for pair in seen))
    decision = decide(case, situation, gates)
    return Plan(finding=finding, decision=decision, report=policy.report if policy.allows(finding) else "")


def decide(case: Case, situation: Situation, gates: Sequence[Gate] | None = None) -> Decision:
    """The answer of the first gate that is closed; Apply where none is. All gates are asked unless some are given."""
    for gate in GATES if gates is None else gates:
        decision = gate(case, situation)
        if decision is not None:
            return decision
    return Apply()


# --- 1: allowed -------------------------------------------------------------------------------------------------


def fix_is_safe(case: Case, situation: Situation) -> Decision | None:
    """Only safe fixes are applied unattended."""
    if case.fix.safety == "safe" and (case.fix.patch or case.fix.create is not None):
        return None
    return Propose(f"the fix is {case.fix.safety}, it is never applied unattended")


def somebody_allows_it(case: Case, situation: Situation) -> Decision | None:
    """One report must be in mode Apply and name the invariant."""
    if case.policy.allows(case.finding):
        return None
    modes = {policy.mode for policy in case.shown_by}
    if modes == {"Report"}:
        return Skip("every report that shows it is in mode Report")
    if "Apply" in modes:
        return Propose(f"no report in mode Apply has {case.finding.invariant} in its allow list")
    return Propose("no report that shows it is in mode Apply")


def target_is_in_scope(case: Case, situation: Situation) -> Decision | None:
    """A report repairs nothing outside of the namespaces it is restricted to."""
    if case.policy.covers(case.target):
        return None
    return Propose(f"{case.target} is outside of the namespaces of report {case.policy.report}")


def nothing_is_paused(case: Case, situation: Situation) -> Decision | None:
    """A pause annotation on a report that shows it, on an object or on its namespace vetoes."""
    for policy in case.shown_by:
        if policy.paused is not None:
            return Skip(f"report {policy.report} is paused{_reason(policy.paused)}")
    for ref in _pausable(case):
        view = situation.inventory.peek(ref)
        pause = view.annotations.get(PAUSE_ANNOTATION) if view is not None else None
        if pause is not None:
            return Skip(f"{ref} is paused by its annotation {PAUSE_ANNOTATION}{_reason(pause)}")
    return None


def _pausable(case: Case) -> list[Ref]:
    objects = dict.fromkeys((case.target, case.finding.subject))
    namespaces = dict.fromkeys(ref.namespace for ref in objects if ref.namespace)
    return [*objects, *(Ref(Namespace.kind, "", name) for name in namespaces)]


def _reason(value: str) -> str:
    return f": {value}" if value and value.lower() != "true" else ""


# --- 2: owned by no one else ------------------------------------------------------------------------------------


def nobody_owns_it(case: Case, situation: Situation) -> Decision | None:
    """What a controller, Argo CD, Flux, Helm or OLM looks after is repaired where they get it from.

    For a new object the owner of the object that lacks it decides: both come from the same place.
    """
    for ref in dict.fromkeys((case.target,) if case.fix.create is None else (case.target, case.finding.subject)):
        view = situation.inventory.peek(ref)
        if view is None:
            continue
        with situation.inventory.recording():
            try:
                owner = owner_of(view, situation.inventory)
            except Unknown as unknown:
                return Propose(f"it cannot be known whether Argo CD tracks {ref}: {unknown.because}")
        if owner is not None:
            return Propose(f"{ref} belongs to {owner}: {owner.because}")
    return None


# --- 3: settled -------------------------------------------------------------------------------------------------


def it_has_settled(case: Case, situation: Situation) -> Decision | None:
    """It has been violated for the report's settleSeconds."""
    return None if case.finding.state == "active" else Skip("it has not settled yet")


def needed_kinds_are_read(case: Case, situation: Situation) -> Decision | None:
    """Every kind that the invariant declares is read. Kinds that are never requested, as Secrets, do not count."""
    invariant = situation.invariants.get(case.finding.invariant)
    if invariant is None:
        return Skip(f"there is no invariant {case.finding.invariant}")
    because = gap(invariant, situation.inventory)
    return Skip(f"not everything it rests on is known: {because}") if because is not None else None


def gap(invariant: Invariant, inventory: Inventory) -> str | None:
    """Which kind that an invariant declares cannot be read, None where all are."""
    gaps = (inventory.knowledge.gap(kind.view) for kind in invariant.needs if kind.via != "never")
    return next((because for because in gaps if because is not None), None)


# --- 8: bounded -------------------------------------------------------------------------------------------------


def start_is_over(case: Case, situation: Situation) -> Decision | None:
    """Nothing is applied in the first minutes after a start."""
    left = situation.started + situation.warm_up - situation.now
    return Skip(f"the operator has just started, {left:.0f} s are left") if left > 0 else None


def brake_is_off(case: Case, situation: Situation) -> Decision | None:
    """The mass-failure brake of the report is off, or a person has released it by changing the spec."""
    braked = situation.braked.get(case.policy.report)
    if braked is None or braked.generation != case.policy.generation:
        return None
    return Skip(f"the brake is on until the spec of report {case.policy.report} is changed: {braked.because}")


def breaker_is_closed(case: Case, situation: Situation) -> Decision | None:
    """The last fixes of this invariant did not all fail. A change of the report's spec closes the breaker again."""
    ended = [
        entry
        for entry in situation.entries(case.policy.report)
        if entry.invariant == case.finding.invariant
        and entry.state != "Applying"
        and entry.report_generation == case.policy.generation
    ]
    last = ended[-BREAKER_COUNT:]
    if len(last) < BREAKER_COUNT or any(entry.state not in UNWANTED for entry in last):
        return None
    because = f"the last {BREAKER_COUNT} fixes of {case.finding.invariant} did not last"
    return Skip(f"{because}; look at them, then change the spec of report {case.policy.report}")


def it_was_not_unwanted_before(case: Case, situation: Situation) -> Decision | None:
    """What failed, was contested or was undone is not tried again before the object's spec changes."""
    for report in dict.fromkeys(policy.report for policy in case.shown_by):
        for entry in situation.entries(report):
            if entry.is_about(case.finding) and bars_view(entry, situation.inventory):
                return Propose(f"fix {entry.id} was {entry.state.lower()}: {entry.message}")
    return None


def object_is_free(case: Case, situation: Situation) -> Decision | None:
    """One fix per object at a time, also across restarts."""
    applying = (
        entry.object.is_at(case.target)
        for policy in case.shown_by
        for entry in situation.entries(policy.report)
        if entry.state == "Applying"
    )
    return (
        Skip(f"another fix of {case.target} is under way") if case.target in situation.busy or any(applying) else None
    )


def budget_is_left(case: Case, situation: Situation) -> Decision | None:
    """The report's bucket holds a token, and its journal has room for an entry."""
    entries = situation.entries(case.policy.report)
    if tokens_left(entries, case.policy.max_fixes_per_hour, situation.now) <= 0:
        return Skip(f"report {case.policy.report} has used its {case.policy.max_fixes_per_hour} fixes of this hour")
    if not has_room(entries, situation.inventory, situation.now):
        return Skip(f"the journal of report {case.policy.report} holds {CAPACITY} fixes that still need attention")
    return None


VETOES: tuple[Gate, ...] = (
    fix_is_safe,
    somebody_allows_it,
    target_is_in_scope,
    nothing_is_paused,
    nobody_owns_it,
)
"""What people may decide at any moment: asked once more between intent and patch."""

GATES: tuple[Gate, ...] = (
    *VETOES,
    it_has_settled,
    needed_kinds_are_read,
    it_was_not_unwanted_before,
    start_is_over,
    brake_is_off,
    breaker_is_closed,
    object_is_free,
    budget_is_left,
)


# --- the brake --------------------------------------------------------------------------------------------------


def mass_failure(found: Iterable[Finding], inventory: Inventory, now: float, since: float) -> str | None:
    """Why the input is more likely wrong than the platform, None where it is not.

    More than a fifth of the objects of a kind, and at least five, became violated within the last minute. An object
    that was violated before does not count, nor does what was seen before ``since``, when everything was new to us.
    """
    first_seen: dict[Ref, float] = {}
    for finding in found:
        if finding.severity is not Severity.INFO:
            earliest = first_seen.get(finding.subject, finding.first_seen)
            first_seen[finding.subject] = min(earliest, finding.first_seen)
    fresh: dict[Kind, int] = defaultdict(int)
    for ref, seen in first_seen.items():
        fresh[ref.kind] += seen > now - MASS_WINDOW and seen >= since
    for kind, count in fresh.items():
        judged = len(inventory.peek_all(kind))
        if count >= MASS_COUNT and count > MASS_SHARE * judged:
            return f"{count} of {judged} objects of kind {kind} became violated within a minute"
    return None
