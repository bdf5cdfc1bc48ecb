"""DashboardKeepsLegendLabels."""

from __future__ import annotations

import re
from collections.abc import Iterator

from platform_health.documents.dashboard import Query, dashboards
from platform_health.domain.promql import output_labels
from platform_health.domain.queries import prometheus_queries
from platform_health.invariant import WARNING, Inventory, Violation, invariant, nearest
from platform_health.views.core import ConfigMap
from platform_health.views.files import DashboardFile
from platform_health.views.grafana import GrafanaDashboard

_LABEL = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


@invariant(
    severity=WARNING,
    symptom="the legend shows empty names, and series that differ in the label are one",
    category="observability",
)
def dashboard_keeps_legend_labels(
    subject: ConfigMap | GrafanaDashboard | DashboardFile, inventory: Inventory
) -> Iterator[Violation]:
    """A legend only shows labels that its query keeps.

    Why: `sum by (le)` leaves no other label than `le`. A legend of `{{pod}}` is then empty, and what was meant as one
    line per pod is a single one. Nothing says so.

    Remedy: add the label to the `by` clause, or take it out of the legend.

    See: Prometheus, aggregation operators.
    """
    for text, dashboard in dashboards(subject):
        for query in prometheus_queries(dashboard):
            kept = output_labels(query.expr) if query.legend and query.format != "table" else None
            for label in _missing(query, kept):
                assert kept is not None
                yield Violation(
                    at=text.within(query.legend_at),
                    about=f"{text.key}: {query.panel}: {query.expr}: {label}",
                    because=f"panel {query.panel!r} shows {label} in its legend, but the query keeps "
                    f"{', '.join(sorted(kept)) or 'no label'}",
                    nearest=nearest(label, kept),
                )


def _missing(query: Query, kept: frozenset[str] | None) -> list[str]:
    if kept is None:
        return []
    return [label for label in dict.fromkeys(_LABEL.findall(query.legend)) if label not in kept | {"__name__"}]
