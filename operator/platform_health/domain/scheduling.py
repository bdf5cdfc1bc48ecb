"""Which nodes could take a pod: taints, node selector, required node affinity, extended resources.

Facts: kube-scheduler 1.34, plugins nodeaffinity, tainttoleration and noderesources; the DaemonSet controller adds
tolerations of its own (``pkg/controller/daemon/util``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from platform_health.inventory import Inventory
from platform_health.views.core import (
    NODE_AUTOSCALER,
    ConfigMap,
    Node,
    NodeSelectorTerm,
    Pod,
    PodSpec,
    Taint,
    Toleration,
    node_term,
)
from platform_health.views.karpenter import NodePool

HARD = ("NoSchedule", "NoExecute")
NVIDIA = re.compile(r"nvidia\.com/(gpu(\.shared)?|mig-.+)\Z")
GPU = re.compile(
    r"(nvidia\.com/(gpu(\.shared)?|mig-.+)|amd\.com/(gpu|cpx.*|spx.*)|gpu\.intel\.com/(i915|xe)|habana\.ai/gaudi"
    r"|google\.com/tpu|aws\.amazon\.com/neuron.*|npu\.intel\.com/accel)\Z"
)

DAEMON_TOLERATIONS = tuple(
    Toleration(key=f"node.kubernetes.io/{condition}", operator="Exists")
    for condition in (
        "not-ready",
        "unreachable",
        "disk-pressure",
        "memory-pressure",
        "pid-pressure",
        "unschedulable",
        "network-unavailable",
    )
)

TEMPORARY = DAEMON_TOLERATIONS + tuple(
    Toleration(key=key, operator="Exists")
    for key in (
        "node.cloudprovider.kubernetes.io/uninitialized",
        "node.cilium.io/agent-not-ready",
        "ToBeDeletedByClusterAutoscaler",
        "karpenter.sh/disrupted",
        "karpenter.sh/unregistered",
    )
)
"""Tolerations of the taints that come and go with a node's state: cordoned, not ready, being set up or taken away."""


def untolerated(tolerations: Iterable[Toleration], node: Node) -> list[Taint]:
    """The taints that keep a pod with these tolerations off a node."""
    known = list(tolerations)
    return [
        taint
        for taint in node.spec.taints
        if taint.effect in HARD and not any(toleration.tolerates(taint) for toleration in known)
    ]


def mismatches(spec: PodSpec, node: Node) -> list[str]:
    """What of a pod's node selector and required node affinity a node does not satisfy, for people."""
    labels = node.labels
    wrong = [
        f"nodeSelector {key}={value}, found {_found(labels.get(key))}"
        for key, value in spec.node_selector.items()
        if labels.get(key) != value
    ]
    affinity = spec.affinity.node_affinity if spec.affinity else None
    required = affinity.required if affinity else None
    if required is not None and not any(_matches(term, node) for term in required.node_selector_terms):
        wanted = " or ".join(
            " and ".join(str(entry) for entry in (*term.match_expressions, *term.match_fields))
            for term in required.node_selector_terms
        )
        wrong.append(f"node affinity {wanted}")
    return wrong


def _found(value: str | None) -> str:
    return "no such label" if value is None else value or '""'


def _matches(term: NodeSelectorTerm, node: Node) -> bool:
    fields = {"metadata.name": node.name}
    return (
        bool(term.match_expressions or term.match_fields)
        and all(entry.matches(node.labels) for entry in term.match_expressions)
        and all(entry.matches(fields) for entry in term.match_fields)
    )


def obstacles(spec: PodSpec, node: Node, *, extra: Iterable[Toleration] = ()) -> list[str]:
    """Why a node cannot take a pod, apart from its size; empty where it can."""
    taints = [f"taint {taint}" for taint in untolerated((*spec.tolerations, *extra), node)]
    return taints + mismatches(spec, node)


def gpu_nodes(inventory: Inventory, resource: re.Pattern[str] = NVIDIA) -> list[Node]:
    """The Ready nodes with allocatable GPUs; Unknown where no node is known."""
    return [node for node in inventory.every(Node) if node.is_ready and not node.is_going and offers(node, resource)]


def offers(node: Node, resource: re.Pattern[str] = NVIDIA) -> bool:
    """Whether a node has something allocatable of the resources that match."""
    return any(resource.match(name) and node.allocatable(name) > 0 for name in node.status.allocatable)


def free_on(node: Node, resource: str, inventory: Inventory) -> float:
    """How much of a resource is not asked for by pods on a node."""
    pods = inventory.modifying(Pod, term=node_term(node.name))
    return node.allocatable(resource) - sum(pod.requests(resource) for pod in pods if not pod.is_over)


_HARDWARE = (
    "nvidia.com/gpu.present",
    "feature.node.kubernetes.io/pci-10de.present",
    "feature.node.kubernetes.io/pci-0302_10de.present",
    "feature.node.kubernetes.io/pci-0300_10de.present",
    "feature.node.kubernetes.io/amd-gpu",
)
_ACCELERATOR = (
    "cloud.google.com/gke-accelerator",
    "k8s.amazonaws.com/accelerator",
    "karpenter.k8s.aws/instance-gpu-name",
    "kubernetes.azure.com/accelerator",
)


def gpu_hardware(node: Node) -> str | None:
    """The label that says a node has GPUs, None where none does."""
    labels = node.labels
    present = [key for key in _HARDWARE if labels.get(key) == "true"]
    return next(iter(present + [key for key in _ACCELERATOR if labels.get(key)]), None)


def has_node_autoscaler(inventory: Inventory) -> bool:
    """Whether nodes of kinds that are not there yet may be made on demand."""
    return bool(
        inventory.modifying(Pod, term=NODE_AUTOSCALER)
        or inventory.modifying(ConfigMap, term=NODE_AUTOSCALER)
        or inventory.modifying(NodePool)
    )
