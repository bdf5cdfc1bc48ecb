"""One scan: read, judge, report. What ``platform-health scan`` does between its flags and its output."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial

from platform_health.engine import Engine
from platform_health.findings import Finding, findings, unclear
from platform_health.invariants import discover
from platform_health.inventory import Inventory
from platform_health.knowledge import FileKnowledge
from platform_health.reporting.report import Scope, report
from platform_health.reporting.scan import Place, Scan
from platform_health.sources.manifests import Manifests


def judged(manifests: Manifests, *, closed_world: bool = False, now: float | None = None) -> Engine:
    """An engine that has judged everything in ``manifests``; ``now`` overrides the newest time in a dump."""
    knowledge = FileKnowledge(closed_world=closed_world)
    moment = now if now is not None else manifests.newest or time.time()
    inventory = Inventory(knowledge, lambda: moment)
    manifests.fill(inventory, knowledge)
    engine = Engine(inventory, discover())
    engine.refresh()
    return engine


def scan_files(
    manifests: Manifests, scope: Scope, *, closed_world: bool = False, now: float | None = None
) -> tuple[Scan, Engine]:
    """The report on some manifests, and the engine for whoever wants to predict fixes."""
    engine = judged(manifests, closed_world=closed_world, now=now)
    inventory, judgements = engine.inventory, engine.notable.values()
    today = datetime.fromtimestamp(inventory.now, UTC).date()
    shown = report(findings(judgements), unclear(judgements), scope, inventory, inventory.now, today)
    scan = Scan(
        report=shown,
        unreadable=tuple(manifests.unreadable),
        skipped=tuple(manifests.skipped),
        objects=manifests.count,
        judged=engine.judged,
        place=partial(place, manifests),
    )
    return scan, engine


def place(manifests: Manifests, finding: Finding) -> Place | None:
    """Where a finding stands in the files."""
    origin = manifests.origins.get(finding.subject)
    return Place(origin.text.name, origin.line_of(finding.at)) if origin else None
