"""From the spec of a PlatformHealth to the scope of a report, and what in a spec names nothing that exists."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from platform_health.api.spec import InvalidSpec, Spec
from platform_health.invariant import Invariant, Severity, nearest
from platform_health.reporting.ignores import INVARIANT as IGNORES_ARE_CURRENT
from platform_health.reporting.report import Ignore, Scope


def scope_of(spec: Spec) -> Scope:
    """The scope that a spec asks for."""
    return Scope(
        match_names=tuple(spec.namespaces.match_names),
        match_labels=spec.namespaces.match_labels,
        select=tuple(spec.select),
        severity={name: Severity(severity) for name, severity in spec.severity.items()},
        ignore=tuple(
            Ignore(
                invariant=entry.invariant,
                kind="" if entry.kind == "*" else entry.kind,
                namespace="" if entry.namespace == "*" else entry.namespace,
                name="" if entry.name == "*" else entry.name,
                reason=entry.reason,
                until=entry.until,
            )
            for entry in spec.ignore
        ),
        settle_seconds=float(spec.settle_seconds),
        honour_object_ignores=spec.object_ignores == "Honour",
    )


def check_names(spec: Spec, invariants: Iterable[Invariant]) -> None:
    """InvalidSpec where a spec names an invariant or family that does not exist.

    A misspelled selection would otherwise look like good health. Ignores are left to `IgnoresAreCurrent`.
    """
    invariants = list(invariants)
    names = {invariant.name for invariant in invariants} | {IGNORES_ARE_CURRENT}
    families = {invariant.family for invariant in invariants}
    problems = [
        f"spec.select: {pattern!r} is no invariant and no family{_hint(pattern, names | families)}"
        for pattern in spec.select
        if pattern != "*" and pattern not in families and not any(fnmatchcase(name, pattern) for name in names)
    ]
    problems += [
        f"spec.{field}: {name!r} is no invariant{_hint(name, names)}"
        for field, given in (("severity", spec.severity), ("remediation.allow", spec.remediation.allow))
        for name in given
        if name not in names
    ]
    if problems:
        raise InvalidSpec("; ".join(problems[:5]))


def _hint(name: str, candidates: Iterable[str]) -> str:
    meant = nearest(name, candidates)
    return f"; did you mean {meant}?" if meant else ""
