"""GpuRequestFits."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.scheduling import (
    GPU,
    TEMPORARY,
    free_on,
    has_node_autoscaler,
    mismatches,
    obstacles,
    untolerated,
)
from platform_health.invariant import ERROR, INFO, Fix, Inventory, Path, Ref, Unknown, Violation, invariant
from platform_health.views.apps import CronJob, DaemonSet, Job
from platform_health.views.core import SPEC_CONTAINERS, ConfigMap, Node, Pod
from platform_health.views.karpenter import NodePool
from platform_health.views.resource import DeviceClass
from platform_health.views.view import SPEC, condition

GRACE_SECONDS = 300
_NOT_JUDGED = (DaemonSet.kind, Job.kind, CronJob.kind)


@invariant(
    severity=ERROR,
    symptom="HTTP 503: the pod stays Pending",
    needs=(Node, DeviceClass, NodePool, ConfigMap),
)
def gpu_request_fits(pod: Pod, inventory: Inventory) -> Iterator[Violation]:
    """Some node could ever take a pod that asks for GPUs.

    Why: a pod stays Pending for good where no node offers the resource at all (no device plugin), where every node
    that does is behind a taint or a selector, or where it asks for more than the largest node has. Where all GPUs are
    merely in use, that is capacity and no mistake.

    Remedy: tolerate the taint, correct the selector, or ask for no more than one node has. Where nodes are made on
    demand, a larger one may yet come: then nothing is said.

    See: Kubernetes, "Schedule GPUs".
    """
    if pod.is_over or pod.spec.node_name or pod.spec.scheduling_gates or not _waits(pod, inventory):
        return
    for resource in sorted(name for name in pod.resources() if GPU.match(name)):
        amount = pod.requests(resource)
        if amount > 0:
            yield from _judged(pod, resource, amount, inventory)


def _waits(pod: Pod, inventory: Inventory) -> bool:
    """Whether the scheduler has found no node for a while; a template is judged as if it were to be scheduled."""
    if pod.is_template:
        return pod.workload.kind not in _NOT_JUDGED
    if pod.is_stateless:
        return True
    scheduled = condition(pod.status.conditions, "PodScheduled")
    if pod.status.phase != "Pending" or scheduled is None or scheduled.status != "False":
        return False
    since = scheduled.last_transition_time
    return scheduled.reason == "Unschedulable" and inventory.lasted(since, GRACE_SECONDS, later=True)


def _judged(pod: Pod, resource: str, amount: float, inventory: Inventory) -> Iterator[Violation]:
    nodes = [node for node in inventory.every(Node) if not node.is_going]
    if not nodes or any(not node.status.allocatable for node in nodes):
        raise Unknown("some nodes do not say what they offer" if nodes else "no node of the cluster is shown")
    offering = [node for node in nodes if node.allocatable(resource) > 0]
    fitting = [node for node in offering if not _obstacles(pod, node)]
    largest = max((node.allocatable(resource) for node in fitting), default=0.0)
    if largest >= amount:
        yield from _capacity(pod, resource, amount, fitting, inventory)
        return
    if any(found.spec.extended_resource_name == resource for found in inventory.modifying(DeviceClass)):
        raise Unknown(f"a DeviceClass stands for {resource}, which no node needs to list")
    if has_node_autoscaler(inventory):
        raise Unknown("nodes are made on demand, so one that fits may yet come")
    if fitting:
        because = f"asks for {amount:g} {resource}, the largest node that it may run on has {largest:g}"
        yield Violation(at=_request(pod, resource), about=resource, because=because, related=_refs(fitting))
    elif offering:
        yield _kept_off(pod, resource, offering)
    else:
        yield Violation(
            at=_request(pod, resource),
            about=resource,
            because=f"asks for {amount:g} {resource}, which none of {len(nodes)} nodes offers: no device plugin runs?",
            follows=tuple(node.ref for node in nodes),
            after=("GpuIsAllocatable",),
            verify="kubectl get nodes -o custom-columns=NAME:.metadata.name,ALLOCATABLE:.status.allocatable",
        )


def _obstacles(pod: Pod, node: Node) -> list[str]:
    """What keeps the pod off a node for good; taints that come and go with the node's state are no obstacle."""
    return obstacles(pod.spec, node, extra=TEMPORARY)


def _kept_off(pod: Pod, resource: str, offering: list[Node]) -> Violation:
    causes: dict[str, list[str]] = {}
    for node in offering:
        causes.setdefault(", ".join(_obstacles(pod, node)), []).append(node.name)
    said = [f"{' and '.join(_few(names))}: {cause}" for cause, names in causes.items()]
    more = f"; and {len(said) - 3} other reasons" if len(said) > 3 else ""
    selects = all(mismatches(pod.spec, node) for node in offering)
    taints = sorted(
        {str(taint) for node in offering for taint in untolerated((*pod.spec.tolerations, *TEMPORARY), node)}
    )
    return Violation(
        at=SPEC / ("nodeSelector" if selects else "tolerations"),
        about=resource,
        because=f"no node that offers {resource} may take it ({'; '.join(said[:3])}{more})",
        related=_refs(offering),
        fix=None if selects else Fix(title=f"tolerate {', '.join(taints)}", safety="manual", target=pod.workload),
    )


def _capacity(pod: Pod, resource: str, amount: float, fitting: list[Node], inventory: Inventory) -> Iterator[Violation]:
    """All GPUs that it could have are in use; only said of a pod that waits for just that."""
    scheduled = condition(pod.status.conditions, "PodScheduled")
    if pod.is_stateless or scheduled is None or f"Insufficient {resource}" not in scheduled.message:
        return
    usable = [node for node in fitting if node.is_ready and not node.spec.unschedulable]
    free = {node.name: free_on(node, resource, inventory) for node in usable}
    if any(left >= amount for left in free.values()):
        return
    held = len(fitting) - len(free)
    cordoned = f" ({held} more are cordoned or not Ready)" if held else ""
    yield Violation(
        at=_request(pod, resource),
        about=resource,
        because=f"waits for {amount:g} {resource}: the {len(free)} nodes that could take it have "
        f"{max(free.values(), default=0):g} free at most{cordoned}; this is capacity, expected when all are in use",
        severity=INFO,
        category="capacity",
        symptom="no failure of the platform; a replica less until a GPU becomes free",
        related=_refs(fitting),
    )


def _request(pod: Pod, resource: str) -> Path:
    for at, container in pod.spec.all_containers():
        for field, amounts in (("limits", container.resources.limits), ("requests", container.resources.requests)):
            if resource in amounts:
                return at / "resources" / field / resource
    return SPEC_CONTAINERS


def _refs(nodes: list[Node]) -> tuple[Ref, ...]:
    return tuple(node.ref for node in nodes[:3])


def _few(names: list[str]) -> list[str]:
    return [*names[:2], f"{len(names) - 2} more"] if len(names) > 2 else names
