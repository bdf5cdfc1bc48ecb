"""PickerServiceResolves."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.pickers import service_of
from platform_health.domain.pools import TRAFFIC_KINDS, Traffic, traffic
from platform_health.domain.selection import SERVING_WORKLOADS, nearest_pods, pods_of_service, workloads_matching
from platform_health.invariant import ERROR, WARNING, Inventory, Unknown, Violation, invariant, nearest
from platform_health.views.core import Pod, Service
from platform_health.views.inference import InferencePool, LegacyInferencePool, Pool
from platform_health.views.networking import EndpointSlice


@invariant(
    severity=ERROR,
    symptom="HTTP 500 or 503 for every request to the pool: the gateway cannot ask the endpoint picker",
    needs=(Service, Pod, EndpointSlice, *SERVING_WORKLOADS, *TRAFFIC_KINDS),
)
def picker_service_resolves(pool: InferencePool | LegacyInferencePool, inventory: Inventory) -> Iterator[Violation]:
    """The endpoint picker of a pool is a Service that exists and leads to pods.

    Why: the gateway asks the picker about every request. A route stays `ResolvedRefs=True` when the picker's Service is
    missing; only the pool says `ResolvedRefs=False/InvalidExtensionRef`, and requests fail.

    Remedy: correct the name in `endpointPickerRef` (it is looked up in the pool's own namespace), or create the
    Service. A Service of type ExternalName is not supported.

    See: Gateway API Inference Extension, `EndpointPickerRef`; conformance `inferencepool_invalid_epp_service`.
    """
    reference, at = pool.picker, pool.picker_at
    if reference is None:
        yield from _without_picker(pool, inventory)
        return
    if (reference.group, reference.kind) != ("", "Service"):
        return
    name = f"Service {pool.namespace}/{reference.name}"
    service = service_of(pool, inventory)
    verify = f"kubectl get service,endpointslices -n {pool.namespace} {reference.name}"
    if service is None:
        others = (entry.name for entry in inventory.near(Service, pool.namespace))
        near = nearest(reference.name, others)
        yield Violation(at=at / "name", because=f"{name} does not exist", nearest=near, verify=verify)
    elif service.is_external_name:
        because = f"{name} is an ExternalName Service, which cannot be a picker"
        yield Violation(at=at / "name", because=because, verify=verify, related=(service.ref,))
    else:
        because = _why_without_pods(service, inventory)
        if because:
            yield Violation(at=at / "name", because=because, verify=verify, related=(service.ref,))


def _without_picker(pool: Pool, inventory: Inventory) -> Iterator[Violation]:
    if traffic(pool, inventory) is Traffic.ROUTED:
        yield Violation(
            at=pool.picker_at,
            because="the pool has no endpointPickerRef; it depends on the gateway whether it serves such a pool",
            severity=WARNING,
            symptom="some gateways balance without a picker, others answer HTTP 500",
        )


def _why_without_pods(service: Service, inventory: Inventory) -> str:
    """Why nothing stands behind a Service, empty where something does; Unknown where that is not known."""
    if service.selector is None:
        return "" if _has_endpoints(service, inventory) else f"{service.ref} has neither a selector nor endpoints"
    scaled = workloads_matching(service.namespace, service.selector, inventory)
    idle = [workload.ref for workload in scaled if workload.replicas == 0]
    if scaled and len(idle) == len(scaled):
        return f"{service.ref} leads to {idle[0]}, which is scaled to zero"
    if pods_of_service(service, inventory) or _endpoints(service, inventory):
        return ""
    hint = nearest_pods(service.namespace, service.selector, inventory)
    return f"{service.ref} selects no pod ({service.selector}){'; ' + hint if hint else ''}"


def _has_endpoints(service: Service, inventory: Inventory) -> bool:
    found = _endpoints(service, inventory)
    if not found and not inventory.knowledge.is_complete:
        raise Unknown(f"{service.ref} has no selector, and its endpoints are not in the files")
    return any(endpoint.addresses for entry in found for endpoint in entry.endpoints)


def _endpoints(service: Service, inventory: Inventory) -> list[EndpointSlice]:
    """The slices that somebody writes by hand; those of the control plane follow the selector."""
    found = inventory.modifying(EndpointSlice, service.namespace, f"kubernetes.io/service-name={service.name}")
    return [entry for entry in found if service.selector is None or not entry.is_derived]
