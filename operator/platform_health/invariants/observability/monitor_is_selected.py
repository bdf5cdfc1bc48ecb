"""MonitorIsSelected."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.exporters import dcgm_exporters
from platform_health.domain.gpu import ASKING, is_asked_for
from platform_health.domain.monitoring import READERS, has_other_reader, look, pods_of_monitor, taking
from platform_health.domain.namespaces import is_opted_out
from platform_health.domain.selecting import labelling, place_of, policy_of, reasons
from platform_health.domain.servers import model_servers
from platform_health.invariant import ERROR, INFO, WARNING, Inventory, Severity, Unknown, Violation, invariant
from platform_health.views.core import Service
from platform_health.views.monitoring import PodMonitor, ServiceMonitor
from platform_health.views.nvidia import ClusterPolicy


@invariant(
    severity=WARNING,
    symptom="no data: dashboards, alerts and scalers that ask for its metrics stay empty",
    category="observability",
    needs=(*READERS, Service, *ASKING, ClusterPolicy),
    fixes=(ServiceMonitor, PodMonitor, ClusterPolicy),
)
def monitor_is_selected(monitor: ServiceMonitor | PodMonitor, inventory: Inventory) -> Iterator[Violation]:
    """Some Prometheus selects every ServiceMonitor and PodMonitor, by its labels and its namespace.

    Why: a Prometheus takes only monitors that its selector matches; charts such as kube-prometheus-stack ask for the
    label `release`. A monitor without it is ignored without an error. An absent selector selects nothing, an empty
    one everything; an absent namespace selector means the Prometheus's own namespace.

    Remedy: add the label. It is added automatically where exactly one Prometheus lacks only labels, none of them is
    there with another value, and no other Prometheus would select the monitor too.

    See: prometheus-operator, `ServiceMonitorSelector`.
    """
    if monitor.status.bindings or is_opted_out(monitor.namespace, inventory):
        return
    seen = look(monitor, inventory)
    if (not seen.selections and not seen.gaps) or taking(seen, monitor.labels):
        return
    policy = policy_of(monitor, inventory)
    if policy and policy.monitor and taking(seen, {**monitor.labels, **policy.monitor.additional_labels}):
        raise Unknown(f"{policy.ref} has yet to give it the labels that are asked for")
    elsewhere = has_other_reader(inventory)
    yield Violation(
        at=place_of(monitor, seen.selections),
        because=f"no Prometheus selects it: {reasons(monitor, seen.selections)}",
        severity=INFO if elsewhere else _severity(monitor, inventory),
        verify="kubectl get prometheus -A -o jsonpath='{range .items[*]}{.metadata.name} {.spec}{\"\\n\"}{end}'",
        fix=None if elsewhere else labelling(monitor, seen, policy),
    )


def _severity(monitor: ServiceMonitor | PodMonitor, inventory: Inventory) -> Severity:
    """An error where a model server goes unwatched, or a GPU exporter whose metrics somebody asks for."""
    try:
        pods = pods_of_monitor(monitor, inventory)
    except Unknown:
        return WARNING
    if any(model_servers(pod) for pod in pods):
        return ERROR
    return ERROR if any(any(dcgm_exporters(pod)) for pod in pods) and is_asked_for(inventory) else WARNING
