"""IgnoreDifferencesMatch."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from platform_health.domain.argo import APPLIER, ignores_replicas, is_ignored, is_suspended, means
from platform_health.domain.autoscaling import (
    SCALABLE,
    SCALERS,
    declared_replicas,
    git_sets_replicas,
    really_scales,
    scalable,
    scalers_of,
)
from platform_health.invariant import ERROR, WARNING, Fix, Inventory, Operation, Unknown, Violation, invariant, pointer
from platform_health.views.argo import Application, IgnoreRule, TrackedResource
from platform_health.views.core import ConfigMap

GROUPS = {
    "apps": ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"),
    "autoscaling": ("HorizontalPodAutoscaler",),
    "batch": ("Job", "CronJob"),
    "networking.k8s.io": ("Ingress", "NetworkPolicy"),
    "policy": ("PodDisruptionBudget",),
    "rbac.authorization.k8s.io": ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"),
}
"""The group of kinds that stand in no other, so that a rule without it can never match."""


@invariant(
    severity=WARNING,
    symptom="the rule is inert: what it should ignore is still drift",
    needs=(*SCALABLE, *SCALERS, ConfigMap),
    fixes=(Application,),
)
def ignore_differences_match(application: Application, inventory: Inventory) -> Iterator[Violation]:
    """Every rule of ignoreDifferences matches a resource of its Application.

    Why: an empty `group` means the core group, not any. A rule for `kind: Deployment` without `group: apps` matches
    nothing, and Argo CD says nothing about it.

    Remedy: add the group. It is added automatically where only one group can be meant.

    See: Argo CD, "Diff customization", issue 28590.
    """
    if is_suspended(application):
        return
    for index, (at, rule) in enumerate(application.ignore_rules()):
        resources = application.status.resources
        if any(means(rule, entry) for entry in resources):
            continue
        meant = [entry for entry in resources if _is_meant(rule, entry)]
        groups = sorted({entry.group for entry in meant} or _known_groups(rule))
        if not groups:
            if not resources:
                with inventory.part():
                    raise Unknown(f"the status of {application.ref} does not say what it tracks")
            continue
        shadowed = _shadowed(rule, meant, application, inventory)
        yield Violation(
            at=at / "group",
            about=f"{rule.group}/{rule.kind} {rule.namespace}/{rule.name} {','.join(rule.json_pointers)}",
            because=f"a rule for {rule.kind} of group {rule.group or 'core (empty)'} matches nothing: "
            f"{rule.kind} is of group {' or '.join(groups) or 'core'}",
            severity=ERROR if shadowed else WARNING,
            symptom=f"the replicas of {shadowed} flap: the rule that should ignore them is inert" if shadowed else None,
            fix=_grouped(application, index, groups),
        )


def _is_meant(rule: IgnoreRule, entry: TrackedResource) -> bool:
    return (
        fnmatchcase(entry.kind, rule.kind)
        and rule.name in ("", entry.name)
        and rule.namespace in ("", entry.namespace)
        and not fnmatchcase(entry.group, rule.group)
    )


def _known_groups(rule: IgnoreRule) -> list[str]:
    if rule.group:
        return []
    return [group for group, kinds in GROUPS.items() if rule.kind in kinds]


def _shadowed(
    rule: IgnoreRule, meant: list[TrackedResource], application: Application, inventory: Inventory
) -> str | None:
    """An autoscaled workload whose replicas the rule was to ignore and nothing else does; None where none is known."""
    for entry in meant:
        view = scalable(entry.group, entry.kind)
        if view is None or not application.spec.destination.is_here:
            continue
        try:
            workload = inventory.named(view, entry.namespace, entry.name)
            if workload is None or not ignores_replicas(rule, workload) or is_ignored(application, workload, inventory):
                continue
            scalers = scalers_of(workload, inventory)
            if any(really_scales(one, declared_replicas(workload)) for one in scalers) and git_sets_replicas(
                workload, APPLIER
            ):
                return str(workload.ref)
        except Unknown:
            continue
    return None


def _grouped(application: Application, index: int, groups: list[str]) -> Fix | None:
    if len(groups) != 1:
        return None
    path = pointer("spec", "ignoreDifferences", index, "group")
    return Fix(
        title=f"set group {groups[0]}",
        safety="safe" if application.metadata.controller is None else "unsafe",
        target=application.ref,
        patch=(Operation("add", path, groups[0]),),
    )
