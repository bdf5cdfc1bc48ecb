"""ScorersAreFed."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.images import image
from platform_health.domain.pickers import Picker, pickers_of
from platform_health.domain.scoring import Look, cannot_pick, remarks, scoring
from platform_health.domain.selection import is_picker, is_worker, one_per_template, pods_of_pool
from platform_health.invariant import ERROR, WARNING, Inventory, Violation, invariant
from platform_health.views.core import ConfigMap, Pod, Service
from platform_health.views.inference import InferencePool, LegacyInferencePool


@invariant(
    severity=WARNING,
    symptom="uneven load: a scorer that gets no data treats all pods alike",
    needs=(Pod, Service, ConfigMap),
)
def scorers_are_fed(pool: InferencePool | LegacyInferencePool, inventory: Inventory) -> Iterator[Violation]:
    """The pods of a pool emit what its picker's scorers read, and carry the roles that its filters ask for.

    Why: the picker scrapes every pod and knows the metrics of one engine unless it is told otherwise. SGLang emits none
    without `--enable-metrics`, vLLM none with `--disable-log-stats`; the metric of KV cache usage was renamed; another
    engine has other names. A filter for roles that no pod carries leaves nothing to pick.

    Remedy: the message names the flag, label or parameter. An engine is named by the pod label `llm-d.ai/engine-type`,
    or by `defaultEngine` of `core-metrics-extractor`.

    See: llm-d-router, `core-metrics-extractor`; Gateway API Inference Extension, "Unexpected routing".
    """
    ready = one_per_template(pod for pod in pods_of_pool(pool, inventory) if pod.is_ready)
    pods = [pod for pod in ready if not is_worker(pod) and not is_picker(pod)]
    for picker in _one_per_workload(pickers_of(pool, inventory)):
        look = Look(pool, picker, scoring(picker, inventory), pods)
        for judge in remarks:
            with inventory.part():
                for remark in judge(look):
                    yield Violation(
                        at=pool.selector_at if remark.of_pods else pool.picker_at,
                        about=f"{remark.about} of {picker.pod.workload.name}",
                        because=remark.because,
                        severity=remark.severity,
                        related=(*remark.related, picker.pod.workload),
                    )
        reason = cannot_pick(look)
        if reason:
            yield Violation(
                at=pool.selector_at,
                about=f"roles of {picker.pod.workload.name}",
                because=reason,
                severity=ERROR,
                symptom="HTTP 503: the filter leaves no pod to pick",
                related=(picker.pod.workload,),
            )


def _one_per_workload(pickers: list[Picker]) -> list[Picker]:
    found = {picker.pod.workload: picker for picker in pickers if image(picker.container.image).name != "lwepp"}
    return list(found.values())
