"""PoolIsRouted."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.pickers import pickers_of
from platform_health.domain.routing import ROUTES, routes_to, routes_to_twin
from platform_health.invariant import INFO, Inventory, Unknown, Violation, invariant
from platform_health.views.core import Pod, Service
from platform_health.views.inference import InferencePool, InferencePoolImport
from platform_health.views.view import METADATA

_EXPORT = "inference.networking.x-k8s.io/export"


@invariant(
    severity=INFO,
    symptom="HTTP 404: no route leads to the pool",
    needs=(InferencePoolImport, Service, Pod, *ROUTES),
)
def pool_is_routed(pool: InferencePool, inventory: Inventory) -> Iterator[Violation]:
    """Some route, import or standalone picker uses a pool.

    Why: a pool that nothing refers to gets no requests. That is normal while a platform is being built up, and for
    pools that are exported to other clusters.

    Remedy: name the pool in the `backendRefs` of a route.

    See: Gateway API Inference Extension, "Getting started".
    """
    if pool.metadata.controller is not None or pool.parents() or _EXPORT in pool.annotations:
        return
    if routes_to(pool, inventory) or _is_imported(pool, inventory) or _is_standalone(pool, inventory):
        return
    yield Violation(
        at=METADATA / "name",
        because="no route names the pool as a backend",
        follows=tuple(route.ref for route in routes_to_twin(pool, inventory)),
        after=("RouteNamesServedGroup",),
        verify="kubectl get httproutes,grpcroutes -A -o yaml | grep -B3 " + pool.name,
    )


def _is_imported(pool: InferencePool, inventory: Inventory) -> bool:
    return any(entry.name == pool.name for entry in inventory.modifying(InferencePoolImport, pool.namespace))


def _is_standalone(pool: InferencePool, inventory: Inventory) -> bool:
    """Whether the picker has a proxy beside it, which sends it requests without a route."""
    try:
        return any(len(list(picker.pod.spec.long_running())) > 1 for picker in pickers_of(pool, inventory))
    except Unknown:
        return False
