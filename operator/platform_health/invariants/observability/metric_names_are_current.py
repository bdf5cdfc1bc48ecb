"""MetricNamesAreCurrent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from platform_health.domain.metrics import NEEDS, Drop, Emitters, dead
from platform_health.domain.queries import Use, uses
from platform_health.domain.renaming import renamed
from platform_health.invariant import ERROR, WARNING, Inventory, Violation, invariant
from platform_health.views.core import ConfigMap
from platform_health.views.files import DashboardFile
from platform_health.views.grafana import GrafanaDashboard
from platform_health.views.monitoring import PrometheusRule
from platform_health.views.scaling import HorizontalPodAutoscaler, ScaledObject

Asking = ConfigMap | GrafanaDashboard | DashboardFile | PrometheusRule | ScaledObject | HorizontalPodAutoscaler

SYMPTOMS = {
    "panel": "the panel stays empty",
    "alert": "the alert can never fire",
    "record": "the recorded series stays empty",
    "scaler": "the workload stays at its minimum of replicas, whatever the load",
    "adapter": "autoscalers get no value for this metric",
}


@invariant(
    severity=WARNING,
    symptom="empty panels, dead alerts, no scaling",
    category="observability",
    needs=NEEDS,
    fixes=(ConfigMap, GrafanaDashboard, PrometheusRule, ScaledObject),
)
def metric_names_are_current(subject: Asking, inventory: Inventory) -> Iterator[Violation]:
    """No query asks only for metrics that every running engine has dropped.

    Why: model servers and endpoint pickers rename metrics. A query for a name that nobody emits any more is not an
    error anywhere: a panel stays empty, an alert never fires, and an autoscaler reads 0 and keeps the workload at its
    minimum. Judged only where the version of every engine that could emit the name is known from its official image.

    Remedy: ask for the new name. Where it has the same samples the text is replaced automatically; hit rates and
    throughputs became counters and need another query.

    See: vLLM, `docs/usage/metrics.md` and `--show-hidden-metrics-for-version`.
    """
    if isinstance(subject, ScaledObject) and subject.is_paused:
        return
    found: dict[tuple[str, str], list[tuple[Use, Drop]]] = defaultdict(list)
    emitters = Emitters(inventory)
    for use in uses(subject):
        with inventory.part():
            for drop in dead(use.expr, emitters):
                found[use.text.key if use.text else use.title, drop.retired.name].append((use, drop))
    fixable = renamed(subject, [entry for entries in found.values() for entry in entries])
    for (place, name), entries in found.items():
        use, drop = entries[0]
        is_loud = any(entry.role in ("alert", "scaler", "adapter") for entry, _ in entries)
        yield Violation(
            at=use.at,
            about=f"{place}: {name}",
            because=f"{_titles(entries)} for {drop.name}, {drop.because}",
            severity=ERROR if is_loud else WARNING,
            symptom=SYMPTOMS[use.role],
            fix=fixable.get(name),
        )


def _titles(entries: list[tuple[Use, Drop]]) -> str:
    titles = list(dict.fromkeys(use.title for use, _ in entries))
    more = f" and {len(titles) - 3} more" if len(titles) > 3 else ""
    return f"{', '.join(titles[:3])}{more} {'ask' if len(titles) > 1 else 'asks'}"
