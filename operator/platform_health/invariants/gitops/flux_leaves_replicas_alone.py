"""FluxLeavesReplicasAlone."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.autoscaling import (
    SCALABLE,
    SCALERS,
    declared_replicas,
    managers,
    really_scales,
    scalers_of,
)
from platform_health.domain.flux import DRIFT_DETECTION, RECONCILE, SSA, ignores, is_marked
from platform_health.domain.patches import appended
from platform_health.invariant import ERROR, INFO, Fix, Inventory, Unknown, Violation, invariant
from platform_health.views.apps import Workload
from platform_health.views.flux import HELM, KUSTOMIZE, HelmRelease, Kustomization
from platform_health.views.view import SPEC, label_term


@invariant(
    severity=ERROR,
    symptom="replicas flap: every reconciliation sets them back to what Git says",
    needs=(*SCALABLE, *SCALERS),
    fixes=(HelmRelease,),
)
def flux_leaves_replicas_alone(owner: Kustomization | HelmRelease, inventory: Inventory) -> Iterator[Violation]:
    """A Kustomization or HelmRelease of Flux leaves alone the replicas of a workload that an autoscaler owns.

    Why: kustomize-controller applies what Git says at every interval; helm-controller puts drift right where
    `driftDetection.mode` is enabled, and resets replicas with every upgrade where it is not.

    Remedy: delete `replicas` from what Flux applies, or have it ignore `/spec/replicas` of this workload. For a
    HelmRelease with drift detection the rule is added automatically.

    See: Flux, `spec.ignore` and `driftDetection.ignore`.
    """
    if owner.spec.suspend:
        return
    for workload in _workloads(owner, inventory):
        with inventory.part():
            scalers = [
                one for one in scalers_of(workload, inventory) if really_scales(one, declared_replicas(workload))
            ]
            if not scalers:
                continue
            if isinstance(owner, Kustomization):
                yield from _of_kustomization(owner, workload, str(scalers[0].ref))
            else:
                yield from _of_release(owner, workload, str(scalers[0].ref))


def _workloads(owner: Kustomization | HelmRelease, inventory: Inventory) -> Iterator[Workload]:
    prefix = KUSTOMIZE if isinstance(owner, Kustomization) else HELM
    for kind in SCALABLE:
        for workload in inventory.modifying(kind, term=label_term(f"{prefix}/name", owner.name)):
            if workload.labels.get(f"{prefix}/namespace") == owner.namespace and not workload.is_going:
                yield workload


def _of_kustomization(owner: Kustomization, workload: Workload, scaler: str) -> Iterator[Violation]:
    applied = any(
        entry.manager == "kustomize-controller" and entry.operation == "Apply" and entry.owns_replicas
        for entry in managers(workload)
    )
    left_alone = is_marked(workload, RECONCILE, "disabled") or is_marked(workload, SSA, "IfNotPresent", "Ignore")
    if applied and not left_alone and not ignores(owner.spec.ignore, workload):
        every = f" every {owner.spec.interval}" if owner.spec.interval else ""
        yield Violation(
            at=SPEC / "ignore",
            about=str(workload.ref),
            because=f"it applies the replicas of {workload.ref}, which {scaler} scales,{every or ' again and again'}",
            related=(workload.ref,),
            verify=f"kubectl get {workload.kind.plural} -n {workload.namespace} {workload.name} --show-managed-fields",
            fix=Fix(title="delete replicas from the Kustomization's manifests", safety="manual", target=owner.ref),
        )


def _of_release(owner: HelmRelease, workload: Workload, scaler: str) -> Iterator[Violation]:
    detection = owner.spec.drift_detection
    rules = detection.ignore if detection else ()
    if not any(entry.manager == "helm-controller" and entry.owns_replicas for entry in managers(workload)):
        raise Unknown(f"nothing shows whether the release sets the replicas of {workload.ref}")
    corrects = detection is not None and detection.mode == "enabled"
    if not corrects or is_marked(workload, DRIFT_DETECTION, "disabled"):
        yield Violation(
            at=SPEC / "driftDetection",
            about=str(workload.ref),
            because=f"every upgrade sets back the replicas of {workload.ref}, which {scaler} scales",
            severity=INFO,
            symptom="replicas jump back at an upgrade",
            related=(workload.ref,),
        )
    elif not ignores(rules, workload):
        rule = {"paths": ["/spec/replicas"], "target": {"kind": workload.kind.name, "name": workload.name}}
        yield Violation(
            at=SPEC / "driftDetection" / "ignore",
            about=str(workload.ref),
            because=f"drift detection sets back the replicas of {workload.ref}, which {scaler} scales",
            related=(workload.ref,),
            fix=Fix(
                title=f"ignore /spec/replicas of {workload.ref}",
                safety="safe",
                target=owner.ref,
                patch=(appended(("spec", "driftDetection", "ignore"), rules, rule),),
            ),
        )
