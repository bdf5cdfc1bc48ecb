"""PodFitsHostMemory."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.endings import OUT_OF_MEMORY
from platform_health.domain.pods import State, is_of_platform, states
from platform_health.domain.warmup import warms_up
from platform_health.invariant import ERROR, Inventory, Violation, invariant
from platform_health.views.core import Pod

_RECENT_SECONDS = 3600


@invariant(severity=ERROR, symptom="restarts: requests in progress are cut off, and the model is loaded again")
def pod_fits_host_memory(pod: Pod, inventory: Inventory) -> Iterator[Violation]:
    """No container is killed for using more memory than its limit or its node allows.

    Why: loading weights, pinned buffers, CPU offloading and shared memory use the memory of the host, beside that of
    the GPU. Beyond the limit the kernel kills the container (reason OOMKilled). Exit code 137 alone proves nothing: a
    failed liveness probe ends a container with the same code.

    Remedy: raise `resources.limits.memory`, or load less at a time (a smaller `--swap-space`, `--cpu-offload-gb`,
    fewer parallel downloads). What is written to an emptyDir with medium Memory, such as `/dev/shm`, counts too.

    See: Kubernetes, "Assign Memory Resources to Containers and Pods".
    """
    if pod.is_stateless or pod.status.phase == "Succeeded":
        return
    for state in states(pod):
        ends = (state.status.state.terminated, state.status.last_state.terminated)
        end = next((end for end in ends if end is not None and end.reason == OUT_OF_MEMORY), None)
        if end is None or not (is_of_platform(pod) or warms_up(pod)):
            continue
        if inventory.lasted(end.finished_at, _RECENT_SECONDS, unknown=False):
            continue
        name = state.container.name
        yield Violation(
            at=state.at / "resources" / "limits" / "memory",
            about=name,
            because=f"container {name} was OOMKilled: {_room(pod, state)}",
            verify=f"kubectl describe pod -n {pod.namespace} {pod.name}",
        )


def _room(pod: Pod, state: State) -> str:
    limit = state.container.resources.limits.get("memory")
    shared = [
        volume.name
        for volume in pod.spec.volumes
        if volume.empty_dir is not None
        and volume.empty_dir.get("medium") == "Memory"
        and any(mount.name == volume.name for mount in state.container.volume_mounts)
    ]
    counted = f", of which the volume {shared[0]} (medium Memory) takes a part" if shared else ""
    if limit is None:
        return f"it has no memory limit, so its node or its pod ran out of memory{counted}"
    return f"its memory limit is {limit}{counted}"
