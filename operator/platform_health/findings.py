"""Findings: violations with an identity over time, the object they name, and their root cause."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

import msgspec

from platform_health.engine import Judgement
from platform_health.invariant import Category, Fix, Severity, Violation
from platform_health.views.core import Pod
from platform_health.views.view import Ref, View

State = Literal["settling", "active"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One violation as people and machines see it. ``id`` survives restarts, rollouts and reordering."""

    id: str
    invariant: str
    family: str
    severity: Severity
    category: Category
    subject: Ref
    api_version: str
    at: str
    message: str
    symptom: str
    about: str = ""
    first_seen: float = 0.0
    state: State = "active"
    cause: str | None = None
    verify: str | None = None
    related: tuple[Ref, ...] = ()
    follows: tuple[Ref, ...] = ()
    after: tuple[str, ...] = ()
    fix: Fix | None = None

    @property
    def order(self) -> tuple[object, ...]:
        """The stable order of reports, causes before consequences left aside."""
        return (self.severity.rank, self.invariant, *self.subject.sort_key, self.about, self.id)


class Unclear(msgspec.Struct, frozen=True, kw_only=True):
    """One judgement, or part of one, that could not be made."""

    invariant: str
    family: str
    subject: Ref
    api_version: str
    because: str


def identity(invariant: str, subject: Ref, about: str) -> str:
    """The id of a finding: a hash of names only, never of indexes, lines or versions."""
    text = "\0".join((invariant, subject.kind.group, subject.kind.name, subject.namespace, subject.name, about))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def named(subject: View) -> Ref:
    """The object that a finding about ``subject`` names: for a pod the workload at the root of its owner chain."""
    return subject.workload if isinstance(subject, Pod) else subject.ref


def findings(judgements: Iterable[Judgement]) -> list[Finding]:
    """The findings of these judgements, merged by identity, with causes, in stable order."""
    groups: dict[str, list[tuple[Judgement, Violation]]] = defaultdict(list)
    for judgement in judgements:
        for violation in judgement.violations:
            groups[identity(judgement.invariant.name, named(judgement.subject), violation.about)].append(
                (judgement, violation)
            )
    found = {key: _merged(key, group) for key, group in groups.items()}
    return ordered(with_causes(found.values()))


def unclear(judgements: Iterable[Judgement]) -> list[Unclear]:
    """What these judgements could not know, once per invariant, object and reason."""
    entries = {
        Unclear(
            invariant=judgement.invariant.name,
            family=judgement.invariant.family,
            subject=named(judgement.subject),
            api_version=api_version(judgement.subject),
            because=because,
        )
        for judgement in judgements
        for because in judgement.unknown
    }
    return sorted(entries, key=lambda entry: (entry.invariant, entry.subject.sort_key, entry.because))


def _merged(key: str, group: list[tuple[Judgement, Violation]]) -> Finding:
    group.sort(key=lambda pair: ((pair[1].severity or pair[0].invariant.severity).rank, pair[0].subject.name))
    judgement, violation = group[0]
    invariant, subject = judgement.invariant, judgement.subject
    at, message = violation.at, violation.message
    if isinstance(subject, Pod):
        at = subject.template_path.join(at) if subject.workload != subject.ref or subject.is_template else at
        message += _pods([pair[0].subject for pair in group])
    return Finding(
        id=key,
        invariant=invariant.name,
        family=invariant.family,
        severity=violation.severity or invariant.severity,
        category=violation.category or invariant.category,
        subject=named(subject),
        api_version=api_version(subject),
        at=str(at),
        message=message,
        symptom=invariant.symptom if violation.symptom is None else violation.symptom,
        about=violation.about,
        verify=violation.verify,
        related=violation.related,
        follows=violation.follows,
        after=violation.after,
        fix=violation.fix,
    )


def _pods(subjects: list[View]) -> str:
    names = list(dict.fromkeys(subject.name for subject in subjects if not _is_template(subject)))
    if not names or (len(names) == 1 and named(subjects[0]).name == names[0]):
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f" (pod{'s' if len(names) > 1 else ''} {', '.join(names[:3])}{more})"


def _is_template(subject: View) -> bool:
    return isinstance(subject, Pod) and subject.is_template


def api_version(subject: View) -> str:
    """The ``apiVersion`` under which the object that a finding names was read."""
    ref = named(subject)
    return (subject.api_version if ref == subject.ref else "") or ref.kind.api_version


def with_causes(found: Iterable[Finding]) -> list[Finding]:
    """The findings with ``cause`` set where another finding explains them."""
    found = list(found)
    by_object: dict[Ref, list[Finding]] = defaultdict(list)
    for finding in found:
        by_object[finding.subject].append(finding)
    causes: dict[str, str] = {}
    for finding in sorted(found, key=lambda finding: finding.order):
        cause = _cause(finding, by_object)
        if cause is not None and not _reaches(cause.id, finding.id, causes):
            causes[finding.id] = cause.id
    return [msgspec.structs.replace(finding, cause=causes.get(finding.id)) for finding in found]


def _cause(finding: Finding, by_object: dict[Ref, list[Finding]]) -> Finding | None:
    candidates = [
        other
        for ref in finding.follows
        for other in by_object.get(ref, ())
        if other.id != finding.id and (not finding.after or other.invariant in finding.after)
    ]
    return min(candidates, key=lambda other: other.order, default=None)


def _reaches(start: str, goal: str, causes: dict[str, str]) -> bool:
    while start in causes:
        start = causes[start]
        if start == goal:
            return True
    return False


def ordered(found: Iterable[Finding]) -> list[Finding]:
    """Causes before their consequences, then severity, invariant, object."""
    found = sorted(found, key=lambda finding: finding.order)
    known = {finding.id for finding in found}
    children: dict[str | None, list[Finding]] = defaultdict(list)
    for finding in found:
        children[finding.cause if finding.cause in known else None].append(finding)
    result: list[Finding] = []
    waiting = children[None][::-1]
    while waiting:
        finding = waiting.pop()
        result.append(finding)
        waiting.extend(reversed(children[finding.id]))
    return result
