"""The stable, versioned JSON of a report; the shape that other formats and baselines are made from."""

from __future__ import annotations

from typing import Any

import msgspec

from platform_health.findings import Finding, Unclear
from platform_health.invariant import Fix
from platform_health.reporting.scan import Scan
from platform_health.views.view import Ref

VERSION = 1


def document(scan: Scan) -> dict[str, Any]:
    """The whole report as plain data."""
    report = scan.report
    return {
        "version": VERSION,
        "summary": {**msgspec.structs.asdict(report.summary), "skipped": len(scan.skipped)},
        "findings": [finding(entry, scan) for entry in report.findings],
        "ignored": [{**finding(entry.finding, scan), "reason": entry.reason} for entry in report.ignored],
        "unknown": [_unclear(entry) for entry in report.unknown],
        "unreadable": [msgspec.structs.asdict(entry) for entry in scan.unreadable],
        "skipped": [msgspec.structs.asdict(entry) for entry in scan.skipped],
        **({"fixed": [finding(entry) for entry in scan.fixed]} if scan.introduced is not None else {}),
    }


def render(scan: Scan) -> str:
    """The report as indented JSON text."""
    return msgspec.json.format(msgspec.json.encode(document(scan)), indent=2).decode() + "\n"


def finding(entry: Finding, scan: Scan | None = None) -> dict[str, Any]:
    """One finding; with file and line where it was read from a file."""
    place = scan.place(entry) if scan else None
    change = {} if scan is None or scan.introduced is None else {"change": _change(entry, scan.introduced)}
    return {
        "id": entry.id,
        "invariant": entry.invariant,
        "severity": str(entry.severity),
        "category": entry.category,
        "state": entry.state,
        "object": reference(entry.subject, entry.api_version),
        "at": entry.at,
        "message": entry.message,
        "symptom": entry.symptom,
        "cause": entry.cause,
        "verify": entry.verify,
        "related": [reference(ref) for ref in entry.related],
        "file": place.file if place else None,
        "line": place.line if place else None,
        "fix": fix(entry.fix) if entry.fix else None,
        **change,
    }


def _change(entry: Finding, introduced: frozenset[str]) -> str:
    return "introduced" if entry.id in introduced else "unchanged"


def fix(entry: Fix) -> dict[str, Any]:
    """One fix as data."""
    shown: dict[str, Any] = {"title": entry.title, "safety": entry.safety}
    if entry.target is not None:
        shown["target"] = reference(entry.target)
    if entry.create is not None:
        shown["create"] = entry.create
    elif entry.patch:
        shown["patch"] = msgspec.to_builtins(entry.patch)
    return shown


def reference(ref: Ref, api_version: str = "") -> dict[str, str]:
    """A reference as Kubernetes writes it."""
    return {
        "apiVersion": api_version or ref.kind.api_version,
        "kind": ref.kind.name,
        "namespace": ref.namespace,
        "name": ref.name,
    }


def _unclear(entry: Unclear) -> dict[str, Any]:
    return {
        "invariant": entry.invariant,
        "object": reference(entry.subject, entry.api_version),
        "because": entry.because,
    }
