"""GpuIsAllocatable."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.gpu import OPERANDS, WORKLOAD, is_virtual
from platform_health.domain.scheduling import GPU, gpu_hardware
from platform_health.invariant import ERROR, Inventory, Violation, invariant
from platform_health.views.core import Node, Pod, node_term
from platform_health.views.resource import ResourceSlice
from platform_health.views.view import METADATA, condition

GRACE_SECONDS = 600
DRIVER_SECONDS = 1200
_ON_PURPOSE = (
    (OPERANDS, "false"),
    ("nvidia.com/gpu.deploy.device-plugin", "false"),
    ("gke-no-default-nvidia-gpu-device-plugin", "true"),
    ("cloud.google.com/gke-gpu-driver-version", "disabled"),
)


@invariant(
    severity=ERROR,
    symptom="pods that ask for its GPUs stay Pending",
    needs=(Pod, ResourceSlice),
)
def gpu_is_allocatable(node: Node, inventory: Inventory) -> Iterator[Violation]:
    """A node with GPU hardware offers allocatable GPUs.

    Why: the device plugin reports GPUs to the kubelet, and it needs the driver. Without either, the node is Ready and
    has the labels of a GPU node, but nothing that asks for a GPU is ever scheduled on it.

    Remedy: look at the pods of the driver and of the device plugin on this node. A node whose GPUs are passed through
    to virtual machines, or handed out by dynamic resource allocation, is left alone.

    See: NVIDIA GPU operator, "Troubleshooting".
    """
    evidence = gpu_hardware(node)
    ready = condition(node.status.conditions, "Ready")
    if evidence is None or ready is None or not node.is_ready or is_virtual(node) or _is_meant(node):
        return
    if any(GPU.match(name) and node.allocatable(name) > 0 for name in node.status.allocatable):
        return
    if not inventory.lasted(ready.last_transition_time, GRACE_SECONDS) or _installs(node, inventory):
        return
    if inventory.modifying(ResourceSlice, term=node_term(node.name)):
        return
    had = sorted(name for name in node.status.capacity if GPU.match(name))
    found = f"lists {', '.join(had)} but none is allocatable" if had else "offers no GPU"
    yield Violation(
        at=METADATA / "labels" / evidence,
        because=f"label {evidence}={node.labels[evidence]} says that it has GPUs, but it {found}: "
        "the driver or the device plugin does not run here",
        verify=f"kubectl get pods -A --field-selector spec.nodeName={node.name} | grep -i -e device-plugin -e driver",
    )


def _is_meant(node: Node) -> bool:
    on_purpose = any(node.labels.get(key) == value for key, value in _ON_PURPOSE)
    return on_purpose or node.labels.get(WORKLOAD, "").startswith("vm-")


def _installs(node: Node, inventory: Inventory) -> bool:
    """Whether the driver's pod on the node is young and not Ready yet."""
    return any(
        "nvidia-driver" in pod.workload.name
        and not pod.is_ready
        and not inventory.lasted(pod.metadata.creation_timestamp, DRIVER_SECONDS, unknown=False)
        for pod in inventory.modifying(Pod, term=node_term(node.name))
    )
