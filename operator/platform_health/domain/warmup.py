"""Which Jobs warm a model up or fetch one, and why such a Job does not get done."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from platform_health.domain.command import commands
from platform_health.domain.endings import CURL_EXIT_CODES, Cause, cause_in, cause_of_end, last_end
from platform_health.domain.pods import State, states, trouble
from platform_health.inventory import Inventory
from platform_health.views.apps import Job
from platform_health.views.core import Container, Pod, workload_term
from platform_health.views.view import Path, condition

UNSCHEDULED_SECONDS = 300

_PURPOSE = re.compile(r"warm-?up|warmer|pre-?warm|pre-?load|pre-?stage|pre-?fetch|pull|download|fetch", re.IGNORECASE)
_MODEL = re.compile(
    r"model|weights|llm|sglang|\btgi\b|ollama|llama|qwen|mistral|mixtral|gemma|deepseek|\bphi|gpt|inference|hugging-?face"
    r"|\bhf\b",
    re.IGNORECASE,
)
_CALL = re.compile(r"/v1/(?:chat/completions|completions|models|embeddings|responses)\b|/api/(?:generate|chat|pull)\b")
_DOWNLOAD = re.compile(r"snapshot_download|hf_hub_download")
_CALLERS = re.compile(r"(?:curl|wget|python[0-9.]*)\Z")


class Obstacle(NamedTuple):
    """What stands in the way of a Job: where in its pod, in words, and the invariant that says more."""

    at: Path
    words: str
    told_by: str = ""
    is_final: bool = False
    """Whether trying again and waiting cannot help."""


def warms_up(subject: Job | Pod) -> bool:
    """Whether a Job, or a pod of one, warms a model up or fetches one: by its names, or by what it runs."""
    if isinstance(subject, Pod) and subject.workload.kind is not Job.kind:
        return False
    spec = subject.spec if isinstance(subject, Pod) else subject.spec.template.spec
    containers = [container for _, container in spec.all_containers()]
    names = " ".join((subject.name, *subject.labels.values(), *(container.name for container in containers)))
    about = " ".join((names, *(container.image for container in containers)))
    named = _PURPOSE.search(names) is not None and _MODEL.search(about) is not None
    return named or any(_fetches(container) for container in containers)


def _fetches(container: Container) -> bool:
    """Whether a container downloads from a model hub, or calls the API of a model server."""
    words = " ".join((*container.command, *container.args))
    run = commands(container)
    if _DOWNLOAD.search(words):
        return True
    for command in run:
        first = command.arguments[:1]
        if (command.program in ("hf", "huggingface-cli") and first == ("download",)) or (
            command.program == "ollama" and first == ("pull",)
        ):
            return True
    return _CALL.search(words) is not None and any(_CALLERS.match(command.program) for command in run)


def obstacles(job: Job, inventory: Inventory) -> list[Obstacle]:
    """What the pods of a Job say about why it is not done, the latest pod first; empty where they are not known."""
    if not inventory.is_known(Pod):
        return []
    pods = [pod for pod in inventory.modifying(Pod, job.namespace, workload_term(job.ref)) if not pod.is_stateless]
    pods.sort(key=lambda pod: pod.status.start_time or "", reverse=True)
    return [found for pod in pods for found in _in_pod(pod, inventory)]


def _in_pod(pod: Pod, inventory: Inventory) -> Iterator[Obstacle]:
    for state in states(pod):
        found = trouble(state, inventory)
        if found is not None and found.reason not in ("CrashLoopBackOff", "restarting"):
            words = f"container {state.container.name} is in {found.reason}: {found.cause.words}"
            yield Obstacle(state.at, words, found.cause.told_by, is_final=True)
            continue
        end = last_end(state.status)
        if end is not None and end.exit_code:
            cause = _cause(state, end.exit_code) or cause_of_end(end)
            yield Obstacle(state.at, f"container {state.container.name}: {cause.words}", cause.told_by)
    scheduled = condition(pod.status.conditions, "PodScheduled")
    is_refused = scheduled is not None and (scheduled.status, scheduled.reason) == ("False", "Unschedulable")
    if scheduled is not None and is_refused and inventory.lasted(scheduled.last_transition_time, UNSCHEDULED_SECONDS):
        words = f"no node takes its pod: {_first_sentence(scheduled.message)}"
        yield Obstacle(Path("spec"), words, "GpuRequestFits", is_final=True)


def _cause(state: State, code: int) -> Cause | None:
    """What an exit code of curl means, where curl is what ran and nothing better was said."""
    end = last_end(state.status)
    words = CURL_EXIT_CODES.get(code)
    calls = any(command.program == "curl" for command in commands(state.container))
    if words is None or not calls or end is None or cause_in(end.message) is not None:
        return None
    hint = ": 400 for a prompt beyond --max-model-len, 401 without the key, 404 for another model name"
    return Cause(f"curl exit code {code}, {words}{hint if code == 22 else ''}")


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].strip() or "the scheduler does not say why"


def is_superseded(job: Job, inventory: Inventory) -> bool:
    """Whether the CronJob that made this Job has started another one since."""
    owner = job.metadata.controller
    if owner is None:
        return False
    return any(_age(other) > _age(job) for other in _siblings(job, inventory.modifying(Job, job.namespace)))


def _siblings(job: Job, others: Iterable[Job]) -> Iterator[Job]:
    owner = job.metadata.controller
    return (other for other in others if other.metadata.controller == owner and other.name != job.name)


def _age(job: Job) -> str:
    return job.status.start_time or job.metadata.creation_timestamp or ""
