"""ScalerTargetExists."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.autoscaling import SCALABLE, SCALERS, scalable
from platform_health.invariant import ERROR, Inventory, Violation, invariant, nearest
from platform_health.views.scaling import HorizontalPodAutoscaler, ScaledObject, Scaler, target_term

TRANSFER = "scaledobject.keda.sh/transfer-hpa-ownership"


@invariant(
    severity=ERROR,
    symptom="no scaling: the number of replicas stays what it is",
    needs=(*SCALABLE, *SCALERS),
)
def scaler_target_exists(scaler: HorizontalPodAutoscaler | ScaledObject, inventory: Inventory) -> Iterator[Violation]:
    """The target of an autoscaler exists, in its namespace, and no other autoscaler scales it.

    Why: a scaler whose target does not exist does nothing. Two scalers of one workload fight: an HPA refuses to act on
    pods that another one selects too, and KEDA makes an HPA of its own.

    Remedy: correct `scaleTargetRef` (KEDA's default kind is Deployment), or delete one of the two.

    See: KEDA, "Scaling Deployments"; Kubernetes, HPA condition AmbiguousSelector.
    """
    target = scaler.target
    view = scalable(target.group, target.kind)
    if view is None or _is_kedas(scaler):
        return
    with inventory.part():
        if inventory.named(view, scaler.namespace, target.name) is None:
            yield Violation(
                at=scaler.target_at / "name",
                about="target",
                because=f"{target.kind} {scaler.namespace}/{target.name} does not exist",
                nearest=nearest(target.name, (found.name for found in inventory.near(view, scaler.namespace))),
                verify=f"kubectl get {view.kind.plural} -n {scaler.namespace} {target.name}",
            )
    for rival in _rivals(scaler, inventory):
        yield Violation(
            at=scaler.target_at,
            about=f"rival {rival.ref}",
            because=f"{rival.ref} scales {target.kind} {target.name} too",
            related=(rival.ref,),
        )
        return


def _is_kedas(scaler: Scaler) -> bool:
    return isinstance(scaler, HorizontalPodAutoscaler) and scaler.is_keda


def _rivals(scaler: Scaler, inventory: Inventory) -> Iterator[Scaler]:
    """The other scalers of the same target; only the younger of two names the other."""
    term = target_term(scaler.target)
    for kind in SCALERS:
        if not inventory.is_known(kind):
            continue
        for other in inventory.modifying(kind, scaler.namespace, term):
            if other.ref == scaler.ref or other.is_going or _is_kedas(other) or _takes_over(scaler, other):
                continue
            if _order(other) < _order(scaler):
                yield other


def _takes_over(one: Scaler, two: Scaler) -> bool:
    """Whether one is a ScaledObject that is told to take over an existing HPA."""
    return any(found.annotations.get(TRANSFER) == "true" for found in (one, two))


def _order(scaler: Scaler) -> tuple[str, bool, str]:
    return (scaler.metadata.creation_timestamp or "", isinstance(scaler, HorizontalPodAutoscaler), scaler.name)
