"""Network policies beyond NetworkPolicy: of Cilium, Calico, Antrea and administrators; only that they exist."""

from __future__ import annotations

from typing import ClassVar

from platform_health.views.view import Kind, View


class CiliumNetworkPolicy(View, frozen=True):
    """A CiliumNetworkPolicy."""

    kind: ClassVar[Kind] = Kind("cilium.io", "CiliumNetworkPolicy", "ciliumnetworkpolicies", ("v2",))


class CiliumClusterwideNetworkPolicy(View, frozen=True):
    """A CiliumClusterwideNetworkPolicy."""

    kind: ClassVar[Kind] = Kind(
        "cilium.io", "CiliumClusterwideNetworkPolicy", "ciliumclusterwidenetworkpolicies", ("v2",), namespaced=False
    )


class CalicoNetworkPolicy(View, frozen=True):
    """A NetworkPolicy of Calico, as its CRD stores it."""

    kind: ClassVar[Kind] = Kind("crd.projectcalico.org", "NetworkPolicy", "networkpolicies")


class CalicoGlobalNetworkPolicy(View, frozen=True):
    """A GlobalNetworkPolicy of Calico."""

    kind: ClassVar[Kind] = Kind(
        "crd.projectcalico.org", "GlobalNetworkPolicy", "globalnetworkpolicies", namespaced=False
    )


class CalicoApiNetworkPolicy(View, frozen=True):
    """A NetworkPolicy of Calico, as users write it."""

    kind: ClassVar[Kind] = Kind("projectcalico.org", "NetworkPolicy", "networkpolicies", ("v3",))


class CalicoApiGlobalNetworkPolicy(View, frozen=True):
    """A GlobalNetworkPolicy of Calico, as users write it."""

    kind: ClassVar[Kind] = Kind(
        "projectcalico.org", "GlobalNetworkPolicy", "globalnetworkpolicies", ("v3",), namespaced=False
    )


class AntreaNetworkPolicy(View, frozen=True):
    """A NetworkPolicy of Antrea."""

    kind: ClassVar[Kind] = Kind("crd.antrea.io", "NetworkPolicy", "networkpolicies", ("v1beta1",))


class AntreaClusterNetworkPolicy(View, frozen=True):
    """A ClusterNetworkPolicy of Antrea."""

    kind: ClassVar[Kind] = Kind(
        "crd.antrea.io", "ClusterNetworkPolicy", "clusternetworkpolicies", ("v1beta1",), namespaced=False
    )


class AdminNetworkPolicy(View, frozen=True):
    """An AdminNetworkPolicy; it takes precedence over NetworkPolicies."""

    kind: ClassVar[Kind] = Kind(
        "policy.networking.k8s.io", "AdminNetworkPolicy", "adminnetworkpolicies", ("v1alpha1",), namespaced=False
    )


class ClusterNetworkPolicy(View, frozen=True):
    """A ClusterNetworkPolicy, the successor of AdminNetworkPolicy."""

    kind: ClassVar[Kind] = Kind(
        "policy.networking.k8s.io", "ClusterNetworkPolicy", "clusternetworkpolicies", ("v1alpha2",), namespaced=False
    )


OTHER_POLICIES: tuple[type[View], ...] = (
    CiliumNetworkPolicy,
    CiliumClusterwideNetworkPolicy,
    CalicoNetworkPolicy,
    CalicoGlobalNetworkPolicy,
    CalicoApiNetworkPolicy,
    CalicoApiGlobalNetworkPolicy,
    AntreaNetworkPolicy,
    AntreaClusterNetworkPolicy,
    AdminNetworkPolicy,
    ClusterNetworkPolicy,
)
"""The kinds by which something that NetworkPolicies refuse may be admitted after all."""
