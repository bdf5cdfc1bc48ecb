"""Which nodes should have a GPU exporter, which have one, and what keeps it off the others.

Facts: NVIDIA GPU operator 26.7 (``controllers/object_controls.go``: ``spec.daemonsets.tolerations``, where set,
replaces the tolerations of every operand), its node labels, dcgm-exporter 4.8, GKE's managed exporter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from platform_health.domain.exporters import dcgm_exporters
from platform_health.domain.scheduling import DAEMON_TOLERATIONS, mismatches, offers, untolerated
from platform_health.inventory import Inventory, Unknown
from platform_health.views.apps import DaemonSet
from platform_health.views.core import GPU_EXPORTER, GPU_METRIC, ConfigMap, Node, Pod, PodSpec, Taint, Toleration
from platform_health.views.monitoring import PrometheusRule
from platform_health.views.nvidia import ClusterPolicy
from platform_health.views.scaling import ScaledObject
from platform_health.views.view import View

OPERATOR_DEFAULT = Toleration(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule")
"""What the operator's operands tolerate where the ClusterPolicy says nothing."""

DEPLOY, OPERANDS, WORKLOAD = (f"nvidia.com/gpu.{name}" for name in ("deploy.", "deploy.operands", "workload.config"))
_VIRTUAL = (
    ("type", "virtual-kubelet"),
    ("type", "kwok"),
    ("kubernetes.io/role", "agent-virtual"),
    ("eks.amazonaws.com/compute-type", "fargate"),
)


def wants_exporter(node: Node) -> bool:
    """Whether a node is a real, schedulable node with allocatable GPUs that has not opted out of the exporter."""
    labels = node.labels
    if not node.is_ready or node.spec.unschedulable or not offers(node) or is_virtual(node):
        return False
    opted_out = labels.get(OPERANDS) == "false" or labels.get(f"{DEPLOY}dcgm-exporter", "true") != "true"
    return not opted_out and not labels.get(WORKLOAD, "").startswith("vm-")


def is_virtual(node: Node) -> bool:
    """Whether nothing but a simulation or somebody else's service stands behind the node."""
    return "kwok.x-k8s.io/node" in node.annotations or any(node.labels.get(key) == value for key, value in _VIRTUAL)


class Exporter(NamedTuple):
    """One DaemonSet that runs GPU exporters, as it is meant to run."""

    daemon_set: DaemonSet
    policy: ClusterPolicy | None

    @property
    def spec(self) -> PodSpec:
        """The specification of its pods."""
        return self.daemon_set.spec.template.spec

    @property
    def is_managed_by_google(self) -> bool:
        """Whether it is GKE's own, which must not be changed."""
        return self.daemon_set.namespace.startswith("gke-managed-")

    def blocking(self, node: Node) -> list[Taint]:
        """The taints that keep its pods off a node."""
        return untolerated((*self.spec.tolerations, *DAEMON_TOLERATIONS), node)

    def obstacles(self, node: Node) -> list[str]:
        """Everything that keeps its pods off a node; Unknown while the operator has not rolled out a change."""
        taints = self.blocking(node)
        if taints and self.policy is not None and self.policy.tolerations != self.spec.tolerations:
            promised = self.policy.tolerations or (OPERATOR_DEFAULT,)
            if not untolerated((*promised, *DAEMON_TOLERATIONS), node):
                raise Unknown(f"{self.policy.ref} has yet to give {self.daemon_set.ref} the tolerations it asks for")
        return [f"taint {taint}" for taint in taints] + mismatches(self.spec, node)


def exporter_pods(inventory: Inventory) -> list[Pod]:
    """All pods that run a GPU exporter of NVIDIA's, whoever made them."""
    return [pod for pod in inventory.modifying(Pod, term=GPU_EXPORTER) if not pod.is_over]


def exporters(pods: list[Pod], inventory: Inventory) -> Iterator[Exporter]:
    """The DaemonSets of some exporter pods."""
    for ref in dict.fromkeys(pod.workload for pod in pods if pod.workload.kind is DaemonSet.kind):
        found = inventory.named(DaemonSet, ref.namespace, ref.name)
        if found is not None:
            yield Exporter(found, _policy(found, inventory))


def idle_exporters(inventory: Inventory) -> Iterator[Exporter]:
    """The DaemonSets that would run an exporter, whether or not they have any pod."""
    for found in inventory.modifying(DaemonSet):
        if any(dcgm_exporters(Pod(spec=found.spec.template.spec))):
            yield Exporter(found, _policy(found, inventory))


def _policy(daemon_set: DaemonSet, inventory: Inventory) -> ClusterPolicy | None:
    owner = daemon_set.metadata.controller
    if owner is None or (owner.group, owner.kind) != (ClusterPolicy.kind.group, ClusterPolicy.kind.name):
        return None
    return inventory.named(ClusterPolicy, "", owner.name)


ASKING: tuple[type[View], ...] = (ConfigMap, PrometheusRule, ScaledObject)
"""The kinds that hold queries for GPU metrics."""


def is_asked_for(inventory: Inventory) -> bool:
    """Whether a dashboard, a rule or a scaler is known to ask for the exporter's metrics; decides how bad it is."""
    return any(inventory.is_known(kind) and inventory.modifying(kind, term=GPU_METRIC) for kind in ASKING)
