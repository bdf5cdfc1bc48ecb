"""PickerIsReady."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.pickers import picker_pods
from platform_health.domain.pool_gateways import GATEWAY_KINDS, implementations
from platform_health.domain.readiness import has_failed, unready_since, why_not_ready
from platform_health.invariant import ERROR, WARNING, Inventory, Unknown, Violation, invariant
from platform_health.views.core import Pod, Service
from platform_health.views.inference import InferencePool, LegacyInferencePool, Pool

_PATIENCE = 60.0
_CAUSES = (
    "PickerConfigLoads",
    "PickerMayReadItsPool",
    "PickerProbesFit",
    "PickerServesItsPool",
    "GpuRequestFits",
    "ModelServerStarts",
)


@invariant(
    severity=ERROR,
    symptom="HTTP 500 or 503 for every request to the pool: no endpoint picker answers the gateway",
    needs=(Service, Pod, *GATEWAY_KINDS),
)
def picker_is_ready(pool: InferencePool | LegacyInferencePool, inventory: Inventory) -> Iterator[Violation]:
    """At least one picker pod of a pool is Ready.

    Why: with `failureMode: FailClose`, the default, requests fail while no picker answers. With FailOpen the gateway
    balances at random, except Envoy AI Gateway, which ignores FailOpen. With leader election exactly one of the pods is
    Ready: that is as it should be.

    Remedy: see why the pods are not Ready; the message says it per pod. Do not change the failure mode for it: with
    LoRA adapters or disaggregation random balancing sends requests to the wrong pods.

    See: Gateway API Inference Extension, `EndpointPickerRef.FailureMode`.
    """
    pods = picker_pods(pool, inventory)
    if not pods:
        return
    if any(pod.is_ready for pod in pods):
        yield from _waiting_for_room(pool, pods, inventory)
        return
    if any(not has_failed(pod, inventory) and not inventory.lasted(unready_since(pod), _PATIENCE) for pod in pods):
        return
    reasons = "; ".join(f"{pod.name} {why_not_ready(pod, inventory)}" for pod in pods[:3])
    open_ = _fails_open(pool, inventory)
    workloads = tuple(dict.fromkeys(pod.workload for pod in pods))
    yield Violation(
        at=pool.picker_at / "name",
        because=f"none of {len(pods)} picker pods is Ready: {reasons}",
        severity=WARNING if open_ else ERROR,
        symptom="uneven load: the gateway balances at random, without the picker" if open_ else None,
        verify=f"kubectl describe pod -n {pool.namespace} {pods[0].name}",
        related=workloads,
        follows=(*workloads, pool.ref),
        after=_CAUSES,
    )


def _waiting_for_room(pool: Pool, pods: list[Pod], inventory: Inventory) -> Iterator[Violation]:
    """A further replica that cannot be scheduled."""
    for pod in pods:
        if pod.status.phase == "Pending" and pod.is_unschedulable and inventory.lasted(unready_since(pod), _PATIENCE):
            yield Violation(
                at=pool.picker_at / "name",
                about="unschedulable",
                because=f"picker pod {pod.name} {why_not_ready(pod, inventory)}",
                severity=WARNING,
                symptom="nothing yet: another picker answers",
                related=(pod.workload,),
                follows=(pod.workload,),
                after=_CAUSES,
            )
            return


def _fails_open(pool: Pool, inventory: Inventory) -> bool:
    """Whether the gateway goes on without the picker."""
    if pool.picker is None or pool.picker.failure_mode != "FailOpen":
        return False
    try:
        return all(entry.honours_fail_open is not False for entry in implementations(pool, inventory))
    except Unknown:
        return True
