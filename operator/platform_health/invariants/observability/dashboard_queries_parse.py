"""DashboardQueriesParse."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.documents.dashboard import Query, dashboards
from platform_health.domain import promql
from platform_health.domain.queries import is_surely_prometheus, prometheus_queries
from platform_health.invariant import WARNING, Inventory, Unknown, Violation, invariant
from platform_health.views.core import ConfigMap
from platform_health.views.files import DashboardFile
from platform_health.views.grafana import GrafanaDashboard
from platform_health.views.telemetry import VMAgent


@invariant(
    severity=WARNING,
    symptom="the panel shows an error instead of data",
    category="observability",
    needs=(VMAgent,),
)
def dashboard_queries_parse(
    subject: ConfigMap | GrafanaDashboard | DashboardFile, inventory: Inventory
) -> Iterator[Violation]:
    """Every Prometheus query of a dashboard is valid PromQL once its variables are replaced.

    Why: Grafana stores any text; only when the panel is shown does Prometheus answer `400 bad_data: parse error`.

    Remedy: correct the query; `promtool promql format` says where it breaks.

    See: Prometheus, querying basics; Grafana, global variables.
    """
    for text, dashboard in dashboards(subject):
        for query in prometheus_queries(dashboard):
            with inventory.part():
                because = _because(query, is_surely_prometheus(query, dashboard))
                if because is not None and inventory.modifying(VMAgent):
                    raise Unknown("VictoriaMetrics takes queries that Prometheus does not")
                if because is not None:
                    yield Violation(
                        at=text.within(query.at),
                        about=f"{text.key}: {query.panel}: {query.expr}",
                        because=f"the query of panel {query.panel!r} is no valid PromQL: {because}",
                    )


def _because(query: Query, is_sure: bool) -> str | None:
    found = promql.parse(query.expr)
    if not isinstance(found, promql.Invalid):
        return None
    if promql.has_loose_variables(query.expr):
        raise Unknown(f"a variable of panel {query.panel!r} may stand for any piece of a query")
    if promql.may_be_dialect(query.expr, found):
        raise Unknown(f"the query of panel {query.panel!r} may be valid in a newer Prometheus or in VictoriaMetrics")
    if not is_sure:
        raise Unknown(f"the query of panel {query.panel!r} may be of another language than PromQL")
    return " ".join(found.because.split())[:120]
