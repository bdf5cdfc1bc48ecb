"""PoolIsAccepted."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.routing import ROUTES, routes_to
from platform_health.invariant import ERROR, Inventory, Path, Ref, Unknown, Violation, invariant
from platform_health.views.gateway import Gateway
from platform_health.views.inference import InferencePool, LegacyInferencePool, Pool, PoolParentStatus
from platform_health.views.view import Condition

_TYPES = ("Accepted", "ResolvedRefs")
_CAUSES = {
    "Accepted": ("RouteIsAccepted", "RouteParentsAdmit", "RouteBackendsGranted", "PickerServiceResolves"),
    "ResolvedRefs": ("PickerServiceResolves", "PickerPortMatches"),
}


@invariant(
    severity=ERROR,
    symptom="HTTP 500: the gateway does not serve the pool",
    needs=(Gateway, *ROUTES),
)
def pool_is_accepted(pool: InferencePool | LegacyInferencePool, inventory: Inventory) -> Iterator[Violation]:
    """No Gateway's controller says that it does not accept a pool, or that it cannot resolve the pool's picker.

    Why: the pool's status is the only place where a missing picker shows; the route stays `ResolvedRefs=True`. A status
    without Gateways says only that no accepted route names the pool; `Exported` False is no error.

    Remedy: the condition's reason and message; where another finding explains it, that is the cause to repair.

    See: Gateway API Inference Extension, `InferencePoolConditionType`, `InferencePoolReason`.
    """
    parents = pool.parents()
    if not parents and not pool.metadata.generation:
        raise Unknown("the pool has no status here")
    for index, parent in enumerate(parents):
        with inventory.part():
            if _is_gone(parent, pool, inventory):
                continue
            for said in parent.conditions:
                is_current = said.observed_generation in (0, pool.metadata.generation)
                if said.type in _TYPES and said.status == "False" and is_current:
                    yield _violation(pool, parent, said, Path("status") / pool.parents_field / index, inventory)


def _is_gone(parent: PoolParentStatus, pool: Pool, inventory: Inventory) -> bool:
    """Whether the Gateway of an entry no longer exists, so that the entry is stale."""
    reference = parent.parent_ref
    try:
        return inventory.named(Gateway, reference.namespace or pool.namespace, reference.name) is None
    except Unknown:
        return False


def _violation(pool: Pool, parent: PoolParentStatus, said: Condition, at: Path, inventory: Inventory) -> Violation:
    gateway = f"Gateway {parent.parent_ref.namespace or pool.namespace}/{parent.parent_ref.name}"
    message = f": {said.message}" if said.message else ""
    return Violation(
        at=at,
        about=f"{said.type} of {gateway}",
        because=f"{gateway} says {said.type}=False, {said.reason}{message}",
        verify=f"kubectl get {pool.kind.resource} -n {pool.namespace} {pool.name} -o yaml",
        follows=(pool.ref, *_routes(pool, inventory)),
        after=_CAUSES[said.type],
    )


def _routes(pool: Pool, inventory: Inventory) -> list[Ref]:
    try:
        return [route.ref for route in routes_to(pool, inventory)]
    except Unknown:
        return []
