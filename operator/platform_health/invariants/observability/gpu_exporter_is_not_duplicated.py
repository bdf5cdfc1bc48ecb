"""GpuExporterIsNotDuplicated."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.exporters import dcgm_exporters
from platform_health.domain.gpu import exporter_pods
from platform_health.invariant import WARNING, Inventory, Path, Violation, invariant
from platform_health.views.apps import DaemonSet
from platform_health.views.core import Pod


@invariant(
    severity=WARNING,
    symptom="double or no data: two exporters read the same GPUs, and profiling counters allow only one",
    category="observability",
    needs=(Pod,),
)
def gpu_exporter_is_not_duplicated(daemon_set: DaemonSet, inventory: Inventory) -> Iterator[Violation]:
    """No node runs an exporter of one's own beside the managed one of GKE.

    Why: newer GKE clusters run a managed DCGM exporter, whose metrics go to Managed Service for Prometheus only. One
    of one's own on the same node reads the same GPUs again; some counters can be read by one process alone.

    Remedy: switch the managed one off for the cluster (`--monitoring` without DCGM), or remove one's own and read the
    metrics where Google keeps them. The managed DaemonSet itself cannot be changed.

    See: GKE, "Collect and view DCGM metrics".
    """
    template = Pod(spec=daemon_set.spec.template.spec)
    if _is_managed(daemon_set.namespace) or not any(dcgm_exporters(template)):
        return
    pods = [pod for pod in exporter_pods(inventory) if pod.is_ready and pod.spec.node_name]
    own = {pod.spec.node_name for pod in pods if pod.workload == daemon_set.ref}
    managed = {pod.spec.node_name: pod for pod in pods if _is_managed(pod.namespace)}
    shared = sorted(own & managed.keys())
    if shared:
        more = f" and {len(shared) - 3} more" if len(shared) > 3 else ""
        theirs = managed[shared[0]].workload
        yield Violation(
            at=Path("spec.template.spec.containers"),
            because=f"it runs beside GKE's managed {theirs} on {', '.join(shared[:3])}{more}",
            related=(theirs,),
            verify="kubectl get pods -A -o wide | grep dcgm-exporter",
        )


def _is_managed(namespace: str) -> bool:
    return namespace.startswith("gke-managed-")
