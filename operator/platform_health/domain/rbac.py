"""Whether a service account may do something, by RBAC alone (kubernetes ``plugin/pkg/auth/authorizer/rbac``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from platform_health.inventory import Inventory, Unknown
from platform_health.views.rbac import (
    BindingView,
    ClusterRole,
    ClusterRoleBinding,
    PolicyRule,
    Role,
    RoleBinding,
    account_term,
)
from platform_health.views.view import View

RBAC_KINDS: tuple[type[View], ...] = (Role, RoleBinding, ClusterRole, ClusterRoleBinding)
"""What :func:`is_allowed` reads."""

_BUILT_IN = ("cluster-admin", "admin", "edit", "view")


class Account(NamedTuple):
    """A service account."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"ServiceAccount {self.namespace}/{self.name}"


class Permission(NamedTuple):
    """A verb on a resource in a namespace; empty for one that is cluster-scoped. ``name`` is one object's."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


def is_allowed(account: Account, permission: Permission, inventory: Inventory) -> bool:
    """Whether some binding grants it; Unknown where no binding does, but one is not known well enough.

    In files the permissions of a namespace are known once they hold a Role or binding of it. Other authorizers (cloud
    IAM, webhooks) are not seen.
    """
    gaps: list[Unknown] = []
    for binding in _bindings(account, permission.namespace, inventory):
        try:
            rules = _rules(binding, inventory)
        except Unknown as unknown:
            gaps.append(unknown)
            continue
        if any(rule.allows(permission.verb, permission.group, permission.resource, permission.name) for rule in rules):
            return True
    if gaps:
        raise gaps[0]
    if not _is_known(permission.namespace or account.namespace, inventory):
        raise Unknown(f"the files hold no Roles and RoleBindings of namespace {permission.namespace}")
    return False


def _bindings(account: Account, namespace: str, inventory: Inventory) -> Iterator[BindingView]:
    found: list[BindingView] = list(inventory.modifying(ClusterRoleBinding))
    if namespace:
        found += inventory.modifying(RoleBinding, namespace)
    return (binding for binding in found if binding.binds(*account))


def _rules(binding: BindingView, inventory: Inventory) -> tuple[PolicyRule, ...]:
    role: Role | ClusterRole | None
    name = binding.role_ref.name
    if binding.role_ref.kind == "Role":
        role = inventory.named(Role, binding.namespace, name)
    else:
        role = _cluster_role(name, inventory)
    return role.rules if role is not None else ()


def _cluster_role(name: str, inventory: Inventory) -> ClusterRole | None:
    found = inventory.named(ClusterRole, "", name)
    if found is None and (name in _BUILT_IN or name.startswith("system:")):
        raise Unknown(f"ClusterRole {name} is one of Kubernetes' own")
    return found


def _is_known(namespace: str, inventory: Inventory) -> bool:
    if inventory.knowledge.is_complete:
        return True
    return bool(
        inventory.near(RoleBinding, namespace)
        or inventory.near(Role, namespace)
        or inventory.modifying(ClusterRoleBinding, term=account_term(namespace))
    )
