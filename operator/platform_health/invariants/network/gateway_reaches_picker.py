"""GatewayReachesPicker."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.flows import FLOW_KINDS, Blockage, blockages, has_other_policies, is_restricted
from platform_health.domain.gateways import DATA_PLANE_KINDS, data_plane, honours_fail_open, is_refused
from platform_health.domain.openings import opening
from platform_health.domain.pickers import picker_pods, service_of
from platform_health.domain.routing import ROUTES, gateways_of_pool
from platform_health.invariant import ERROR, WARNING, Inventory, Severity, Violation, invariant
from platform_health.views.core import Pod, Service, ServicePort
from platform_health.views.gateway import Gateway
from platform_health.views.inference import InferencePool, LegacyInferencePool, Pool


@invariant(severity=ERROR, symptom="HTTP 500 or 503", needs=(*ROUTES, *DATA_PLANE_KINDS, *FLOW_KINDS))
def gateway_reaches_picker(pool: InferencePool | LegacyInferencePool, inventory: Inventory) -> Iterator[Violation]:
    """NetworkPolicies let the data plane of a Gateway reach the endpoint picker of a pool.

    Why: the proxy asks the endpoint picker about every request before it goes to a pod. Where the picker cannot be
    reached, every request fails (`failureMode: FailClose`, the default), or is sent to any pod after a timeout
    (`FailOpen`, which Envoy AI Gateway does not honour). Policies written for gateway and model servers forget it.

    Remedy: admit the data plane's pods to the picker's gRPC port, usually 9002, as in the proposed fix.

    See: Kubernetes, NetworkPolicy; Gateway API Inference Extension, `EndpointPickerRef`.
    """
    if not is_restricted(inventory):
        return
    port = _port(pool, inventory)
    for namespace, name in gateways_of_pool(pool, inventory) if port is not None else ():
        with inventory.part():
            gateway = inventory.named(Gateway, namespace, name)
            if port is not None and gateway is not None and not is_refused(gateway):
                yield from _judged(pool, gateway, port, inventory)


def _port(pool: Pool, inventory: Inventory) -> ServicePort | None:
    """The port of the picker's Service, None where the reference does not resolve, which others say."""
    service = service_of(pool, inventory)
    reference = pool.picker
    if service is None or service.is_external_name or reference is None or reference.port is None:
        return None
    return service.port(reference.port.number)


def _judged(pool: Pool, gateway: Gateway, port: ServicePort, inventory: Inventory) -> Iterator[Violation]:
    sources = data_plane(gateway, inventory)
    own = {pod.ref for pod in sources}
    pods = [pod for pod in picker_pods(pool, inventory) if pod.ref not in own]
    service = inventory.named(Service, pool.namespace, pool.picker.name) if pool.picker is not None else None
    if len(pods) == 0 or service is None or service.selector is None:
        return

    def ports(pod: Pod) -> list[int]:
        number = pod.port_number(port.target)
        return [number] if number is not None else []

    for blockage in blockages(sources, pods, ports, inventory):
        yield Violation(
            at=pool.picker_at / "name",
            about=f"{gateway.ref} {blockage.direction}",
            because=f"{gateway.ref} cannot reach the endpoint picker {service.ref}: {blockage}",
            severity=_severity(pool, gateway, blockage, {pod.namespace for pod in (*sources, *pods)}, inventory),
            verify=f"kubectl get networkpolicies -n {blockage.guarded.namespace}",
            related=blockage.policies,
            follows=blockage.policies,
            after=("PolicyNamesLiveNamespaces",),
            fix=opening(f"{service.name}-from-{gateway.name}", service.selector, blockage, pods, inventory),
        )


def _severity(pool: Pool, gateway: Gateway, blockage: Blockage, places: set[str], inventory: Inventory) -> Severity:
    """An error where no picker is reached and the gateway fails the requests then."""
    opens = pool.picker is not None and pool.picker.failure_mode == "FailOpen" and honours_fail_open(gateway, inventory)
    certain = blockage.everywhere and not opens and not has_other_policies(places, inventory)
    return ERROR if certain else WARNING
