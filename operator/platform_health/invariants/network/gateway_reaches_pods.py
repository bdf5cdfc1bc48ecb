"""GatewayReachesPods."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.endpoints import active_ports
from platform_health.domain.flows import FLOW_KINDS, Blockage, blockages, has_other_policies, is_restricted
from platform_health.domain.gateways import DATA_PLANE_KINDS, data_plane, is_refused
from platform_health.domain.openings import opening
from platform_health.domain.routing import ROUTES, gateways_of_pool
from platform_health.domain.selection import pods_of_pool
from platform_health.invariant import ERROR, WARNING, Inventory, Violation, invariant
from platform_health.views.gateway import Gateway
from platform_health.views.inference import InferencePool, LegacyInferencePool, Pool
from platform_health.views.view import Path


@invariant(
    severity=ERROR,
    symptom="HTTP 503, upstream connect timeouts",
    needs=(*ROUTES, *DATA_PLANE_KINDS, *FLOW_KINDS),
)
def gateway_reaches_pods(pool: InferencePool | LegacyInferencePool, inventory: Inventory) -> Iterator[Violation]:
    """NetworkPolicies let the data plane of a Gateway reach the target ports of a pool's pods.

    Why: requests come from the Gateway's data-plane pods, which run where the implementation puts them: in the
    Gateway's namespace (Istio, kgateway, agentgateway, NGINX) or in the controller's (Envoy Gateway by default). A
    policy that admits the other namespace, or the Service's port instead of the pod's, lets every request time out.
    The pods are found by their labels; where none is found, nothing is said.

    Remedy: admit the data plane's pods to the target ports, in the policy that isolates the model servers or in an
    additional one, as in the proposed fix.

    See: Kubernetes, NetworkPolicy; Gateway API, GEP-1762.
    """
    if not is_restricted(inventory):
        return
    for namespace, name in gateways_of_pool(pool, inventory):
        with inventory.part():
            gateway = inventory.named(Gateway, namespace, name)
            if gateway is not None and not is_refused(gateway):
                yield from _judged(pool, gateway, inventory)


def _judged(pool: Pool, gateway: Gateway, inventory: Inventory) -> Iterator[Violation]:
    sources, pods = data_plane(gateway, inventory), pods_of_pool(pool, inventory)
    for blockage in blockages(sources, pods, lambda pod: active_ports(pod, pool), inventory):
        places = {pod.namespace for pod in (*sources, *pods)}
        certain = blockage.everywhere and not has_other_policies(places, inventory)
        yield Violation(
            at=_place(pool, blockage),
            about=f"{gateway.ref} {blockage.direction}",
            because=f"{gateway.ref} cannot reach the pods: {blockage}",
            severity=ERROR if certain else WARNING,
            verify=f"kubectl get networkpolicies -n {blockage.guarded.namespace}",
            related=blockage.policies,
            follows=blockage.policies,
            after=("PolicyNamesLiveNamespaces",),
            fix=opening(f"{pool.name}-from-{gateway.name}", pool.selector, blockage, pods, inventory),
        )


def _place(pool: Pool, blockage: Blockage) -> Path:
    return next((at for at, port in pool.target_ports() if port in blockage.ports), Path("spec"))
