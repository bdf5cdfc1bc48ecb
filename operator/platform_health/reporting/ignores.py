"""IgnoresAreCurrent: an ignore that silences nothing, or whose time is over, is itself worth a line.

It is no invariant in a file of its own because it is not about an object of the platform but about the report: what
an ignore silences is only known once everything has been judged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date

import msgspec

from platform_health.findings import Finding, Unclear, identity, ordered
from platform_health.invariant import Severity
from platform_health.reporting.report import Ignore, Report, Scope, summarise
from platform_health.views.platform import PlatformHealth
from platform_health.views.view import SPEC, Ref

INVARIANT = "IgnoresAreCurrent"
FAMILY = "reports"


def stale_ignores(
    name: str,
    scope: Scope,
    found: Collection[Finding],
    unclear: Collection[Unclear],
    names: Collection[str],
    today: date,
) -> list[Finding]:
    """What `IgnoresAreCurrent` says about the report `name`: one finding for every ignore that is expired or unused.

    An ignore whose findings cannot be known at the moment is neither. `names` are the invariants that exist.
    """
    subject = Ref(PlatformHealth.kind, "", name)
    stale: dict[str, Finding] = {}
    for index, entry in enumerate(scope.ignore):
        because = _because(entry, found, unclear, names, today)
        if because is None:
            continue
        about = " ".join((entry.invariant, entry.kind or "*", f"{entry.namespace or '*'}/{entry.name or '*'}"))
        key = identity(INVARIANT, subject, about)
        stale[key] = Finding(
            id=key,
            invariant=INVARIANT,
            family=FAMILY,
            severity=Severity.INFO,
            category="configuration",
            subject=subject,
            api_version=PlatformHealth.kind.api_version,
            at=str(SPEC / "ignore" / index),
            message=f"the ignore {about} {because}",
            symptom="a finding of the same name would be silenced unseen, or is shown although it was accepted",
            about=about,
        )
    return list(stale.values())


def _because(
    entry: Ignore, found: Iterable[Finding], unclear: Iterable[Unclear], names: Collection[str], today: date
) -> str | None:
    if entry.until is not None and entry.until < today:
        return f"ended on {entry.until.isoformat()}; remove it or give it another date"
    if "*" not in entry.invariant and "?" not in entry.invariant and entry.invariant not in names:
        return "names no invariant"
    if any(entry.matches(finding, today) for finding in found):
        return None
    if any(entry.matches(finding, today) for finding in _as_findings(unclear)):
        return None
    return "silences nothing; remove it"


def _as_findings(unclear: Iterable[Unclear]) -> Iterator[Finding]:
    for entry in unclear:
        yield Finding(
            id="",
            invariant=entry.invariant,
            family=entry.family,
            severity=Severity.INFO,
            category="configuration",
            subject=entry.subject,
            api_version=entry.api_version,
            at="",
            message=entry.because,
            symptom="",
        )


def merged(one: Report, other: Report) -> Report:
    """Two reports as one, in stable order."""
    findings = ordered((*one.findings, *other.findings))
    ignored, unknown = one.ignored + other.ignored, one.unknown + other.unknown
    times = [time for time in (one.next_change, other.next_change) if time is not None]
    return msgspec.structs.replace(
        one,
        findings=tuple(findings),
        ignored=ignored,
        unknown=unknown,
        summary=summarise(findings, len(unknown), len(ignored)),
        next_change=min(times, default=None),
    )
