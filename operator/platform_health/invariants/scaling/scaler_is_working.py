"""ScalerIsWorking."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.invariant import ERROR, Inventory, Path, Violation, invariant
from platform_health.views.apiregistration import APIService
from platform_health.views.scaling import HorizontalPodAutoscaler, MetricSpec, ScaledObject
from platform_health.views.view import SPEC, Condition, condition

GRACE_SECONDS = 300
CAUSES = ("ScalerTargetExists", "ScalerQueryCanMatch", "MetricNamesAreCurrent")
_FAILING = (
    "FailedGetExternalMetric",
    "FailedGetObjectMetric",
    "FailedGetPodsMetric",
    "FailedGetResourceMetric",
    "FailedGetContainerResourceMetric",
    "InvalidMetricSourceType",
    "InvalidSelector",
    "AmbiguousSelector",
)
_APIS = {
    "external": ("v1beta1.external.metrics.k8s.io",),
    "custom": ("v1beta2.custom.metrics.k8s.io", "v1beta1.custom.metrics.k8s.io"),
}


@invariant(
    severity=ERROR,
    symptom="no scaling: the number of replicas stays what it is",
    needs=(APIService,),
)
def scaler_is_working(scaler: HorizontalPodAutoscaler | ScaledObject, inventory: Inventory) -> Iterator[Violation]:
    """An autoscaler is Ready and gets its metrics, and the metrics API that it asks is there.

    Why: a ScaledObject that is not Ready, or that has fallen back to a fixed number, no longer follows the load; nor
    does an HPA that cannot read its metric. A target at zero replicas and a scaler at its maximum are no failures.

    Remedy: the message says what fails. For an external or custom metric, see that an adapter answers for its API.

    See: Kubernetes, "HorizontalPodAutoscaler", status conditions; KEDA, "Troubleshooting".
    """
    if isinstance(scaler, ScaledObject):
        yield from _of_scaled_object(scaler, inventory)
    elif not scaler.is_keda:
        yield from _of_autoscaler(scaler)
        yield from _apis(scaler, inventory)


def _of_scaled_object(scaler: ScaledObject, inventory: Inventory) -> Iterator[Violation]:
    if scaler.is_paused:
        return
    ready = condition(scaler.status.conditions, "Ready")
    if ready and ready.status == "False" and inventory.lasted(ready.last_transition_time, GRACE_SECONDS):
        yield _said(scaler, "it is not Ready", ready)
        return
    fallback = condition(scaler.status.conditions, "Fallback")
    if fallback and fallback.status == "True":
        yield _said(scaler, "it has fallen back to a fixed number of replicas", fallback)


def _of_autoscaler(scaler: HorizontalPodAutoscaler) -> Iterator[Violation]:
    active = condition(scaler.status.conditions, "ScalingActive")
    if active and active.status == "False" and active.reason in _FAILING:
        yield _said(scaler, "it cannot compute a number of replicas", active)
    able = condition(scaler.status.conditions, "AbleToScale")
    if able and able.status == "False" and able.reason == "FailedGetScale":
        yield _said(scaler, "it cannot read the scale of its target", able)


def _said(scaler: HorizontalPodAutoscaler | ScaledObject, what: str, entry: Condition) -> Violation:
    return Violation(
        at=SPEC,
        about=entry.type,
        because=f"{what}: {entry.reason}{f', {entry.message}' if entry.message else ''}",
        follows=(scaler.ref,),
        after=CAUSES,
        verify=f"kubectl describe {scaler.kind.plural} -n {scaler.namespace} {scaler.name}",
    )


def _apis(scaler: HorizontalPodAutoscaler, inventory: Inventory) -> Iterator[Violation]:
    for index, metric in enumerate(scaler.spec.metrics):
        family = _family(metric)
        if family is not None:
            with inventory.part():
                yield from _api(Path("spec.metrics") / index, family, inventory)


def _family(metric: MetricSpec) -> str | None:
    if metric.external is not None:
        return "external"
    return "custom" if metric.custom is not None else None


def _api(at: Path, family: str, inventory: Inventory) -> Iterator[Violation]:
    found = [api for api in (inventory.named(APIService, "", name) for name in _APIS[family]) if api is not None]
    if not found:
        yield Violation(
            at=at,
            about=f"api {family}",
            because=f"nothing answers for {family}.metrics.k8s.io: no adapter is installed",
            verify=f"kubectl get apiservices | grep {family}.metrics.k8s.io",
        )
    elif all(api.unavailable for api in found):
        said = found[0].unavailable
        because = f"{found[0].ref} is not available{f': {said.message or said.reason}' if said else ''}"
        yield Violation(at=at, about=f"api {family}", because=because, related=(found[0].ref,))
