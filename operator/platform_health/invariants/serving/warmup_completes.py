"""WarmupCompletes."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.warmup import Obstacle, is_superseded, obstacles, warms_up
from platform_health.invariant import WARNING, Inventory, Violation, invariant
from platform_health.views.apps import Job
from platform_health.views.core import Pod
from platform_health.views.view import Condition, Path

_ALLOWANCE_SECONDS = 3600


@invariant(
    severity=WARNING, symptom="the first answers are slow: the model is downloaded or warmed up by them", needs=(Pod,)
)
def warmup_completes(job: Job, inventory: Inventory) -> Iterator[Violation]:
    """A Job that downloads a model or warms it up gets done.

    Why: without it the first requests after a start pay for the download, the compilation and the empty cache, or a
    server in offline mode finds no model at all.

    Remedy: what the message names: a GPU request that no node can fill, an image that cannot be pulled, a token that
    may not read the repository, a prompt beyond `--max-model-len`, or an `activeDeadlineSeconds` shorter than the
    download takes. A Job without a deadline is named after one hour.

    See: Kubernetes, "Jobs"; Hugging Face, "Download files from the Hub".
    """
    status = job.status
    failed = next((entry for entry in status.conditions if (entry.type, entry.status) == ("Failed", "True")), None)
    is_over = failed is None and not status.active
    if job.spec.suspend or is_over or not warms_up(job) or is_superseded(job, inventory):
        return
    found = obstacles(job, inventory)
    if failed is not None:
        yield _violation(job, _failure(job, failed), next(iter(found), None))
        return
    final = next((entry for entry in found if entry.is_final), None)
    if final is not None:
        yield _violation(job, "it cannot go on", final)
    elif job.spec.active_deadline_seconds is None and inventory.lasted(
        status.start_time, _ALLOWANCE_SECONDS, unknown=False
    ):
        what = f"it has been running since {status.start_time}, for more than an hour"
        yield _violation(job, what, next(iter(found), None))


def _failure(job: Job, failed: Condition) -> str:
    if failed.reason == "DeadlineExceeded":
        return f"it was ended by its activeDeadlineSeconds of {job.spec.active_deadline_seconds}"
    attempts = f" after {job.status.failed} attempts" if job.status.failed > 1 else ""
    return f"it failed{attempts} ({failed.reason or 'no reason given'})"


def _violation(job: Job, what: str, why: Obstacle | None) -> Violation:
    template = Path("spec.template")
    at = template.join(why.at) if why is not None else Path("spec.activeDeadlineSeconds")
    return Violation(
        at=at,
        because=f"{what}; {why.words}" if why is not None else what,
        verify=f"kubectl logs -n {job.namespace} job/{job.name} --all-containers",
        follows=(job.ref,) if why is not None and why.told_by else (),
        after=(why.told_by,) if why is not None and why.told_by else (),
    )
