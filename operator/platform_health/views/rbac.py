"""RBAC: Role, RoleBinding, ClusterRole, ClusterRoleBinding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import msgspec

from platform_health.views.view import Kind, Shape, Term, View

GROUP = "rbac.authorization.k8s.io"


class PolicyRule(Shape, frozen=True):
    """One rule of a role; no resource names means every object."""

    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = msgspec.field(name="nonResourceURLs", default=())

    def allows(self, verb: str, group: str, resource: str, name: str = "") -> bool:
        """Whether the rule grants a verb on a resource (kubernetes ``pkg/apis/rbac/v1/evaluation_helpers.go``).

        ``name`` is one object's, or the ``metadata.name`` that a list or watch asks for.
        """
        return (
            _covers(self.verbs, verb)
            and _covers(self.api_groups, group)
            and _covers(self.resources, resource)
            and (not self.resource_names or name in self.resource_names)
        )


def _covers(allowed: tuple[str, ...], asked: str) -> bool:
    return asked in allowed or "*" in allowed


class RoleView(View, frozen=True):
    """What Role and ClusterRole share."""

    rules: tuple[PolicyRule, ...] = ()


class Role(RoleView, frozen=True):
    """A Role."""

    kind: ClassVar[Kind] = Kind(GROUP, "Role", "roles", via="stream")


class ClusterRole(RoleView, frozen=True):
    """A ClusterRole; the rules of an aggregated one are those that the controller filled in."""

    kind: ClassVar[Kind] = Kind(GROUP, "ClusterRole", "clusterroles", namespaced=False, via="stream")


class RoleRef(Shape, frozen=True):
    """The role that a binding grants."""

    kind: str = ""
    name: str = ""


class Subject(Shape, frozen=True):
    """Who a binding grants a role to."""

    kind: str = ""
    name: str = ""
    namespace: str = ""


class BindingView(View, frozen=True):
    """What RoleBinding and ClusterRoleBinding share."""

    role_ref: RoleRef = RoleRef()
    subjects: tuple[Subject, ...] = ()

    def binds(self, namespace: str, account: str) -> bool:
        """Whether a service account is among the subjects, by itself, as a user, or by a group it is in."""
        user = f"system:serviceaccount:{namespace}:{account}"
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        return any(
            (
                subject.kind == "ServiceAccount"
                and (subject.namespace or self.namespace, subject.name) == (namespace, account)
            )
            or (subject.kind == "User" and subject.name == user)
            or (subject.kind == "Group" and subject.name in groups)
            for subject in self.subjects
        )

    def terms(self) -> Iterator[Term]:
        """Labels, and the namespaces whose service accounts are bound."""
        yield from View.terms(self)
        for subject in self.subjects:
            if subject.kind == "ServiceAccount":
                yield account_term(subject.namespace or self.namespace)


def account_term(namespace: str) -> Term:
    """The index term of the bindings of some service account of a namespace."""
    return f"account-of:{namespace}"


class RoleBinding(BindingView, frozen=True):
    """A RoleBinding: a Role or ClusterRole, granted within its namespace."""

    kind: ClassVar[Kind] = Kind(GROUP, "RoleBinding", "rolebindings", via="stream")


class ClusterRoleBinding(BindingView, frozen=True):
    """A ClusterRoleBinding: a ClusterRole, granted everywhere."""

    kind: ClassVar[Kind] = Kind(GROUP, "ClusterRoleBinding", "clusterrolebindings", namespaced=False, via="stream")
