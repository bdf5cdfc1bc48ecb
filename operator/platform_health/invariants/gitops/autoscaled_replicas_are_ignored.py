"""AutoscaledReplicasAreIgnored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from platform_health.domain.argo import (
    APPLIER,
    REPLICAS,
    RESPECT,
    ignores_replicas,
    is_ignored,
    is_suspended,
    known_resources,
    may_be_denied,
    respects_ignores,
    tracks,
)
from platform_health.domain.autoscaling import (
    SCALABLE,
    SCALERS,
    declared_replicas,
    git_sets_replicas,
    really_scales,
    scalable,
    scale_manager,
    scalers_of,
)
from platform_health.domain.patches import appended
from platform_health.invariant import ERROR, WARNING, Fix, Inventory, Operation, Path, Unknown, Violation, invariant
from platform_health.views.apps import Rollout, Workload
from platform_health.views.argo import Application, AppProject
from platform_health.views.core import ConfigMap
from platform_health.views.view import SPEC


@invariant(
    severity=ERROR,
    symptom="replicas flap: every sync sets them back to what Git says, also from zero and to zero",
    needs=(*SCALABLE, *SCALERS, AppProject, ConfigMap),
    fixes=(Application,),
)
def autoscaled_replicas_are_ignored(application: Application, inventory: Inventory) -> Iterator[Violation]:
    """An Application leaves alone the replicas of a workload that an autoscaler owns.

    Why: where Git sets `replicas`, every change by the autoscaler is drift. With selfHeal, Argo CD reverts it within
    seconds; without, the next sync does. `ignoreDifferences` silences the diff only; a sync needs the option
    `RespectIgnoreDifferences=true` to leave the field alone.

    Remedy: best, delete `replicas` from Git. Else ignore `/spec/replicas` of this workload and set the sync option,
    which is done automatically unless the Application replaces objects or is generated.

    See: Argo CD, "Diff customization" and "Sync options".
    """
    if is_suspended(application) or not application.spec.destination.is_here:
        return
    for workload in _workloads(application, inventory):
        with inventory.part():
            scaler = _scaler(workload, inventory)
            if scaler is None or not git_sets_replicas(workload, APPLIER):
                continue
            ignored = is_ignored(application, workload, inventory)
            if ignored and respects_ignores(application):
                continue
            if may_be_denied(application, inventory):
                raise Unknown(f"project {application.spec.project} denies syncs at times")
            yield _violation(application, workload, scaler, is_ignored=ignored)


def _workloads(application: Application, inventory: Inventory) -> Iterator[Workload]:
    """The workloads of the Application that are there and that could be scaled."""
    found: dict[Any, Workload] = {}
    for entry in application.status.resources:
        view = scalable(entry.group, entry.kind)
        with inventory.part():
            workload = inventory.named(view, entry.namespace, entry.name) if view is not None else None
            if workload is not None:
                found[workload.ref] = workload
    if not application.status.resources:
        near = [workload for view in SCALABLE for workload in inventory.near(view) if tracks(application, workload)]
        found = {workload.ref: workload for workload in near}
        if not found:
            known_resources(application)
    for workload in found.values():
        if not (isinstance(workload, Rollout) and workload.spec.workload_ref):
            yield workload


def _scaler(workload: Workload, inventory: Inventory) -> str | None:
    """Who scales the workload, for people; None where nobody does."""
    try:
        for scaler in scalers_of(workload, inventory):
            if really_scales(scaler, declared_replicas(workload)):
                return str(scaler.ref)
        return scale_manager(workload)
    except Unknown:
        manager = scale_manager(workload)
        if manager is None:
            raise
        return manager


def _violation(application: Application, workload: Workload, scaler: str, *, is_ignored: bool) -> Violation:
    heals = application.automated is not None and application.automated.self_heal
    if is_ignored:
        at, severity = Path("spec.syncPolicy.syncOptions"), WARNING
        because = f"the replicas of {workload.ref}, which {scaler} scales, are ignored in the diff only: {RESPECT}=true"
        because += " is not set, so the next sync sets them back"
    else:
        at, severity = SPEC / "ignoreDifferences", ERROR if heals else WARNING
        when = "selfHeal sets them back" if heals else "the next sync sets them back"
        because = f"Git sets the replicas of {workload.ref}, which {scaler} scales, and no rule ignores them: {when}"
    inert = [rule for _, rule in application.ignore_rules() if ignores_replicas(rule, workload)] and not is_ignored
    return Violation(
        at=at,
        about=str(workload.ref),
        because=because,
        severity=severity,
        related=(workload.ref,),
        follows=(application.ref,) if inert else (),
        after=("IgnoreDifferencesMatch",),
        verify=f"kubectl get application -n {application.namespace} {application.name} -o yaml",
        fix=_fix(application, workload, is_ignored=is_ignored),
    )


def _fix(application: Application, workload: Workload, *, is_ignored: bool) -> Fix:
    operations: list[Operation] = []
    if not is_ignored:
        rule = {
            "group": workload.kind.group,
            "kind": workload.kind.name,
            "name": workload.name,
            "namespace": workload.namespace,
            "jsonPointers": [REPLICAS],
        }
        operations.append(appended(("spec", "ignoreDifferences"), application.spec.ignore_differences, rule))
    if not respects_ignores(application):
        operations += _respecting(application)
    generated = application.metadata.controller is not None
    replaces = generated or any("Replace=true" in option for option in application.sync_options)
    mutates = "IncludeMutationWebhook=true" in application.annotations.get("argocd.argoproj.io/compare-options", "")
    return Fix(
        title=f"ignore {REPLICAS} of {workload.ref} and respect that when syncing; better, delete replicas from Git",
        safety="unsafe" if replaces or mutates else "safe",
        target=application.ref,
        patch=tuple(operations),
    )


def _respecting(application: Application) -> Iterator[Operation]:
    options = application.sync_options
    if application.spec.sync_policy is None:
        yield Operation("add", "/spec/syncPolicy", {})
    for index, option in enumerate(options):
        if option.partition("=")[0] == RESPECT:
            yield Operation("replace", f"/spec/syncPolicy/syncOptions/{index}", f"{RESPECT}=true")
            return
    yield appended(("spec", "syncPolicy", "syncOptions"), options, f"{RESPECT}=true")
