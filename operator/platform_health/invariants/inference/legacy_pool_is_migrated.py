"""LegacyPoolIsMigrated."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.pickers import pickers_of
from platform_health.domain.pools import TRAFFIC_KINDS, Traffic, traffic, twin_of
from platform_health.domain.routing import routes_to
from platform_health.invariant import ERROR, INFO, Inventory, Violation, invariant
from platform_health.views.core import Pod, Service
from platform_health.views.inference import GROUP, InferencePool, LegacyInferencePool
from platform_health.views.view import METADATA


@invariant(
    severity=ERROR,
    symptom="HTTP 500: the endpoint picker does not read the pool that the route names",
    needs=(InferencePool, Service, Pod, *TRAFFIC_KINDS),
)
def legacy_pool_is_migrated(pool: LegacyInferencePool, inventory: Inventory) -> Iterator[Violation]:
    """No route leads to a pool of `inference.networking.x-k8s.io` whose picker reads the current group only.

    Why: pickers from v1.5 on, and llm-d-router, watch pools of `inference.networking.k8s.io`; the CRD of the legacy
    group has left the bundle. A legacy pool nobody refers to is only left over.

    Remedy: create the pool in `inference.networking.k8s.io/v1` (`selector.matchLabels`, `targetPorts`,
    `endpointPickerRef`), let the routes name that group, then delete the legacy pool.

    See: Gateway API Inference Extension, "Migrating from v1alpha2 to v1".
    """
    if pool.metadata.controller is not None:
        return
    if not routes_to(pool, inventory) and not pool.parents():
        yield Violation(
            at=METADATA / "name",
            because=f"no route names this pool of {pool.kind.group}; it can be removed",
            severity=INFO,
            symptom="none",
        )
        return
    if traffic(pool, inventory) is not Traffic.ROUTED:
        return
    current = [picker for picker in pickers_of(pool, inventory) if picker.is_gie("1.5.0") or picker.is_router()]
    if not current:
        return
    both = twin_of(pool, inventory) is not None
    yield Violation(
        at=METADATA / "name",
        because=f"routes lead to this pool of {pool.kind.group}, but its picker ({current[0].release}) reads "
        f"{'the one' if both else 'pools'} of {GROUP} only",
        severity=INFO if both else None,
        symptom="none while both pools are alike and the gateway still reads the legacy group" if both else None,
        verify=f"kubectl get inferencepools.{GROUP} -n {pool.namespace}",
        related=(current[0].pod.workload,),
    )
