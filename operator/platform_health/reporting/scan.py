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
