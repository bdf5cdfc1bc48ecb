"""The status of a PlatformHealth: a pure function of the report and of what the status said before.

Nothing in it changes while nothing happens: times are those of a first sight or of a flip, texts hold no counters of
seconds. So two statuses can be compared as they are, and a writer that compares them writes nothing for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import msgspec

from platform_health.api.spec import Spec
from platform_health.api.status import MAX_FIXES, MAX_TEXT
from platform_health.findings import Finding
from platform_health.invariant import Fix
from platform_health.inventory import parse_time
from platform_health.reporting.report import Report
from platform_health.views import kinds
from platform_health.views.view import Ref

Document = dict[str, Any]

MAX_BYTES = 900_000
"""etcd refuses requests above 1.5 MiB, with an error that looks as if trying again would help."""
MAX_PATCH_BYTES = 2_048
MAX_OPERATIONS = 64
MAX_TOP = 120

JUDGED = "Judged"
"""Ready: this generation was judged, and every kind that it needs was read."""
KINDS_UNREADABLE = "KindsUnreadable"
"""Ready or Healthy: some kind that it needs cannot be read, so what depends on it is unknown."""
INVALID_SPEC = "InvalidSpec"
"""Ready: the spec cannot be followed; the last report stands."""
SYNCING = "Syncing"
"""Ready: the first lists are not complete yet."""
EVERYTHING_HOLDS = "NothingViolated"
"""Healthy: no error and no warning is active."""
FINDINGS_ACTIVE = "FindingsActive"
"""Healthy: errors or warnings are active."""


class Condition(NamedTuple):
    """What a condition says; the generation and the time of its last flip are added when it is written."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """What a report rests on. ``unreadable`` maps a kind, as discovery writes it, to the state it is in."""

    invariants: int
    judged: int
    unreadable: Mapping[str, str] = {}


class Repairs(msgspec.Struct, frozen=True, kw_only=True):
    """What remediation has to say in a status: the journal, how many fixes held, and the condition."""

    fixes: tuple[Mapping[str, Any], ...] = ()
    fixed: int = 0
    condition: Condition | None = None
    reasons: Mapping[str, str] = {}
    """Why a fix is not applied, by the id of its finding."""


def status(
    shown: Report,
    spec: Spec,
    generation: int,
    previous: Mapping[str, Any],
    coverage: Coverage,
    now: float,
    repairs: Repairs | None = None,
) -> Document:
    """The status that says this report. ``previous`` is the status as it was last read or written."""
    repairs = repairs or _carried(previous)
    conditions = [
        _healthy(shown, coverage),
        _ready(coverage),
        repairs.condition or _remediating(spec),
    ]
    top = next((finding for finding in shown.findings if finding.state == "active"), None)
    document: Document = {
        "observedGeneration": generation,
        "conditions": _dated(conditions, previous, generation, now),
        "summary": {**msgspec.structs.asdict(shown.summary), "fixed": repairs.fixed},
        "topFinding": shorten(f"{top.invariant} {top.subject}: {top.message}", MAX_TOP) if top else "",
        "coverage": {
            "invariants": coverage.invariants,
            "judged": coverage.judged,
            "unreadable": sorted(coverage.unreadable)[:200],
        },
        "findings": [
            _finding(finding, repairs.reasons if spec.remediation.mode != "Report" else None)
            for finding in shown.findings[: spec.max_findings]
        ],
        "fixes": [dict(fix) for fix in repairs.fixes[-MAX_FIXES:]],
    }
    return _bounded(document, conditions, previous, generation, now)


def invalid(problem: str, generation: int, previous: Mapping[str, Any], now: float) -> Document:
    """The last report, standing, beside the reason why the present spec cannot be followed."""
    return _standing(Condition("Ready", "False", INVALID_SPEC, problem[:4096]), generation, previous, now)


def syncing(generation: int, previous: Mapping[str, Any], now: float) -> Document:
    """The last report, if any, while the first lists are still being read."""
    return _standing(
        Condition("Ready", "False", SYNCING, "the objects of the cluster are being listed"), generation, previous, now
    )


def first_sights(document: Mapping[str, Any]) -> Iterator[tuple[Finding, float]]:
    """The findings that a status names, as far as they can be told from it, and when each was first seen.

    They outlive the operator that wrote them: whoever reads the status after a restart goes on from there.
    """
    for entry in document.get("findings") or ():
        subject, seen = entry.get("object") or {}, parse_time(entry.get("firstSeen"))
        kind = kinds.of_api_version(subject.get("apiVersion", ""), subject.get("kind", ""))
        if kind is None or seen is None:
            continue
        yield (
            Finding(
                id=entry["id"],
                invariant=entry["invariant"],
                family="",
                severity=entry["severity"],
                category=entry["category"],
                subject=Ref(kind, subject.get("namespace", ""), subject.get("name", "")),
                api_version=subject["apiVersion"],
                at=entry.get("at", ""),
                message=entry["message"],
                symptom=entry.get("symptom", ""),
                first_seen=seen,
                state=entry["state"],
            ),
            seen,
        )


def says_the_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two statuses differ in nothing but how many judgements are kept in step, which is not worth a write."""
    return bool(_essence(one) == _essence(other))


