"""DashboardWindowShowsData."""

from __future__ import annotations

import re
from collections.abc import Iterator

from platform_health.documents.dashboard import Dashboard, dashboards
from platform_health.documents.texts import Text
from platform_health.domain import promql
from platform_health.domain.durations import seconds
from platform_health.domain.queries import prometheus_queries
from platform_health.domain.scraping import shortest_interval
from platform_health.invariant import INFO, Inventory, Violation, invariant
from platform_health.views.core import ConfigMap
from platform_health.views.files import DashboardFile
from platform_health.views.grafana import GrafanaDashboard
from platform_health.views.monitoring import PodMonitor, Prometheus, ServiceMonitor

AMPLE = 120.0
"""Seconds that hold two samples whatever the interval, within reason."""
_RELATIVE = re.compile(r"now-(\d+[smhdw])(?:/[smhdw])?\Z")


@invariant(
    severity=INFO,
    symptom="panels stay empty although data is collected",
    category="observability",
    needs=(Prometheus, ServiceMonitor, PodMonitor),
)
def dashboard_window_shows_data(
    subject: ConfigMap | GrafanaDashboard | DashboardFile, inventory: Inventory
) -> Iterator[Violation]:
    """A dashboard's default time window and the ranges of its rates are long enough to hold two samples.

    Why: `rate(x[30s])` needs two samples within 30 seconds. With a scrape every 30 seconds it mostly has one and
    returns nothing. A window that is fixed to dates of the past shows what was there when the dashboard was exported.

    Remedy: use `$__rate_interval`, or a range of four scrape intervals; let the window end now.

    See: Grafana, `$__rate_interval`.
    """
    for text, dashboard in dashboards(subject):
        yield from _fixed(text, dashboard)
        with inventory.part():
            yield from _short(text, dashboard, inventory)


def _fixed(text: Text, dashboard: Dashboard) -> Iterator[Violation]:
    start, end = dashboard.window
    if start and end and not start.startswith("now") and not end.startswith("now") and "$" not in start + end:
        yield Violation(
            at=text.within(dashboard.root / "time" / "from"),
            about=f"{text.key}: window",
            because=f"the default window is fixed from {start} to {end}, so that new data is not shown",
        )


def _short(text: Text, dashboard: Dashboard, inventory: Inventory) -> Iterator[Violation]:
    ranges = [(query, found) for query in prometheus_queries(dashboard) for found in promql.rate_ranges(query.expr)]
    relative = _RELATIVE.match(dashboard.window[0]) if dashboard.window[1] == "now" else None
    window = seconds(relative[1]) if relative else None
    if not ranges and window is None:
        return
    if all(found >= AMPLE for _, found in ranges) and (window is None or window >= AMPLE):
        return
    least = 2 * shortest_interval(inventory)
    if window is not None and window < least:
        yield Violation(
            at=text.within(dashboard.root / "time" / "from"),
            about=f"{text.key}: window",
            because=f"the default window is {window:.0f} s, while targets are scraped every {least / 2:.0f} s at best",
        )
    for query, found in ranges:
        if found < least:
            yield Violation(
                at=text.within(query.at),
                about=f"{text.key}: {query.panel}: {query.expr}",
                because=f"panel {query.panel!r} takes a rate over {found:.0f} s, while targets are scraped every "
                f"{least / 2:.0f} s at best",
            )
