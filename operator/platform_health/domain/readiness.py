"""Why a pod is not Ready, and how long it may take to become so."""

from __future__ import annotations

from platform_health.domain.pods import states, trouble
from platform_health.inventory import Inventory
from platform_health.views.core import Pod
from platform_health.views.view import condition


def has_failed(pod: Pod, inventory: Inventory) -> bool:
    """Whether waiting will not help: a container keeps crashing, cannot be created, or its image cannot be pulled."""
    return any(trouble(state, inventory) is not None for state in states(pod))


def why_not_ready(pod: Pod, inventory: Inventory) -> str:
    """What keeps a pod from being Ready, in a few words."""
    for state in states(pod):
        found = trouble(state, inventory)
        if found is not None:
            return f"is in {found.reason} (container {state.container.name})"
    scheduled = condition(pod.status.conditions, "PodScheduled")
    if scheduled is not None and scheduled.status == "False":
        return f"is not scheduled: {scheduled.message or scheduled.reason}"
    if pod.status.phase == "Pending":
        waits = (state.status.state.waiting for state in states(pod))
        reasons = [waiting.reason for waiting in waits if waiting is not None and waiting.reason]
        return f"is Pending ({reasons[0]})" if reasons else "is Pending"
    unready = next((status.name for status in pod.status.container_statuses if not status.ready), "")
    return f"runs, but container {unready} is not Ready" if unready else "runs, but is not Ready"


def start_allowance(pod: Pod) -> float:
    """How many seconds the pod's own probes grant it to start."""
    allowances = [0.0]
    for _, container in pod.spec.long_running():
        probe = container.startup_probe or container.readiness_probe
        if probe is not None:
            rounds = probe.failure_threshold if container.startup_probe is not None else 1
            allowances.append(float(probe.initial_delay_seconds + rounds * probe.period_seconds))
    return max(allowances)


def unready_since(pod: Pod) -> str | None:
    """Since when a pod is not Ready: the last transition of its condition, else its start."""
    ready = condition(pod.status.conditions, "Ready")
    since = ready.last_transition_time if ready is not None else None
    return since or pod.status.start_time or pod.metadata.creation_timestamp
