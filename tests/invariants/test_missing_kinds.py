"""Whoever leaves a kind out of the files is not told that its objects do not exist.

People hand over some of their manifests: the routes without the pools, the monitors without the Services. So every
kind is taken out of every world in turn. A new error or warning may then only come from the absence of what changes
others when it is present (a grant, a policy), which the list below names one by one. Everything else turns unknown, or
stays what it was.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from platform_health.findings import Finding, findings
from platform_health.scanning import judged
from platform_health.views.apps import Workload
from platform_health.views.core import Pod
from platform_health.views.inference import InferencePool, LegacyInferencePool
from platform_health.views.view import Kind
from worlds import ROOT, World, parse_time, worlds

_TELLING = {
    ("AutoscaledReplicasAreIgnored", "AppProject"): "may deny syncs",
    ("AutoscaledReplicasAreIgnored", "ConfigMap"): "argocd-cm may ignore differences",
    ("DashboardDatasourceResolves", "GrafanaDashboard"): "fills in the inputs of a dashboard",
    ("DashboardQueriesParse", "VMAgent"): "shows that another language is spoken",
    ("FallbacksAreDefined", "Deployment"): "may keep models in a database",
    ("GatewayIsProgrammed", "ReferenceGrant"): "permits references",
    ("GatewayReachesPods", "GatewayClass"): "names the controller; a well-known class name does too",
    ("GatewayReachesPods", "Namespace"): "has labels that bring a mesh along",
    ("GpuExporterIsMonitored", "ServiceMonitor"): "scrapes the exporter",
    ("MetricNamesAreCurrent", "PrometheusRule"): "records series",
    ("MetricNamesAreCurrent", "ServiceMonitor"): "renames series",
    ("MonitorFindsService", "ClusterPolicy"): "is made into the exporter's Service",
    ("MonitorFindsService", "HelmRelease"): "may be made into the Service",
    ("PickerMayReadItsPool", "RoleBinding"): "grants rights; other RBAC of the namespace makes it known",
    ("PickerSpeaksGatewayTls", "DestinationRule"): "has a gateway speak TLS",
    ("PoolIsAccepted", "Gateway"): "its absence shows that a status is stale",
    ("PoolSelectsPods", "Service"): "shows which Deployment is the picker",
    ("PoolServesOneModel", "InferenceModelRewrite"): "lets models share a pool",
    ("RouteBackendsGranted", "ReferenceGrant"): "permits references",
    ("RouteIsAccepted", "GatewayClass"): "its controller shows that a status is stale",
    ("RouteTimeoutIsExplicit", "BackendTrafficPolicy"): "sets a timeout",
    ("RouteTimeoutIsExplicit", "GCPBackendPolicy"): "sets a timeout",
    ("RouteTimeoutIsExplicit", "ProxySettingsPolicy"): "sets a timeout",
    ("RouteTimeoutIsExplicit", "TrafficPolicy"): "sets a timeout",
    ("RuleIsSelected", "ThanosRuler"): "selects rules beside a Prometheus",
    ("UpstreamsResolve", "RoleBinding"): "grants rights; other RBAC of the namespace makes it known",
}
"""Which invariants take the absence of a kind for what it says, and what its objects do where there are any."""

_ALIKE: tuple[set[Kind], ...] = (
    {InferencePool.kind, LegacyInferencePool.kind},
    {Pod.kind, *(kind for kind in Kind.registry.values() if issubclass(kind.view, Workload))},
)
"""Kinds that count as one: pools of both API groups; Pods and the workloads whose templates stand for them."""


def _gone(kind: Kind) -> set[Kind]:
    """What is taken out with a kind; a workload alone may well be missing, its Pods not."""
    return next((alike for alike in _ALIKE if kind in alike and (kind in (Pod.kind, *_ALIKE[0]))), {kind})


def _open(world: World) -> bool:
    return not {"cluster", "closed-world"} & world.headers.keys()


def _without(world: World, gone: set[Kind]) -> list[Finding]:
    """What is found once all objects of some kinds, and what they are made into, are not in the files."""
    manifests = world.manifests
    objects, makers = manifests.objects, manifests.makers
    manifests.objects = {ref: view for ref, view in objects.items() if ref.kind not in gone}
    manifests.makers = [one for one in makers if all((one.group, one.kind) != (kind.group, kind.name) for kind in gone)]
    try:
        return findings(judged(manifests, now=parse_time(world.headers.get("now"))).notable.values())
    finally:
        manifests.objects, manifests.makers = objects, makers


@pytest.mark.parametrize("path", worlds(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_missing_kind_is_not_a_missing_object(path: Path) -> None:
    world = World(path)
    if not _open(world):
        pytest.skip("everything is known there")
    known = {finding.id for finding in world.findings}
    for kind in {ref.kind for ref in world.manifests.objects}:
        new = [entry for entry in _without(world, _gone(kind)) if entry.id not in known and entry.severity != "info"]
        untold = [entry for entry in new if (entry.invariant, kind.name) not in _TELLING]
        assert not untold, f"without {kind}: {[(entry.invariant, entry.message) for entry in untold]}"
