"""MonitorPortExists."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.exporters import metrics_ports
from platform_health.domain.monitoring import (
    READERS,
    asked_port,
    declared_ports,
    is_complete,
    is_found_in_pod,
    is_found_in_service,
    names_match,
    pods_of_monitor,
    port_names,
    services_of,
)
from platform_health.domain.selection import pods_of_service
from platform_health.invariant import (
    ERROR,
    WARNING,
    Fix,
    Inventory,
    Operation,
    Path,
    Unknown,
    Violation,
    invariant,
    nearest,
    pointer,
)
from platform_health.views.core import Pod, Service
from platform_health.views.monitoring import Endpoint, PodMonitor, ServiceMonitor
from platform_health.views.networking import EndpointSlice


@invariant(
    severity=ERROR,
    symptom="no data: Prometheus finds no target for this endpoint",
    category="observability",
    needs=(*READERS, Service, EndpointSlice),
    fixes=(ServiceMonitor, PodMonitor),
)
def monitor_port_exists(monitor: ServiceMonitor | PodMonitor, inventory: Inventory) -> Iterator[Violation]:
    """Every port that a monitor asks for exists on a Service, or on a pod, that it matches.

    Why: `port` is a regular expression on port *names*. Where no matched Service (for a PodMonitor: no container) has
    such a port, the endpoint yields no targets, silently. All matched Services count together: one may serve one
    endpoint, another the next.

    Remedy: correct `port`. It is corrected automatically where exactly one named port leads to a port on which a
    recognised server serves its metrics. A Service port without a name cannot be scraped by name: name it.

    See: prometheus-operator, `Endpoint.port`.
    """
    found = services_of(monitor, inventory) if isinstance(monitor, ServiceMonitor) else []
    pods = pods_of_monitor(monitor, inventory) if isinstance(monitor, PodMonitor) else []
    if not found and not pods:
        return
    dead: list[tuple[Path, Endpoint]] = []
    for at, endpoint in monitor.endpoints():
        with inventory.part():
            in_pods = any(is_found_in_pod(endpoint, pod) for pod in pods)
            if not in_pods and not _is_in_services(endpoint, found, inventory):
                is_complete(monitor, inventory)
                dead.append((at, endpoint))
    for at, endpoint in dead:
        names = _names(found, pods)
        yield Violation(
            at=at / asked_port(endpoint)[0],
            about=str(asked_port(endpoint)[1]),
            because=f"no port {asked_port(endpoint)[1]} on {_matched(found, pods)}, found {_shown(names)}",
            nearest=nearest(endpoint.port, names),
            severity=ERROR if len(dead) == len(list(monitor.endpoints())) else WARNING,
            related=tuple(view.ref for view in (*found, *pods)[:3]),
            fix=_correction(monitor, at, endpoint, found, pods, inventory),
        )


def _is_in_services(endpoint: Endpoint, services: list[Service], inventory: Inventory) -> bool:
    gap: Unknown | None = None
    for service in services:
        try:
            if is_found_in_service(endpoint, service, inventory):
                return True
        except Unknown as unknown:
            gap = unknown
    if gap is not None:
        raise gap
    return False


def _names(services: list[Service], pods: list[Pod]) -> list[str]:
    found = [name for service in services for name in port_names(service)]
    return sorted({*found, *(entry.name for pod in pods for entry in declared_ports(pod) if entry.name)})


def _matched(services: list[Service], pods: list[Pod]) -> str:
    matched = [str(view.ref) for view in (*services, *pods)]
    more = f" and {len(matched) - 3} more" if len(matched) > 3 else ""
    return ", ".join(matched[:3]) + more


def _shown(names: list[str]) -> str:
    return ", ".join(names) or "only ports without a name"


def _correction(
    monitor: ServiceMonitor | PodMonitor,
    at: Path,
    endpoint: Endpoint,
    services: list[Service],
    pods: list[Pod],
    inventory: Inventory,
) -> Fix | None:
    """The one named port that leads to the metrics of a recognised server, unless another endpoint scrapes it."""
    plain = endpoint.path in ("", "/metrics") and endpoint.scheme.lower() in ("", "http") and not endpoint.params
    if not endpoint.port or not plain:
        return None
    candidates = _candidates(services, pods, inventory)
    taken = [other.port for _, other in monitor.endpoints() if other is not endpoint]
    if len(candidates) != 1 or any(not port or names_match(port, candidates) for port in taken):
        return None
    (name,) = candidates
    field, _, index = at.removeprefix("spec.").rstrip("]").partition("[")
    return Fix(
        title=f"scrape port {name}, where the server serves /metrics",
        safety="safe",
        target=monitor.ref,
        patch=(Operation("replace", pointer("spec", field, index, "port"), name),),
    )


def _candidates(services: list[Service], pods: list[Pod], inventory: Inventory) -> set[str]:
    found = {entry.name for pod in pods for entry in declared_ports(pod) if entry.container_port in metrics_ports(pod)}
    for service in services:
        try:
            behind = pods_of_service(service, inventory)
        except Unknown:
            continue
        found |= {
            entry.name
            for entry in service.spec.ports
            if any(pod.port_number(entry.target) in metrics_ports(pod) for pod in behind)
        }
    return found - {""} if "" not in found else set()
