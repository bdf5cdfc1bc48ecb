"""GpuExporterCoversNodes."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.gpu import (
    ASKING,
    OPERATOR_DEFAULT,
    Exporter,
    exporter_pods,
    exporters,
    idle_exporters,
    is_asked_for,
    wants_exporter,
)
from platform_health.domain.patches import appended
from platform_health.domain.scheduling import mismatches
from platform_health.invariant import (
    ERROR,
    INFO,
    WARNING,
    Fix,
    Inventory,
    Operation,
    Path,
    Violation,
    invariant,
    pointer,
)
from platform_health.views.apps import DaemonSet
from platform_health.views.core import (
    GPU_EXPORTER,
    OTHER_GPU_EXPORTER,
    Node,
    Pod,
    Taint,
    term_on,
)
from platform_health.views.nvidia import ClusterPolicy
from platform_health.views.view import METADATA, condition

GRACE_SECONDS = 600


@invariant(
    severity=WARNING,
    symptom="no GPU data from this node: utilization panels, alerts and scaling leave its GPUs out",
    category="observability",
    needs=(Pod, DaemonSet, ClusterPolicy, *ASKING),
    fixes=(ClusterPolicy,),
)
def gpu_exporter_covers_nodes(node: Node, inventory: Inventory) -> Iterator[Violation]:
    """Every node with allocatable NVIDIA GPUs runs a Ready DCGM exporter, once any node does.

    Why: an exporter is a DaemonSet; a taint that it does not tolerate, or a node selector that misses a node pool,
    keeps it off. Nothing reports an error, the GPUs are simply absent from every sum.

    Remedy: tolerate the taint. Where the GPU operator makes the exporter, the toleration is added to its
    ClusterPolicy; a DaemonSet of one's own is only changed on request, and GKE's managed one never.

    See: NVIDIA GPU operator, `daemonsets.tolerations`; dcgm-exporter issue 731.
    """
    if not wants_exporter(node) or not _is_settled(node, inventory) or _is_covered(node, inventory):
        return
    pods = exporter_pods(inventory)
    found = list(exporters(pods, inventory))
    meant = {pod.origin for pod in pods if pod.is_template}
    if any(one.daemon_set.ref in meant and not one.obstacles(node) for one in found):
        return
    if inventory.modifying(Pod, term=OTHER_GPU_EXPORTER):
        return
    if not any(pod.is_ready for pod in pods):
        yield from _without_any(node, inventory)
        return
    causes = [(one, one.obstacles(node)) for one in found]
    blocked = next((one for one, cause in causes if cause), None)
    yield Violation(
        at=_place(node, blocked),
        because=_because(node, causes, inventory),
        severity=ERROR if is_asked_for(inventory) else WARNING,
        related=tuple(one.daemon_set.ref for one in found[:3]),
        verify=f"kubectl get pods -A --field-selector spec.nodeName={node.name} | grep dcgm-exporter",
        fix=_toleration(node, found) if len(found) == 1 else None,
    )


def _is_settled(node: Node, inventory: Inventory) -> bool:
    ready = condition(node.status.conditions, "Ready")
    return inventory.lasted(ready.last_transition_time if ready else None, GRACE_SECONDS)


def _is_covered(node: Node, inventory: Inventory) -> bool:
    """Whether a Ready exporter runs on the node, or one that has not been unready for long."""
    for pod in inventory.modifying(Pod, term=term_on(GPU_EXPORTER, node.name)):
        ready = condition(pod.status.conditions, "Ready")
        since = ready.last_transition_time if ready else pod.metadata.creation_timestamp
        if not pod.is_over and (pod.is_ready or not inventory.lasted(since, GRACE_SECONDS)):
            return True
    return False


def _without_any(node: Node, inventory: Inventory) -> Iterator[Violation]:
    """No exporter anywhere is a matter only for those who ask for its metrics."""
    if is_asked_for(inventory) and inventory.named(DaemonSet, "gpu-operator", "nvidia-dcgm-exporter") is None:
        causes = [(one, one.obstacles(node)) for one in idle_exporters(inventory)]
        because = "no node runs a DCGM exporter, though dashboards, rules or scalers ask for its metrics"
        yield Violation(at=METADATA / "name", because=because + _blocking(causes, "; what keeps it off"), severity=INFO)


def _blocking(causes: list[tuple[Exporter, list[str]]], lead: str) -> str:
    said = [f"{one.daemon_set.ref}: {', '.join(cause)}" for one, cause in causes if cause]
    return f"{lead} {'; '.join(said)}" if said else ""


def _because(node: Node, causes: list[tuple[Exporter, list[str]]], inventory: Inventory) -> str:
    blocking = _blocking(causes, "no DCGM exporter runs on it; what keeps it off")
    if blocking:
        return blocking
    here = inventory.modifying(Pod, term=term_on(GPU_EXPORTER, node.name))
    if here:
        return f"its DCGM exporter {here[0].namespace}/{here[0].name} is not Ready"
    return "no DCGM exporter runs on it, though others do on other nodes"


def _place(node: Node, blocked: Exporter | None) -> Path:
    taints = blocked.blocking(node) if blocked else []
    return Path("spec.taints") / node.spec.taints.index(taints[0]) if taints else METADATA / "labels"


def _toleration(node: Node, found: list[Exporter]) -> Fix | None:
    (exporter,) = found
    taints = exporter.blocking(node)
    if not taints or mismatches(exporter.spec, node) or exporter.is_managed_by_google:
        return None
    title = f"tolerate {', '.join(map(str, taints))} in "
    if exporter.policy is None:
        ref = exporter.daemon_set.ref
        patch = _appended(("spec", "template", "spec", "tolerations"), len(exporter.spec.tolerations), taints)
        return Fix(title=f"{title}{ref}, which restarts its pods", safety="unsafe", target=ref, patch=patch)
    policy = exporter.policy
    path = ("spec", "daemonsets", "tolerations")
    patch = _appended(path, len(policy.tolerations), taints, default=not policy.tolerations)
    if policy.spec.daemonsets is None:
        patch = (Operation("add", pointer("spec", "daemonsets"), {}), *patch)
    return Fix(title=f"{title}{policy.ref}", safety="safe", target=policy.ref, patch=patch)


def _appended(
    path: tuple[str, ...], count: int, taints: list[Taint], *, default: bool = False
) -> tuple[Operation, ...]:
    new = [{"key": taint.key, "operator": "Exists", "effect": taint.effect} for taint in taints]
    if default:
        new.insert(0, {"key": OPERATOR_DEFAULT.key, "operator": "Exists", "effect": OPERATOR_DEFAULT.effect})
    return tuple(appended(path, range(count + index), value) for index, value in enumerate(new))
