"""One scan: read, judge, report. What ``platform-health scan`` does between its flags and its output."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial

from platform_health.engine import Engine
from platform_health.findings import Finding, findings, unclear
from platform_health.invariants import discover
from platform_health.inventory import Inventory
from platform_health.knowledge import ClusterKnowledge, FileKnowledge, Unreadable
from platform_health.reporting.report import Scope, report
from platform_health.reporting.scan import Place, Scan
from platform_health.sources.manifests import Manifests
from platform_health.views.view import View


def judged(manifests: Manifests, *, closed_world: bool = False, now: float | None = None) -> Engine:
    """An engine that has judged everything in ``manifests``; ``now`` overrides the newest time in a dump."""
    knowledge = FileKnowledge(closed_world=closed_world)
    moment = now if now is not None else manifests.newest or time.time()
    inventory = Inventory(knowledge, lambda: moment, is_snapshot=now is None, oldest=manifests.oldest)
    manifests.fill(inventory, knowledge)
    engine = Engine(inventory, discover())
    engine.refresh()
    return engine


def scan_files(
    manifests: Manifests, scope: Scope, *, closed_world: bool = False, now: float | None = None
) -> tuple[Scan, Engine]:
    """The report on some manifests, and the engine for whoever wants to predict fixes."""
    engine = judged(manifests, closed_world=closed_world, now=now)
    return _scan(engine, scope, manifests.count, manifests, tuple(manifests.unreadable)), engine


def scan_cluster(
    views: Iterable[View],
    knowledge: ClusterKnowledge,
    scope: Scope,
    overlay: Manifests,
    *,
    now: float | None = None,
) -> Scan:
    """The report on a live cluster, with ``overlay`` laid over it as if it had been applied.

    Where there is an overlay, the report says of every finding whether it is there already, and which ones would go.
    """
    moment = time.time() if now is None else now
    inventory = Inventory(knowledge, lambda: moment)
    count = 0
    for view in views:
        inventory.put(view)
        count += 1
    engine = Engine(inventory, discover())
    engine.refresh()
    unreadable = (
        *overlay.unreadable,
        *(Unreadable(because, kind=kind.resource) for kind, because in knowledge.unreadable().items()),
    )
    if not overlay.objects:
        return _scan(engine, scope, count + overlay.count, overlay, unreadable)
    before = _scan(engine, scope, count, overlay, ())
    for view in overlay.objects.values():
        inventory.put(view)
    engine.refresh()
    return _scan(engine, scope, count + overlay.count, overlay, unreadable).compared_to(before)


def _scan(engine: Engine, scope: Scope, objects: int, manifests: Manifests, unreadable: tuple[Unreadable, ...]) -> Scan:
    inventory, judgements = engine.inventory, engine.notable.values()
    today = datetime.fromtimestamp(inventory.now, UTC).date()
    return Scan(
        report=report(findings(judgements), unclear(judgements), scope, inventory, inventory.now, today),
        unreadable=unreadable,
        skipped=tuple(manifests.skipped),
        objects=objects,
        judged=engine.judged,
        place=partial(place, manifests),
    )


def place(manifests: Manifests, finding: Finding) -> Place | None:
    """Where a finding stands in the files."""
    origin = manifests.origins.get(finding.subject)
    return Place(origin.text.name, origin.line_of(finding.at)) if origin else None
