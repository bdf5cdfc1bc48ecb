"""What an Argo CD Application ignores, and what it deploys.

Facts: Argo CD 3.6, ``util/argo/normalizers/diff_normalizer.go``: group and kind of a rule are globs, so an empty group
matches the core group only; name and namespace are exact, empty means any. ``ignoreDifferences`` silences the diff;
only with the sync option ``RespectIgnoreDifferences=true`` a sync leaves the field alone too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from platform_health.domain.autoscaling import AUTOSCALER_MANAGERS, managers
from platform_health.domain.ownership import TRACKING_ANNOTATION, tracking
from platform_health.inventory import Inventory, Unknown
from platform_health.views.apps import Workload
from platform_health.views.argo import Application, AppProject, IgnoreRule, TrackedResource
from platform_health.views.core import ConfigMap, name_term
from platform_health.views.view import Ref

REPLICAS = "/spec/replicas"
RESPECT = "RespectIgnoreDifferences"
APPLIER = "argocd-controller"
SKIP = "argocd.argoproj.io/skip-reconcile"
_SYSTEM = "resource.customizations.ignoreDifferences."


def is_suspended(application: Application) -> bool:
    """Whether Argo CD does not look at the Application at all."""
    return application.annotations.get(SKIP) == "true"


def may_be_denied(application: Application, inventory: Inventory) -> bool:
    """Whether the project has times in which syncs are denied, which cannot be told from here."""
    projects = inventory.modifying(AppProject, application.namespace)
    return any(
        window.kind == "deny"
        for project in projects
        if project.name == application.spec.project
        for window in project.spec.sync_windows
    )


def tracks(application: Application, workload: Workload) -> bool:
    """Whether an object belongs to the Application: by its status, or by the object's own tracking annotation."""
    if application.tracks(workload.ref):
        return True
    found = tracking(workload.annotations.get(TRACKING_ANNOTATION, ""))
    names = (application.name, f"{application.namespace}_{application.name}")
    return found is not None and found.application in names and found.means(workload.ref)


def means(rule: IgnoreRule, ref: Ref | TrackedResource) -> bool:
    """Whether a rule of ignoreDifferences is about an object."""
    group, kind = (ref.kind.group, ref.kind.name) if isinstance(ref, Ref) else (ref.group, ref.kind)
    return (
        fnmatchcase(group, rule.group)
        and fnmatchcase(kind, rule.kind)
        and rule.name in ("", ref.name)
        and rule.namespace in ("", ref.namespace)
    )


def ignores_replicas(rule: IgnoreRule, workload: Workload) -> bool:
    """Whether a rule, once it matches the workload, leaves its replicas out of the diff."""
    return (
        any(_covers(path) for path in rule.json_pointers)
        or any("replicas" in expression or _is_whole(expression) for expression in rule.jq_path_expressions)
        or bool(set(rule.managed_fields_managers) & _writers(workload))
    )


def _covers(path: str) -> bool:
    return path == REPLICAS or REPLICAS.startswith(path.rstrip("/") + "/")


def _is_whole(expression: str) -> bool:
    return expression.strip() in (".", ".spec")


def _writers(workload: Workload) -> set[str]:
    owners = {entry.manager for entry in managers(workload) if entry.owns_replicas}
    return {*AUTOSCALER_MANAGERS, *(owner for owner in owners if not owner.startswith("argocd"))}


def is_ignored(application: Application, workload: Workload, inventory: Inventory) -> bool:
    """Whether the replicas of a workload are left out of the diff, by the Application or by ``argocd-cm``."""
    rules = [rule for _, rule in application.ignore_rules()]
    if any(means(rule, workload.ref) and ignores_replicas(rule, workload) for rule in rules):
        return True
    return any(_is_ignored_everywhere(config, workload) for config in _configs(inventory))


def _configs(inventory: Inventory) -> Iterator[ConfigMap]:
    yield from inventory.modifying(ConfigMap, term=name_term("argocd-cm"))


def _is_ignored_everywhere(config: ConfigMap, workload: Workload) -> bool:
    group, kind = workload.kind.group, workload.kind.name
    for key, body in config.data.items():
        if key == "resource.customizations":
            if f"{group}/{kind}" in body and _speaks_of_replicas(body):
                return True
        elif key.startswith(_SYSTEM):
            named = key.removeprefix(_SYSTEM)
            if (named == "all" or fnmatchcase(f"{group}_{kind}", named)) and _speaks_of_replicas(body):
                return True
    return False


def _speaks_of_replicas(body: str) -> bool:
    return bool(re.search(r"replicas|/spec\"?\s*$|" + "|".join(AUTOSCALER_MANAGERS), body, re.MULTILINE))


def respects_ignores(application: Application) -> bool:
    """Whether a sync leaves alone what the diff ignores."""
    return f"{RESPECT}=true" in application.sync_options


def known_resources(application: Application) -> tuple[TrackedResource, ...]:
    """What the Application tracks; Unknown where its status does not say."""
    if not application.status.resources:
        raise Unknown(f"the status of {application.ref} does not say what it tracks")
    return application.status.resources
