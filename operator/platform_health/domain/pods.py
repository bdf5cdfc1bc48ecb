"""What runs in a pod and why it does not: which pods serve models, and what keeps their containers from running."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from platform_health.domain.endings import (
    BACK_OFF,
    CONFIGURATION,
    CREATION,
    PULL,
    Cause,
    cause_of_end,
    last_end,
    waits_for,
)
from platform_health.domain.selection import is_gateway, is_job, is_picker
from platform_health.domain.servers import servers
from platform_health.inventory import Inventory
from platform_health.views.core import GPU_EXPORTER, GPU_USER, Container, ContainerStatus, Pod
from platform_health.views.view import Path, Ref

SERVING_LABELS = (
    "llm-d.ai/inference-serving",
    "llm-d.ai/inferenceServing",
    "serving.kserve.io/inferenceservice",
    "nvidia.com/dynamo-component-type",
)
"""Labels by which platforms mark the pods that serve models, whatever their image."""

_WITH_TEMPLATE = ("Deployment", "StatefulSet", "DaemonSet", "Rollout")

_STILL_BACKING_OFF_SECONDS = 600
"""The kubelet forgets earlier crashes of a container that has run this long (``MaxContainerBackOff``, twice)."""


class State(NamedTuple):
    """One container of a pod with its status."""

    at: Path
    container: Container
    status: ContainerStatus


class Trouble(NamedTuple):
    """Why one container does not run. ``told_by`` is the invariant that says more, if any."""

    state: State
    reason: str
    cause: Cause


def serves_models(pod: Pod) -> bool:
    """Whether a pod is meant to keep a model server running: a recognised server, or a platform's label."""
    if is_job(pod):
        return False
    return any(True for _ in servers(pod)) or any(label in pod.labels for label in SERVING_LABELS)


def is_of_platform(pod: Pod) -> bool:
    """Whether a pod is a part of an inference platform: it serves, picks, routes, or has or watches GPUs."""
    return (
        serves_models(pod)
        or is_picker(pod)
        or is_gateway(pod)
        or any(term in (GPU_USER, GPU_EXPORTER) for term in pod.terms())
    )


def states(pod: Pod) -> Iterator[State]:
    """The containers of a pod that have a status, init containers first."""
    if not pod.status.container_statuses and not pod.status.init_container_statuses:
        return
    by_name = {status.name: status for status in (*pod.status.init_container_statuses, *pod.status.container_statuses)}
    entries = sorted(pod.spec.all_containers(), key=lambda entry: not entry[0].startswith("spec.init"))
    for at, container in entries:
        status = by_name.get(container.name)
        if status is not None:
            yield State(at, container, status)


def trouble(state: State, inventory: Inventory) -> Trouble | None:
    """Why a container does not run, None where it runs, has done its work, or is only about to start."""
    waiting = state.status.state.waiting
    reason = waiting.reason if waiting is not None else ""
    if waiting is not None and reason in PULL | CONFIGURATION | CREATION:
        return Trouble(state, reason, Cause(waits_for(waiting), "ModelIsPrestaged" if reason in CONFIGURATION else ""))
    end = last_end(state.status)
    if reason == BACK_OFF:
        return Trouble(state, reason, cause_of_end(end) if end is not None else Cause("its status does not say why"))
    if end is not None and end.exit_code and _keeps_crashing(state.status, inventory):
        return Trouble(state, "restarting", cause_of_end(end))
    return None


def _keeps_crashing(status: ContainerStatus, inventory: Inventory) -> bool:
    """Whether a container is between two crashes: restarted several times, not ready, the last end a moment ago."""
    end = last_end(status)
    if end is None or status.ready or status.restart_count < 3:
        return False
    return not inventory.lasted(end.finished_at, _STILL_BACKING_OFF_SECONDS)


def template_of(pod: Pod) -> tuple[Ref, Path] | None:
    """The object whose pod template can be changed for this pod, and where it stands; None for bare pods and Jobs."""
    if is_job(pod):
        return None
    if pod.is_template:
        return pod.workload, pod.template_path
    return (pod.workload, pod.template_path) if pod.workload.kind.name in _WITH_TEMPLATE else None


def restarts(status: ContainerStatus) -> str:
    """``after 7 restarts``, for people; empty where there was none."""
    count = status.restart_count
    return f" after {count} restart{'s' if count > 1 else ''}" if count else ""
