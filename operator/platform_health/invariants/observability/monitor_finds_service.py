"""MonitorFindsService."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.monitoring import READERS, namespaces_of, services_of
from platform_health.invariant import INFO, WARNING, Inventory, Path, Severity, Unknown, Violation, invariant
from platform_health.views.core import Namespace, Service
from platform_health.views.monitoring import ServiceMonitor
from platform_health.views.view import SPEC


@invariant(
    severity=WARNING,
    symptom="no data: Prometheus finds no target for this monitor",
    category="observability",
    needs=(*READERS, Service),
)
def monitor_finds_service(monitor: ServiceMonitor, inventory: Inventory) -> Iterator[Violation]:
    """A ServiceMonitor matches a Service in the namespaces it means.

    Why: `selector` is about the labels of Services, not of pods, and only of Services in the monitor's own namespace
    unless `namespaceSelector` says otherwise.

    Remedy: correct the selector, or the labels of the Service.

    See: prometheus-operator, `ServiceMonitorSpec.selector`.
    """
    if services_of(monitor, inventory):
        return
    places = namespaces_of(monitor, inventory)
    closest = _closest(monitor, places, inventory)
    told = f"; {closest.ref} lacks {', '.join(monitor.spec.selector.misses(closest.labels))}" if closest else ""
    yield Violation(
        at=_place(monitor, closest),
        because=f"no Service in {_shown(places)} matches {monitor.spec.selector}{told}{_confined(monitor, places)}",
        severity=_severity(places, inventory),
        related=(closest.ref,) if closest else (),
        verify=f"kubectl get services {f'-n {places[0]}' if places else '-A'} --show-labels",
    )


def _shown(places: tuple[str, ...] | None) -> str:
    return f"namespace {' and '.join(places)}" if places else "any namespace"


def _confined(monitor: ServiceMonitor, places: tuple[str, ...] | None) -> str:
    selector = monitor.spec.namespace_selector
    asked = selector.any or (selector.match_names and selector.match_names != places)
    return (
        "; its namespaceSelector is ignored, by ignoreNamespaceSelectors of the Prometheus" if asked and places else ""
    )


def _closest(monitor: ServiceMonitor, places: tuple[str, ...] | None, inventory: Inventory) -> Service | None:
    """The Service that lacks least of the selector; only for the message."""
    selector = monitor.spec.selector
    size = len(selector.match_labels) + len(selector.match_expressions)
    near = [service for place in places or (None,) for service in inventory.near(Service, place)]
    scored = [(len(selector.misses(service.labels)), service.namespace, service.name, service) for service in near]
    best = min(scored, key=lambda entry: entry[:3], default=None)
    return best[3] if best is not None and best[0] <= max(1, size - 1) else None


def _place(monitor: ServiceMonitor, closest: Service | None) -> Path:
    selector = monitor.spec.selector
    labels = closest.labels if closest else {}
    wrong = [key for key, value in selector.match_labels.items() if labels.get(key) != value]
    if closest and wrong:
        return SPEC / "selector" / "matchLabels" / wrong[0]
    failing = [index for index, entry in enumerate(selector.match_expressions) if not entry.matches(labels)]
    if closest and failing:
        return SPEC / "selector" / "matchExpressions" / failing[0]
    return SPEC / "selector"


def _severity(places: tuple[str, ...] | None, inventory: Inventory) -> Severity:
    """Only a note where the namespace is not there yet."""
    for place in places or ():
        try:
            is_missing = inventory.named(Namespace, "", place) is None
        except Unknown:
            is_missing = False
        if is_missing:
            return INFO
    return WARNING
