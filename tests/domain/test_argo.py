"""Which rules of ignoreDifferences cover an autoscaled workload's replicas, and what proves that Git sets them."""

from __future__ import annotations

import pytest

from platform_health.domain.argo import ignores_replicas, means
from platform_health.domain.autoscaling import LAST_APPLIED, git_sets_replicas, really_scales
from platform_health.domain.flux import ignores
from platform_health.inventory import Unknown
from platform_health.views.apps import Deployment, ScalableSpec
from platform_health.views.argo import IgnoreRule
from platform_health.views.flux import IgnoreRule as FluxRule
from platform_health.views.flux import IgnoreTarget
from platform_health.views.scaling import HorizontalPodAutoscaler, HpaSpec, ScalerStatus
from platform_health.views.view import Condition, ManagedFields, MetadataWithManagers, OwnedFields, ReplicasField

OWNS = OwnedFields(spec=ReplicasField(replicas={}))


def deployment(replicas: int | None = 2, **metadata: object) -> Deployment:
    found = MetadataWithManagers(name="llama", namespace="serving", **metadata)
    return Deployment(metadata=found, spec=ScalableSpec(replicas=replicas))


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        (IgnoreRule(group="apps", kind="Deployment"), True),
        (IgnoreRule(group="*", kind="*"), True),
        (IgnoreRule(group="", kind="Deployment"), False),
        (IgnoreRule(group="apps", kind="Deployment", name="other"), False),
        (IgnoreRule(group="apps", kind="Deployment", name="llama", namespace="serving"), True),
        (IgnoreRule(group="apps", kind="Deployment", namespace="other"), False),
    ],
)
def test_group_and_kind_are_globs_and_an_empty_group_is_core(rule: IgnoreRule, matches: bool) -> None:
    assert means(rule, deployment().ref) is matches


@pytest.mark.parametrize(
    ("rule", "covers"),
    [
        (IgnoreRule(json_pointers=("/spec/replicas",)), True),
        (IgnoreRule(json_pointers=("/spec",)), True),
        (IgnoreRule(json_pointers=("/spec/template",)), False),
        (IgnoreRule(json_pointers=("/spec/rep",)), False),
        (IgnoreRule(jq_path_expressions=(".spec.replicas",)), True),
        (IgnoreRule(jq_path_expressions=(".spec.template",)), False),
        (IgnoreRule(managed_fields_managers=("kube-controller-manager",)), True),
        (IgnoreRule(managed_fields_managers=("my-scaler",)), True),
        (IgnoreRule(managed_fields_managers=("someone",)), False),
    ],
)
def test_what_leaves_replicas_alone(rule: IgnoreRule, covers: bool) -> None:
    scaled = deployment(managed_fields=(ManagedFields(manager="my-scaler", operation="Update", owned=OWNS),))
    assert ignores_replicas(rule, scaled) is covers


def test_what_proves_that_git_sets_replicas() -> None:
    assert git_sets_replicas(deployment(), "argocd-controller")
    assert not git_sets_replicas(deployment(None), "argocd-controller")
    assert git_sets_replicas(deployment(annotations={LAST_APPLIED: '{"spec": {"replicas": 0}}'}, uid="u"), "x")
    assert not git_sets_replicas(deployment(annotations={LAST_APPLIED: '{"spec": {}}'}, uid="u"), "x")
    applied = ManagedFields(manager="argocd-controller", operation="Apply", owned=OWNS)
    assert git_sets_replicas(deployment(uid="u", managed_fields=(applied,)), "argocd-controller")
    updated = ManagedFields(manager="argocd-controller", operation="Update", owned=OWNS)
    with pytest.raises(Unknown):
        git_sets_replicas(deployment(uid="u", managed_fields=(updated,)), "argocd-controller")


def test_who_really_scales() -> None:
    fixed = HorizontalPodAutoscaler(spec=HpaSpec(min_replicas=2, max_replicas=2))
    assert not really_scales(fixed, 2)
    assert really_scales(fixed, 3)
    for reason, scales in (("FailedGetExternalMetric", False), ("ScalingDisabled", True)):
        status = ScalerStatus(conditions=(Condition(type="ScalingActive", status="False", reason=reason),))
        assert really_scales(HorizontalPodAutoscaler(spec=HpaSpec(max_replicas=5), status=status), 2) is scales


@pytest.mark.parametrize(
    ("rule", "covers"),
    [
        (FluxRule(paths=("/spec/replicas",)), True),
        (FluxRule(paths=("/spec/replicas",), target=IgnoreTarget(kind="Deployment", name="lla.*")), True),
        (FluxRule(paths=("/spec/replicas",), target=IgnoreTarget(name="lla")), False),
        (FluxRule(paths=("/metadata",)), False),
    ],
)
def test_what_flux_ignores(rule: FluxRule, covers: bool) -> None:
    assert ignores([rule], deployment()) is covers


def test_a_target_by_labels_is_unknown() -> None:
    with pytest.raises(Unknown):
        ignores([FluxRule(paths=("/spec/replicas",), target=IgnoreTarget(label_selector="a=b"))], deployment())
