"""The result of one scan: a report together with what was read and what could not be."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from platform_health.findings import Finding
from platform_health.knowledge import Skipped, Unreadable
from platform_health.reporting.report import Report


class Place(NamedTuple):
    """A file and a 1-based line in it."""

    file: str
    line: int


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """A report, and where its findings were read from (``place`` answers None outside files)."""

    report: Report
    unreadable: tuple[Unreadable, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    objects: int = 0
    judged: int = 0
    place: Callable[[Finding], Place | None] = lambda finding: None
    introduced: frozenset[str] | None = None
    """Ids of the findings that an overlay brings; None where there is no overlay to compare."""
    fixed: tuple[Finding, ...] = ()
    """Findings of the cluster that an overlay heals."""

    def compared_to(self, before: Scan) -> Scan:
        """This scan, knowing what it introduces and what it heals in comparison to an earlier one."""
        old = {finding.id: finding for finding in before.report.findings}
        new = {finding.id for finding in self.report.findings}
        return msgspec.structs.replace(
            self,
            introduced=frozenset(new - old.keys()),
            fixed=tuple(finding for key, finding in old.items() if key not in new),
        )
