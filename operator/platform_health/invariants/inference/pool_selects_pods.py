"""PoolSelectsPods."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.pickers import pickers_of
from platform_health.domain.pools import TRAFFIC_KINDS, Traffic, is_template, traffic
from platform_health.domain.selection import SERVING_WORKLOADS, nearest_pods, pods_of_pool, workloads_matching
from platform_health.invariant import ERROR, INFO, WARNING, Inventory, Unknown, Violation, invariant
from platform_health.views.apps import ScalableWorkload, Workload
from platform_health.views.core import Pod, Service
from platform_health.views.inference import InferencePool, LegacyInferencePool, Pool
from platform_health.views.view import condition

_SECONDS_TO_APPEAR = 300
_SECONDS_TO_BE_FILLED = 600


@invariant(
    severity=ERROR,
    symptom="HTTP 503, no healthy upstream: the pool has no endpoint",
    needs=(Pod, Service, *SERVING_WORKLOADS, *TRAFFIC_KINDS),
)
def pool_selects_pods(pool: InferencePool | LegacyInferencePool, inventory: Inventory) -> Iterator[Violation]:
    """The selector of a pool matches pods, or a workload that is scaled to zero on purpose.

    Why: a pool finds its endpoints by labels, in its own namespace only. A selector that matches nothing is a pool
    without endpoints; every request gets 503.

    Remedy: compare the labels of the model servers' pod template with the selector; the message names the label that
    differs. Nothing is changed automatically: a wider selector may capture the pods of another model.

    See: Gateway API Inference Extension, `InferencePoolSpec.Selector`.
    """
    workloads = workloads_matching(pool.namespace, pool.selector, inventory)
    if workloads and all(workload.replicas == 0 for workload in workloads):
        if not _running(pool, inventory):
            yield _scaled_to_zero(pool, workloads)
        return
    if pods_of_pool(pool, inventory) or is_template(pool, inventory) or _selects_by_itself(pool, inventory):
        return
    if workloads:
        yield from _stuck(pool, workloads, inventory)
    elif inventory.lasted(pool.metadata.creation_timestamp, _SECONDS_TO_BE_FILLED):
        yield _nothing(pool, inventory)


def _running(pool: Pool, inventory: Inventory) -> bool:
    """Whether some pod is there all the same (of a workload that is just scaled down); nothing is proved by none."""
    try:
        return bool(pods_of_pool(pool, inventory))
    except Unknown:
        return False


def _scaled_to_zero(pool: Pool, workloads: list[Workload]) -> Violation:
    names = ", ".join(str(workload.ref) for workload in workloads[:3])
    return Violation(
        at=pool.selector_at,
        because=f"the pool is scaled to zero: {names} has 0 replicas",
        severity=INFO,
        category="capacity",
        symptom="HTTP 503 until something scales it up",
        related=tuple(workload.ref for workload in workloads[:3]),
    )


def _stuck(pool: Pool, workloads: list[Workload], inventory: Inventory) -> Iterator[Violation]:
    for workload in workloads:
        conditions = workload.status.conditions if isinstance(workload, ScalableWorkload) else ()
        failure = condition(conditions, "ReplicaFailure")
        since = failure.last_transition_time if failure is not None else workload.metadata.creation_timestamp
        if inventory.lasted(since, _SECONDS_TO_APPEAR):
            reason = f": {failure.message}" if failure is not None and failure.status == "True" else ""
            yield Violation(
                at=pool.selector_at,
                about=workload.name,
                because=f"{workload.ref} should have {workload.replicas} pods and has none{reason}",
                verify=f"kubectl describe {workload.kind.name.lower()} -n {pool.namespace} {workload.name}",
                related=(workload.ref,),
                follows=(workload.ref,),
            )


def _nothing(pool: Pool, inventory: Inventory) -> Violation:
    reached = traffic(pool, inventory)
    hint = nearest_pods(pool.namespace, pool.selector, inventory)
    return Violation(
        at=pool.selector_at,
        because=f"no pod of namespace {pool.namespace} has {pool.selector}{'; ' + hint if hint else ''}",
        severity={Traffic.ROUTED: ERROR, Traffic.IDLE: INFO, Traffic.NONE: WARNING}[reached],
        symptom=None if reached is Traffic.ROUTED else "nothing yet: no request is routed to the pool",
        verify=f"kubectl get pods -n {pool.namespace} -l '{pool.selector}'",
    )


def _selects_by_itself(pool: Pool, inventory: Inventory) -> bool:
    """Whether the picker finds its endpoints by a selector of its own."""
    try:
        return any(picker.flag("endpoint-selector") for picker in pickers_of(pool, inventory))
    except Unknown:
        return False
