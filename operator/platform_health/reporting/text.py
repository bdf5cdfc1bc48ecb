"""The report for people: one paragraph per finding, consequences under their cause, a summary at the end."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.findings import Finding
from platform_health.invariant import Severity
from platform_health.reporting.scan import Scan

_COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.INFO: "36"}


def render(scan: Scan, *, colour: bool = False, verbose: bool = False) -> str:
    """The report as text; ``verbose`` lists every unknown verdict and skipped document instead of counting them."""
    return "\n".join(_lines(scan, colour, verbose)) + "\n"


def _lines(scan: Scan, colour: bool, verbose: bool) -> Iterator[str]:
    report = scan.report
    for finding in report.findings:
        yield from _finding(finding, scan, colour)
        yield ""
    for healed in scan.fixed:
        yield f"{_paint('healed', '32', colour)} {healed.invariant} {healed.subject}"
    for entry in scan.unreadable:
        place = f"{entry.file}:{entry.line}" if entry.line else entry.file or entry.kind
        yield f"{_paint('unreadable', '35', colour)} {place}: {entry.because}"
    if scan.unreadable:
        yield ""
    if verbose:
        for unclear in report.unknown:
            yield f"unknown {unclear.invariant} {unclear.subject}: {unclear.because}"
        for skipped in scan.skipped:
            yield f"skipped {skipped.file}: {skipped.because}"
    yield from _summary(scan)


def _finding(finding: Finding, scan: Scan, colour: bool) -> Iterator[str]:
    indent = "    " if finding.cause else ""
    place = scan.place(finding)
    where = f"{place.file}:{place.line}: " if place else ""
    severity = _paint(str(finding.severity), _COLOURS[finding.severity], colour)
    new = "introduced " if scan.introduced is not None and finding.id in scan.introduced else ""
    yield f"{indent}{where}{new}{severity} {_paint(finding.invariant, '1', colour)} {finding.subject}"
    yield f"{indent}    {finding.message}"
    yield f"{indent}    at      {finding.at}"
    if finding.symptom:
        yield f"{indent}    seen as {finding.symptom}"
    if finding.category == "capacity":
        yield f"{indent}    this is a question of capacity, not a misconfiguration"
    if finding.verify:
        yield f"{indent}    verify  {finding.verify}"
    if finding.fix:
        yield f"{indent}    fix     {finding.fix.title} ({finding.fix.safety})"


def _summary(scan: Scan) -> Iterator[str]:
    report = scan.report
    summary = report.summary
    parts = [_count(summary.errors, "error"), _count(summary.warnings, "warning"), _count(summary.infos, "hint")]
    causes = summary.errors + summary.warnings + summary.infos - summary.consequences
    line = ", ".join(parts)
    if summary.consequences:
        line += f" from {_count(causes, 'cause')}"
    notes = [
        f"{number} {word}"
        for number, word in (
            (summary.unknown, "unknown"),
            (summary.ignored, "ignored"),
            (len(scan.unreadable), "unreadable"),
            (len(scan.skipped), "skipped"),
        )
        if number
    ]
    yield f"{line}; {_count(scan.judged, 'judgement')} about {_count(scan.objects, 'object')}" + (
        f" ({', '.join(notes)})" if notes else ""
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _paint(text: str, code: str, colour: bool) -> str:
    return f"\033[{code}m{text}\033[0m" if colour else text
