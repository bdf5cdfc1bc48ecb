"""The rights that the operator needs, derived from what the invariants declare. Never Secrets, never a wildcard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from platform_health.invariant import Invariant
from platform_health.views.core import Namespace
from platform_health.views.platform import PlatformHealth
from platform_health.views.view import Kind

NAME = "platform-health"
NAMESPACE = "platform-health-system"
REMEDIATION = f"{NAME}-remediation"

Document = dict[str, Any]

LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/component": "operator"}


def read_kinds(invariants: Iterable[Invariant]) -> list[Kind]:
    """The kinds that are listed and watched: what invariants read, but what is never requested."""
    kinds = {kind for invariant in invariants for kind in invariant.needs} | {Namespace.kind}
    return sorted((kind for kind in kinds if kind.via != "never"), key=lambda kind: kind.resource)


def fixed_kinds(invariants: Iterable[Invariant]) -> list[Kind]:
    """The kinds that fixes patch."""
    kinds = {kind for invariant in invariants for kind in invariant.fixes if kind.via != "never"}
    return sorted(kinds, key=lambda kind: kind.resource)


def operator_rules(invariants: Iterable[Invariant]) -> list[Document]:
    """What the operator may do anywhere: read, and write its own reports and Events."""
    reports = PlatformHealth.kind
    return [
        *_rules(read_kinds(invariants), ("list", "watch")),
        _rule("apiextensions.k8s.io", ("customresourcedefinitions",), ("list", "watch")),
        _rule("authorization.k8s.io", ("selfsubjectaccessreviews",), ("create",)),
        _rule("events.k8s.io", ("events",), ("create", "patch")),
        _rule(reports.group, (reports.plural,), ("get", "list", "watch")),
        _rule(reports.group, (f"{reports.plural}/status",), ("patch",)),
    ]


def lease_rules() -> list[Document]:
    """What it may do in its own namespace: take part in the election."""
    return [
        _rule("coordination.k8s.io", ("leases",), ("create",)),
        {**_rule("coordination.k8s.io", ("leases",), ("get", "update")), "resourceNames": [NAME]},
    ]


def remediation_rules(invariants: Iterable[Invariant]) -> list[Document]:
    """What it may do besides where fixes are to be applied: look at an object afresh, and patch it."""
    return _rules(fixed_kinds(invariants), ("get", "patch"))


def operator_roles(invariants: Collection[Invariant]) -> list[Document]:
    """Roles and bindings without which the operator cannot work."""
    return [
        _role("ClusterRole", NAME, operator_rules(invariants)),
        _binding("ClusterRole", NAME),
        _role("Role", NAME, lease_rules()),
        _binding("Role", NAME),
    ]


def remediation_roles(invariants: Collection[Invariant]) -> list[Document]:
    """Role and binding that are installed only where fixes are to be applied."""
    return [
        _role("ClusterRole", REMEDIATION, remediation_rules(invariants)),
        _binding("ClusterRole", REMEDIATION),
    ]


def _rules(kinds: Iterable[Kind], verbs: tuple[str, ...]) -> list[Document]:
    groups: dict[str, set[str]] = defaultdict(set)
    for kind in kinds:
        groups[kind.group].add(kind.plural)
    return [_rule(group, tuple(sorted(groups[group])), verbs) for group in sorted(groups)]


def _rule(group: str, resources: tuple[str, ...], verbs: tuple[str, ...]) -> Document:
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}


def _role(kind: str, name: str, rules: list[Document]) -> Document:
    return {**_head(kind, name), "rules": rules}


def _binding(kind: str, name: str) -> Document:
    return {
        **_head(f"{kind}Binding", name),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    }


def _head(kind: str, name: str) -> Document:
    metadata: Document = {"name": name, "labels": dict(LABELS)}
    if not kind.startswith("Cluster"):
        metadata["namespace"] = NAMESPACE
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata}
