"""PoolHasReadyPods."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.pools import TRAFFIC_KINDS, Traffic, is_template, traffic
from platform_health.domain.readiness import has_failed, start_allowance, unready_since, why_not_ready
from platform_health.domain.selection import is_worker, pods_of_pool
from platform_health.invariant import ERROR, INFO, Inventory, Violation, invariant
from platform_health.views.core import Pod
from platform_health.views.inference import InferencePool, LegacyInferencePool

_PATIENCE = 900.0


@invariant(
    severity=ERROR,
    symptom="HTTP 503: the pool has no endpoint that is Ready",
    needs=(Pod, *TRAFFIC_KINDS),
)
def pool_has_ready_pods(pool: InferencePool | LegacyInferencePool, inventory: Inventory) -> Iterator[Violation]:
    """At least one pod of a pool is Ready once its start-up allowance is over.

    Why: the picker counts a pod as an endpoint when its Ready condition is True. Loading a model may take long, so a
    pod has at least 15 minutes, and as long as its startup probe grants; a crash loop or an image that cannot be pulled
    is said at once.

    Remedy: see why the pods are not Ready; the message says it per pod.

    See: Kubernetes, "Pod Lifecycle"; Gateway API Inference Extension, troubleshooting, "no healthy upstream".
    """
    pods = [pod for pod in pods_of_pool(pool, inventory) if not is_worker(pod)]
    if not pods or any(pod.is_ready for pod in pods) or is_template(pool, inventory):
        return
    for pod in pods:
        allowance = max(_PATIENCE, start_allowance(pod))
        if not has_failed(pod, inventory) and not inventory.lasted(unready_since(pod), allowance, unknown=False):
            return
    reasons = "; ".join(f"{pod.name} {why_not_ready(pod, inventory)}" for pod in pods[:3])
    more = f" and {len(pods) - 3} more" if len(pods) > 3 else ""
    idle = traffic(pool, inventory) is Traffic.IDLE
    yield Violation(
        at=pool.selector_at,
        because=f"none of {len(pods)} pods is Ready: {reasons}{more}",
        severity=INFO if idle else None,
        symptom="nothing yet: no request is routed to the pool" if idle else None,
        verify=f"kubectl get pods -n {pool.namespace} -l '{pool.selector}'",
        related=tuple(dict.fromkeys(pod.workload for pod in pods))[:3],
        follows=tuple(dict.fromkeys(pod.workload for pod in pods)),
    )
