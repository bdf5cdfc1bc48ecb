"""PoolSelectsServingPods."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.endpoints import says_active_ports
from platform_health.domain.listening import serves_nothing
from platform_health.domain.selection import is_worker, one_per_template, pods_of_pool
from platform_health.invariant import ERROR, Inventory, Violation, invariant
from platform_health.views.core import Pod
from platform_health.views.inference import InferencePool, LegacyInferencePool


@invariant(
    severity=ERROR,
    symptom="HTTP 502 or 503 for the share of requests that these pods get",
    needs=(Pod,),
)
def pool_selects_serving_pods(pool: InferencePool | LegacyInferencePool, inventory: Inventory) -> Iterator[Violation]:
    """A pool selects no Ready pod that only computes for another one.

    Why: every Ready pod that a pool selects is an endpoint. The followers of a model that spans several nodes
    (`vllm serve --headless`, Ray workers, workers of a LeaderWorkerSet) answer no HTTP requests.

    Remedy: select the leaders only, for instance by a label of the leader's template or
    `leaderworkerset.sigs.k8s.io/worker-index: "0"`.

    See: llm-d pull request 2212; LeaderWorkerSet, "Labels".
    """
    ready = [pod for pod in pods_of_pool(pool, inventory) if pod.is_ready and not says_active_ports(pod)]
    for pod in one_per_template(ready):
        if _may_be_unready(pod) or not serves_nothing(pod):
            continue
        alike = [other for other in ready if (other.workload, is_worker(other)) == (pod.workload, is_worker(pod))]
        what = "workers" if is_worker(pod) else "headless followers"
        names = "" if pod.is_template else f" ({', '.join(other.name for other in alike[:3])})"
        yield Violation(
            at=pool.selector_at,
            about=pod.workload.name,
            because=f"the pool selects {what} of {pod.workload}{names}, which serve no requests",
            verify=f"kubectl get pods -n {pool.namespace} -l '{pool.selector}' --show-labels",
            related=(pod.workload,),
        )


def _may_be_unready(pod: Pod) -> bool:
    """Whether a readiness probe keeps the pod of a template from being an endpoint."""
    return pod.is_stateless and any(container.readiness_probe for _, container in pod.spec.long_running())