def canonical(document: Any) -> Any:
    """A document without what an API server drops or may drop: nulls, and lists and texts that are empty."""
    if isinstance(document, Mapping):
        kept = {key: canonical(value) for key, value in document.items()}
        return {key: value for key, value in kept.items() if value is not None and value != [] and value != ""}
    if isinstance(document, list | tuple):
        return [canonical(item) for item in document]
    return document


def shorten(text: str, limit: int = MAX_TEXT) -> str:
    """The text, cut to at most ``limit`` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch as Kubernetes writes a time."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _essence(document: Mapping[str, Any]) -> Any:
    coverage = {**(document.get("coverage") or {}), "judged": 0}
    return canonical({**document, "coverage": coverage})


def _healthy(shown: Report, coverage: Coverage) -> Condition:
    summary = shown.summary
    if not shown.is_healthy:
        counts = f"{_count(summary.errors, 'error')} and {_count(summary.warnings, 'warning')}"
        explained = f"; {summary.consequences} of all findings follow from others" if summary.consequences else ""
        return Condition("Healthy", "False", FINDINGS_ACTIVE, counts + explained)
    if coverage.unreadable:
        return Condition(
            "Healthy", "Unknown", KINDS_UNREADABLE, f"nothing is known to be violated, but {_gaps(coverage)}"
        )
    unknown = f"; {_count(summary.unknown, 'judgement')} could not be made" if summary.unknown else ""
    return Condition("Healthy", "True", EVERYTHING_HOLDS, f"no error and no warning is active{unknown}")


def _ready(coverage: Coverage) -> Condition:
    if coverage.unreadable:
        return Condition("Ready", "False", KINDS_UNREADABLE, _gaps(coverage))
    return Condition("Ready", "True", JUDGED, "this generation was judged and every needed kind was read")


def _remediating(spec: Spec) -> Condition:
    mode = spec.remediation.mode
    if mode == "Apply":
        return Condition("Remediating", "Unknown", "NotStarted", "no fix has been considered yet")
    words = {"Report": "fixes are neither proposed nor applied", "Propose": "fixes are proposed and not applied"}
    return Condition("Remediating", "False", f"Mode{mode}", words[mode])


def _gaps(coverage: Coverage) -> str:
    gaps = [f"{kind} ({state})" for kind, state in sorted(coverage.unreadable.items())]
    more = f" and {len(gaps) - 10} more" if len(gaps) > 10 else ""
    return f"these kinds cannot be read: {', '.join(gaps[:10])}{more}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _carried(previous: Mapping[str, Any]) -> Repairs:
    fixed = (previous.get("summary") or {}).get("fixed", 0)
    return Repairs(fixes=tuple(previous.get("fixes") or ()), fixed=fixed)


def _dated(conditions: Sequence[Condition], previous: Mapping[str, Any], generation: int, now: float) -> list[Document]:
    before = {entry.get("type"): entry for entry in previous.get("conditions") or ()}
    dated = []
    for condition in sorted(conditions):
        old = before.get(condition.type, {})
        flipped = old.get("status") != condition.status
        dated.append(
            {
                **condition._asdict(),
                "observedGeneration": generation,
                "lastTransitionTime": rfc3339(now) if flipped else old.get("lastTransitionTime") or rfc3339(now),
            }
        )
    return dated


def _standing(ready: Condition, generation: int, previous: Mapping[str, Any], now: float) -> Document:
    kept = [entry for entry in previous.get("conditions") or () if entry.get("type") != "Ready"]
    new = [ready]
    if not any(entry.get("type") == "Healthy" for entry in kept):
        new.append(Condition("Healthy", "Unknown", ready.reason, "there is no report yet"))
    conditions = [*kept, *_dated(new, previous, generation, now)]
    return {
        **previous,
        "observedGeneration": generation,
        "conditions": sorted(conditions, key=lambda entry: str(entry.get("type"))),
    }


def _finding(finding: Finding, reasons: Mapping[str, str] | None) -> Document:
    document: Document = {
        "id": finding.id,
        "invariant": finding.invariant,
        "severity": str(finding.severity),
        "category": finding.category,
        "state": finding.state,
        "object": _object(finding.subject, finding.api_version),
        "at": shorten(finding.at),
        "message": shorten(finding.message),
        "symptom": shorten(finding.symptom),
        "verify": shorten(finding.verify or ""),
        "cause": finding.cause or "",
        "firstSeen": rfc3339(finding.first_seen),
    }
    if reasons is not None and finding.fix is not None:
        document["fix"] = _fix(finding.fix, reasons.get(finding.id, ""))
    return {key: value for key, value in document.items() if value != ""}


def _object(ref: Ref, api_version: str = "") -> Document:
    document = {"apiVersion": api_version or ref.kind.api_version, "kind": ref.kind.name, "name": ref.name}
    return document | ({"namespace": ref.namespace} if ref.namespace else {})


def _fix(fix: Fix, because: str) -> Document:
    document: Document = {"title": shorten(fix.title), "safety": fix.safety}
    if because:
        document["because"] = shorten(because)
    if fix.target is not None:
        document["target"] = _object(fix.target)
    if is_shareable(fix):
        document |= {"patch": list(msgspec.to_builtins(fix.patch))} if fix.patch else {}
        document |= {"create": fix.create} if fix.create else {}
    return document


_CONFIDENTIAL = frozenset({"env", "envFrom", "args", "command", "data", "binaryData", "stringData"})


def is_shareable(fix: Fix) -> bool:
    """Whether a fix may stand in a status with its patch, as more people read it than may read the object itself.

    Environments, arguments and configuration carry passwords and tokens; long patches do not belong there either.
    """
    return (
        not any(_is_confidential(operation.path.split("/"), operation.value) for operation in fix.patch)
        and not _is_confidential((), fix.create)
        and len(fix.patch) <= MAX_OPERATIONS
        and len(msgspec.json.encode((fix.patch, fix.create))) <= MAX_PATCH_BYTES
    )


def _is_confidential(path: Iterable[str], value: object) -> bool:
    if not _CONFIDENTIAL.isdisjoint(path):
        return True
    if isinstance(value, Mapping):
        return any(_is_confidential((key,), inner) for key, inner in value.items())
    return isinstance(value, list | tuple) and any(_is_confidential((), inner) for inner in value)


def _bounded(
    document: Document, conditions: Sequence[Condition], previous: Mapping[str, Any], generation: int, now: float
) -> Document:
    """The document below the size that can be stored, with a condition that says so where it had to shrink."""
    total = len(document["findings"])
    while len(msgspec.json.encode(document)) > MAX_BYTES and document["findings"]:
        kept = document["findings"][: len(document["findings"]) // 2]
        said = Condition(
            "Truncated", "True", "StatusTooLarge", f"only {len(kept)} of {total} findings fit; see /findings for all"
        )
        conditions_now = _dated([*conditions, said], previous, generation, now)
        document = {**document, "findings": kept, "conditions": conditions_now}
    return document
