"""Who scales a workload, and whether Git says how many replicas it has.

Facts: managedFields record who wrote ``spec.replicas`` last: ``kubectl.kubernetes.io/last-applied-configuration`` is
what a client-side apply sent, an entry of operation Apply what a server-side apply owns. An entry of operation Update
proves nothing, since defaults are attributed to whoever creates (kube-apiserver, fieldmanager).
"""

from __future__ import annotations

from typing import Any

import msgspec

from platform_health.inventory import Inventory, Unknown
from platform_health.views.apps import Deployment, LeaderWorkerSet, Rollout, StatefulSet, Workload
from platform_health.views.scaling import HorizontalPodAutoscaler, ScaledObject, Scaler, ScaleTarget, target_term
from platform_health.views.view import Kind, ManagedFields, MetadataWithManagers, condition

SCALABLE: tuple[type[Workload], ...] = (Deployment, StatefulSet, Rollout, LeaderWorkerSet)
"""The kinds whose replicas an autoscaler may own."""

SCALERS: tuple[type[HorizontalPodAutoscaler | ScaledObject], ...] = (HorizontalPodAutoscaler, ScaledObject)
AUTOSCALER_MANAGERS = frozenset({"kube-controller-manager", "keda-operator", "keda"})
"""The field managers under which autoscalers write replicas."""

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_BY_KIND = {(view.kind.group, view.kind.name): view for view in SCALABLE}


def scalable(group: str, kind: str) -> type[Workload] | None:
    """The view of a workload kind that an autoscaler may own, None for others."""
    return _BY_KIND.get((group, kind))


def term_of(kind: Kind, name: str) -> str:
    """The index term of the scalers of a workload."""
    return target_term(ScaleTarget(name=name, api_version=kind.api_version, kind=kind.name))


def scalers_of(workload: Workload, inventory: Inventory) -> list[Scaler]:
    """The autoscalers that name a workload; Unknown where none proves nothing. KEDA's own HPAs are left out."""
    found: list[Scaler] = []
    gaps: list[Unknown] = []
    for kind in SCALERS:
        try:
            found.extend(inventory.referring(kind, term_of(workload.kind, workload.name), workload.namespace))
        except Unknown as unknown:
            gaps.append(unknown)
    if not found and gaps and (len(gaps) == len(SCALERS) or not all(map(inventory.is_known, SCALERS))):
        raise gaps[0]
    own = [scaler for scaler in found if not (isinstance(scaler, HorizontalPodAutoscaler) and scaler.is_keda)]
    return [scaler for scaler in own or found if not scaler.is_going]


def really_scales(scaler: Scaler, replicas: int | None) -> bool:
    """Whether a scaler would ever ask for another number than ``replicas``."""
    low, high = scaler.bounds
    if scaler.is_paused or (low == high and low in (replicas, 1 if replicas is None else replicas)):
        return False
    active = condition(scaler.status.conditions, "ScalingActive")
    return active is None or active.status != "False" or active.reason == "ScalingDisabled"


def scale_manager(workload: Workload) -> str | None:
    """The manager that wrote the replicas through the scale subresource, other than people and Argo CD."""
    for entry in managers(workload):
        if entry.subresource == "scale" and entry.owns_replicas and not entry.manager.startswith(("kubectl", "argocd")):
            return entry.manager
    return None


def managers(workload: Workload) -> tuple[ManagedFields, ...]:
    """The managedFields of a workload."""
    metadata = workload.metadata
    return metadata.managed_fields if isinstance(metadata, MetadataWithManagers) else ()


def git_sets_replicas(workload: Workload, applier: str) -> bool:
    """Whether what is applied from Git sets ``spec.replicas``; Unknown where nothing proves it either way.

    ``applier`` is the manager under which the GitOps controller applies server-side. An object in files that bears no
    mark of a cluster is itself what stands in Git.
    """
    applied = workload.annotations.get(LAST_APPLIED)
    if applied is not None:
        return _replicas_in(applied)
    if any(
        entry.manager == applier and entry.operation == "Apply" and entry.owns_replicas for entry in managers(workload)
    ):
        return True
    if workload.metadata.uid or managers(workload) or workload.metadata.creation_timestamp:
        raise Unknown(f"nothing shows whether Git sets the replicas of {workload.ref}")
    return declared_replicas(workload) is not None


def _replicas_in(applied: str) -> bool:
    try:
        found: Any = msgspec.json.decode(applied)
    except msgspec.DecodeError:
        raise Unknown(f"the annotation {LAST_APPLIED} is no JSON") from None
    spec = found.get("spec") if isinstance(found, dict) else None
    return isinstance(spec, dict) and spec.get("replicas") is not None


def declared_replicas(workload: Workload) -> int | None:
    """``spec.replicas``, None where the object does not say."""
    return (
        workload.spec.replicas if isinstance(workload, Deployment | StatefulSet | Rollout | LeaderWorkerSet) else None
    )
