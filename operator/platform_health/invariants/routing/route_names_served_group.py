"""RouteNamesServedGroup."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.grants import Crossing, is_granted
from platform_health.domain.routing import BACKENDS, ROUTES, AnyRoute, is_confirmed, is_idle, is_supported, twin
from platform_health.invariant import ERROR, INFO, Fix, Inventory, Operation, Safety, Violation, invariant
from platform_health.views.gateway import (
    GROUP,
    AIGatewayRoute,
    Backend,
    Gateway,
    GRPCRoute,
    HTTPRoute,
    ReferenceGrant,
)
from platform_health.views.view import View


@invariant(
    severity=ERROR,
    symptom="HTTP 500 for this backend's share of the requests",
    needs=(*BACKENDS, *ROUTES, Gateway, ReferenceGrant),
    fixes=(HTTPRoute,),
)
def route_names_served_group(
    route: HTTPRoute | GRPCRoute | AIGatewayRoute, inventory: Inventory
) -> Iterator[Violation]:
    """A route names an InferencePool in the API group in which it exists.

    Why: `inference.networking.x-k8s.io` and `inference.networking.k8s.io` are two groups with two independent kinds
    InferencePool; there is no conversion between them. A route that still names the old group finds nothing after the
    pool was migrated, and a gateway answers 500.

    Remedy: write the group of the pool that exists into `backendRefs[].group`. This is applied only where the gateway
    is known to send requests to pools of that group.

    See: Gateway API Inference Extension, migration guide from v1alpha2 to v1.
    """
    if is_confirmed(route):
        return
    for backend in route.backends():
        with inventory.part():
            found = twin(backend, inventory)
            if found is None:
                continue
            idle = is_idle(backend, route, inventory)
            yield Violation(
                at=backend.at / "group",
                about=str(backend),
                because=f"{backend} does not exist in {backend.group}, it exists in {found.kind.group}",
                severity=INFO if idle else None,
                symptom="nothing yet: no request takes this backend" if idle else None,
                verify=f"kubectl get {found.kind.resource} -n {backend.namespace} {backend.name}",
                related=(found.ref,),
                fix=_fix(route, backend, found, inventory),
            )


def _fix(route: AnyRoute, backend: Backend, pool: View, inventory: Inventory) -> Fix:
    return Fix(
        title=f"name the group {pool.kind.group}",
        safety=_safety(route, backend, pool, inventory),
        target=route.ref,
        patch=(Operation("replace", (backend.at / "group").pointer, pool.kind.group),),
    )


def _safety(route: AnyRoute, backend: Backend, pool: View, inventory: Inventory) -> Safety:
    """Safe where the gateways are proven to serve the group, no migration is under way, and a grant covers it."""
    in_both_groups = any(
        (other.group, *other[1:4]) == (pool.kind.group, *backend[1:4]) and other.rule == backend.rule
        for other in route.backends()
    )
    source = (GROUP, route.kind.name, route.namespace)
    crossing = Crossing(source, (pool.kind.group, backend.kind, backend.name), backend.namespace)
    is_permitted = backend.namespace == route.namespace or is_granted(crossing, inventory)
    if isinstance(route, HTTPRoute) and not in_both_groups and is_permitted and is_supported(pool, route, inventory):
        return "safe"
    return "unsafe"
