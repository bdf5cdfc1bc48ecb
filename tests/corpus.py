"""Published manifests, scanned: ``make corpus`` prints the table; test_corpus.py asserts it.

The manifests are not part of the project. They are looked for in ../shared/corpus, or where CORPUS points.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

from platform_health.findings import Finding
from platform_health.invariants import discover
from platform_health.reporting.report import Scope
from platform_health.scanning import scan_files
from platform_health.sources.manifests import SUFFIXES, Manifests

CORPUS = Path(os.environ.get("CORPUS", Path(__file__).parent.parent.parent / "shared" / "corpus"))


class Defect(NamedTuple):
    """One line of an EXPECTED.yaml."""

    subject: str
    invariant: str
    severity: str

    @property
    def is_covered(self) -> bool:
        """Whether an invariant for it exists here."""
        return self.invariant in {entry.name for entry in discover()}


class Outcome(NamedTuple):
    """One scenario, scanned."""

    scenario: Path
    findings: tuple[Finding, ...]
    unreadable: tuple[str, ...]
    defects: tuple[Defect, ...]

    @property
    def name(self) -> str:
        """Repository and scenario."""
        return f"{self.scenario.parent.name}/{self.scenario.name}"

    def of(self, severity: str) -> list[Finding]:
        """The findings of one severity."""
        return [finding for finding in self.findings if finding.severity == severity]

    def is_found(self, defect: Defect) -> bool:
        """Whether a finding says what EXPECTED.yaml says."""
        return any((entry.invariant, subject(entry)) == (defect.invariant, defect.subject) for entry in self.findings)

    def unexpected(self) -> list[Finding]:
        """Errors that no expected defect explains."""
        known = {(defect.invariant, defect.subject) for defect in self.defects}
        return [entry for entry in self.of("error") if (entry.invariant, subject(entry)) not in known]


def subject(finding: Finding) -> str:
    """``Kind/namespace/name`` as EXPECTED.yaml writes it."""
    ref = finding.subject
    return f"{ref.kind}/{ref.namespace}/{ref.name}"


def scenarios(side: str) -> list[Path]:
    """The scenario folders of ``clean`` or ``broken``."""
    return sorted(path for path in CORPUS.glob(f"{side}/*/*") if path.is_dir())


def scan(scenario: Path) -> Outcome:
    """Scans one scenario."""
    manifests = Manifests()
    for file in sorted(scenario.rglob("*")):
        if file.suffix in SUFFIXES and file.name != "EXPECTED.yaml":
            manifests.read(file)
    result, _ = scan_files(manifests, Scope())
    return Outcome(
        scenario,
        result.report.findings,
        tuple(f"{entry.file}:{entry.line}: {entry.because}" for entry in result.unreadable),
        tuple(_defects(scenario / "EXPECTED.yaml")),
    )


def _defects(path: Path) -> list[Defect]:
    """Read by line: the sentences in it are not always valid YAML."""
    if not path.exists():
        return []
    defects = []
    for block in re.split(r"^- ", path.read_text(), flags=re.MULTILINE)[1:]:
        fields = dict(re.findall(r"^\s*(object|invariant|severity): *([^\s#]+)", block, flags=re.MULTILINE))
        defects.append(Defect(fields["object"], fields.get("invariant", "null"), fields.get("severity", "")))
    return defects


def main() -> int:
    """Prints the table; 1 where something is missed or untrue."""
    if not CORPUS.is_dir():
        print(f"no published manifests at {CORPUS}; set CORPUS to a folder with clean/ and broken/")
        return 0
    failed = 0
    print(f"{'scenario':<58} {'errors':>6} {'warnings':>8} {'hints':>6}")
    for side in ("clean", "broken"):
        for outcome in map(scan, scenarios(side)):
            counts = [len(outcome.of(severity)) for severity in ("error", "warning", "info")]
            print(f"{side + '/' + outcome.name:<58} {counts[0]:>6} {counts[1]:>8} {counts[2]:>6}")
            shown = outcome.unexpected() + outcome.of("warning")
            for finding in shown:
                print(f"    {finding.severity} {finding.invariant} {finding.subject}: {finding.message}")
            for because in outcome.unreadable:
                print(f"    unreadable {because}")
            for defect in outcome.defects:
                state = "found" if outcome.is_found(defect) else "MISSED" if defect.is_covered else "not covered"
                print(f"    {state}: {defect.invariant} {defect.subject}")
                failed += state == "MISSED"
            failed += len(outcome.unexpected()) + len(outcome.unreadable)
    print(f"{failed} missed, untrue or unreadable" if failed else "nothing missed, nothing untrue")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
