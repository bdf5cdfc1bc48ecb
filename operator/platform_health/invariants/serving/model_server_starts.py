"""ModelServerStarts."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.endings import PULL
from platform_health.domain.pods import Trouble, restarts, serves_models, states, trouble
from platform_health.invariant import ERROR, Inventory, Violation, invariant
from platform_health.views.core import Pod


@invariant(severity=ERROR, symptom="HTTP 503: the pod answers no requests")
def model_server_starts(pod: Pod, inventory: Inventory) -> Iterator[Violation]:
    """The containers of a model server start and keep running.

    Why: a container that cannot get its image, its configuration or enough memory is tried again and again, with
    growing pauses; until it runs, its pod takes no requests. The reason that Kubernetes shows (CrashLoopBackOff) is
    only the last link of a chain: the cause stands in the exit code and the termination message of the last run.

    Remedy: what the message says. A container with `terminationMessagePolicy: FallbackToLogsOnError` leaves the end of
    its log in its status, where the cause can be read from; without it, look at `kubectl logs --previous`.

    See: Kubernetes, "Debug Running Pods"; vLLM, "Troubleshooting".
    """
    if pod.is_stateless or pod.is_over:
        return
    for state in states(pod):
        found = trouble(state, inventory)
        if found is None or not serves_models(pod):
            continue
        told = (found.cause.told_by,) if found.cause.told_by else ()
        yield Violation(
            at=state.at / "image" if found.reason in PULL else state.at,
            about=state.container.name,
            because=_because(found),
            verify=_verify(pod, found),
            follows=(pod.workload,) if told else (),
            after=told,
        )


def _because(found: Trouble) -> str:
    state = found.state
    what = f"container {state.container.name}"
    if found.reason in PULL:
        return f"{what} is in {found.reason}: {found.cause.words} ({state.container.image})"
    if found.reason == "restarting":
        return f"{what} keeps crashing ({state.status.restart_count} restarts): {found.cause.words}"
    return f"{what} is in {found.reason}{restarts(state.status)}: {found.cause.words}"


def _verify(pod: Pod, found: Trouble) -> str:
    if found.reason in ("restarting", "CrashLoopBackOff"):
        return f"kubectl logs -n {pod.namespace} {pod.name} -c {found.state.container.name} --previous"
    return f"kubectl describe pod -n {pod.namespace} {pod.name}"
