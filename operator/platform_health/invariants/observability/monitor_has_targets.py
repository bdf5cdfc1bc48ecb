"""MonitorHasTargets."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.autoscaling import SCALABLE
from platform_health.domain.monitoring import READERS, services_of
from platform_health.domain.selection import pods_of_service
from platform_health.invariant import WARNING, Inventory, Unknown, Violation, invariant
from platform_health.views.apps import CronJob, Job, Workload
from platform_health.views.core import Pod, Service
from platform_health.views.monitoring import ServiceMonitor
from platform_health.views.networking import EndpointSlice
from platform_health.views.view import SPEC, label_term


@invariant(
    severity=WARNING,
    symptom="no data: the monitored Services have no address",
    category="observability",
    needs=(*READERS, Service, Pod, EndpointSlice, *SCALABLE, Job, CronJob),
)
def monitor_has_targets(monitor: ServiceMonitor, inventory: Inventory) -> Iterator[Violation]:
    """Some Service that a ServiceMonitor matches has addresses, ready or not.

    Why: Prometheus scrapes the addresses behind a Service, also those that are not ready. A Service whose selector
    matches no pod has none. A workload scaled to zero, or a finished Job, has none on purpose.

    Remedy: correct the selector of the Service, or see why its pods do not get an address.

    See: Kubernetes, "EndpointSlices".
    """
    services = [service for service in services_of(monitor, inventory) if not service.is_external_name]
    waiting: list[Pod] = []
    if any(service.namespace == "kube-system" for service in services):
        raise Unknown("the control plane in kube-system may be run elsewhere")
    for service in services:
        addressed, pods = _addresses(service, inventory)
        if addressed or _is_idle(service, inventory):
            return
        waiting += pods
    if services:
        names = ", ".join(str(service.ref) for service in services[:3])
        why = f"{len(waiting)} pods have no address yet" if waiting else "no pod matches"
        yield Violation(
            at=SPEC / "selector",
            because=f"{names} {'has' if len(services) == 1 else 'have'} no address: {why}",
            related=tuple(service.ref for service in services[:3]),
            follows=tuple(dict.fromkeys(pod.workload for pod in waiting)),
            verify=f"kubectl get endpointslices -n {services[0].namespace} "
            f"-l kubernetes.io/service-name={services[0].name}",
        )


def _addresses(service: Service, inventory: Inventory) -> tuple[bool, list[Pod]]:
    """Whether a Service has addresses, and its pods that have none; Unknown where that is not shown."""
    term = label_term("kubernetes.io/service-name", service.name)
    slices = inventory.modifying(EndpointSlice, service.namespace, term)
    if any(endpoint.addresses for found in slices for endpoint in found.endpoints):
        return True, []
    if service.selector is None:
        inventory.referring(EndpointSlice, term, service.namespace)
        return False, []
    pods = pods_of_service(service, inventory)
    return any(pod.is_stateless or pod.status.pod_ip for pod in pods), pods


def _is_idle(service: Service, inventory: Inventory) -> bool:
    """Whether the Service belongs to a workload that has no pods on purpose."""
    if service.selector is None:
        return False
    kinds: tuple[type[Workload], ...] = (*SCALABLE, Job, CronJob)
    for kind in kinds:
        for workload in inventory.modifying(kind, service.namespace):
            matched = any(service.selector.matches(template.metadata.labels) for _, template in workload.templates())
            if matched and (isinstance(workload, Job | CronJob) or workload.replicas == 0):
                return True
    return False
