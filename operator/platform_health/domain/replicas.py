"""How many pods a workload keeps running."""

from __future__ import annotations

from platform_health.domain.selection import SERVING_WORKLOADS
from platform_health.inventory import Inventory
from platform_health.views.core import Pod, workload_term


def runs_several(pod: Pod, inventory: Inventory) -> bool:
    """Whether the pod is one of several: by the pods that are there, or by the replicas of its workload."""
    workload = pod.workload
    if not pod.is_template:
        alike = inventory.modifying(Pod, pod.namespace, workload_term(workload))
        return sum(not other.is_over for other in alike) > 1
    for kind in SERVING_WORKLOADS:
        if kind.kind is workload.kind:
            found = inventory.named(kind, workload.namespace, workload.name)
            return found is not None and found.replicas > 1
    return False
