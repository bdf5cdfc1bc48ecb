"""ModelFitsGpuMemory."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.command import Command, commands
from platform_health.domain.endings import BACK_OFF, OUT_OF_MEMORY, cause_in, last_end
from platform_health.domain.gpu_memory import Shortage, shortage
from platform_health.domain.pods import State, serves_models, states
from platform_health.domain.servers import servers_of
from platform_health.invariant import ERROR, WARNING, Inventory, Unknown, Violation, invariant
from platform_health.views.core import Pod, Terminated
from platform_health.views.view import Path

_RECENT_SECONDS = 3600


@invariant(severity=ERROR, symptom="HTTP 503: the server crashes before it answers")
def model_fits_gpu_memory(pod: Pod, inventory: Inventory) -> Iterator[Violation]:
    """A model with its context length and batch size fits into the memory of its GPUs.

    Why: the server loads the weights, then reserves a KV cache for at least one request of the full context length,
    then warms up with a full batch. Where one of these does not fit, it exits, and Kubernetes starts it again with the
    same outcome. After a crash under load it comes back, until the next peak.

    Remedy: the argument that the message names; where the server computed the value that fits, it is given. It is read
    from the termination message, which holds the log only with `terminationMessagePolicy: FallbackToLogsOnError`.

    See: vLLM, "Conserving Memory"; SGLang, "Hyperparameter Tuning".
    """
    if pod.is_stateless or pod.is_over:
        return
    for state in states(pod):
        end = last_end(state.status)
        if end is None or end.exit_code == 0 or end.reason == OUT_OF_MEMORY or not serves_models(pod):
            continue
        with inventory.part():
            yield from _judged(pod, state, end, inventory)


def _judged(pod: Pod, state: State, end: Terminated, inventory: Inventory) -> Iterator[Violation]:
    found = shortage(end.message)
    if found is None:
        _refuse_to_guess(state, end)
        return
    is_back = state.status.ready
    if is_back and inventory.lasted(end.finished_at, _RECENT_SECONDS):
        return
    name = state.container.name
    yield Violation(
        at=_at(state, found),
        about=name,
        because=f"container {name} has too little GPU memory: {found}",
        severity=WARNING if is_back else None,
        symptom="requests in progress are cut off when the server crashes" if is_back else None,
        verify=f"kubectl logs -n {pod.namespace} {pod.name} -c {name} --previous",
    )


def _refuse_to_guess(state: State, end: Terminated) -> None:
    """Raises Unknown where a server keeps crashing and does not say why, so that it may be its GPU memory."""
    waiting = state.status.state.waiting
    crashes = waiting is not None and waiting.reason == BACK_OFF
    is_server = any(True for _ in servers_of(state.container, state.at))
    if crashes and is_server and end.exit_code == 1 and cause_in(end.message) is None and not end.message:
        raise Unknown(
            f"container {state.container.name} leaves no message when it crashes; "
            "terminationMessagePolicy: FallbackToLogsOnError would show the end of its log"
        )


def _at(state: State, found: Shortage) -> Path:
    """The argument to change where it stands there, else the container."""
    container = state.container
    for field, words in (("args", container.args), ("command", container.command)):
        for index, word in enumerate(words):
            if found.flag and Command((word,), from_image=True).has(found.flag):
                return state.at / field / index
    return state.at if not commands(container) else state.at / ("args" if container.args else "command")
