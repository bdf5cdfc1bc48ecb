"""Flags, environment and rights of endpoint pickers."""

from __future__ import annotations

import pytest

from platform_health.domain.pickers import Picker, pickers_in
from platform_health.inventory import Unknown
from platform_health.views.core import Container, EnvSource, EnvVar, FieldSelector, Pod, PodSpec
from platform_health.views.inference import GROUP, LEGACY_GROUP
from platform_health.views.istio import DestinationRule, DestinationRuleSpec
from platform_health.views.rbac import PolicyRule, RoleBinding, Subject
from platform_health.views.view import Metadata

GIE = "registry.k8s.io/gateway-api-inference-extension/epp"


def picker(args: str, image: str = f"{GIE}:v1.5.0", env: tuple[EnvVar, ...] = ()) -> Picker:
    container = Container(name="epp", image=image, args=tuple(args.split()), env=env)
    (found,) = pickers_in(
        Pod(metadata=Metadata(name="epp", namespace="serving"), spec=PodSpec(containers=(container,)))
    )
    return found


def test_defaults_of_published_images() -> None:
    found = picker("--pool-name p")
    assert (found.grpc_port, found.health_port, found.metrics_port) == (9002, 9003, 9090)
    assert found.switch("secure-serving", True)
    assert not found.elects_leader
    assert found.pool_namespace == "default"


def test_defaults_of_other_images_are_not_known() -> None:
    found = picker("--pool-name p", image="example.com/own:v1")
    assert found.release is None
    assert found.pool_group is None
    with pytest.raises(Unknown):
        assert found.grpc_port


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("--pool-name a --pool-name b", "b"),
        ("--pool-name=a", "a"),
        ("--tracing=false --pool-name a", "a"),
        ("--ha-enable-leader-election --pool-name a", "a"),
        ("--secure-serving false --pool-name a", "a"),
        ("--own-switch --pool-name a", "a"),
        ("-v4 --pool-name a", "a"),
    ],
)
def test_pool_name(args: str, expected: str) -> None:
    assert picker(args).pool_name == expected


def test_go_flags_end_at_the_first_word() -> None:
    found = picker("--secure-serving false --pool-name a", image=f"{GIE}:v1.2.0")
    assert found.pool_name is None
    assert found.switch("secure-serving", True)


def test_v0_spells_otherwise() -> None:
    found = picker("-poolName p -grpcPort 9100 -v 4", image="example.com/own:v1")
    assert (found.pool_name, found.grpc_port, found.flag("v")) == ("p", 9100, "4")
    assert found.pool_group == LEGACY_GROUP


def test_group_by_version() -> None:
    assert picker("--pool-name p").pool_group == GROUP
    assert picker(f"--pool-name p --pool-group {LEGACY_GROUP}").pool_group == GROUP
    old = picker(f"--pool-name p --pool-group {LEGACY_GROUP}", image=f"{GIE}:v1.2.0")
    assert old.pool_group == LEGACY_GROUP
    assert picker("-poolName p", image=f"{GIE}:v0.5.1").pool_group == LEGACY_GROUP


def test_namespace_from_the_environment() -> None:
    source = EnvSource(field_ref=FieldSelector(field_path="metadata.namespace"))
    assert picker("--pool-name p", env=(EnvVar(name="NAMESPACE", value_from=source),)).pool_namespace == "serving"
    assert picker("--pool-name p", env=(EnvVar(name="NAMESPACE", value="x"),)).pool_namespace == "x"


def test_sidecars_are_no_pickers() -> None:
    sidecar = Container(image="ghcr.io/llm-d/llm-d-routing-sidecar:v0.6", args=("--pool-name", "p"))
    assert not list(pickers_in(Pod(spec=PodSpec(containers=(sidecar,)))))


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        (PolicyRule(verbs=("list",), api_groups=("",), resources=("pods",)), True),
        (PolicyRule(verbs=("*",), api_groups=("*",), resources=("*",)), True),
        (PolicyRule(verbs=("get",), api_groups=("",), resources=("pods",)), False),
        (PolicyRule(verbs=("list",), api_groups=("apps",), resources=("pods",)), False),
        (PolicyRule(verbs=("list",), api_groups=("",), resources=("pods/log",)), False),
        (PolicyRule(verbs=("list",), api_groups=("",), resources=("pods",), resource_names=("a",)), True),
        (PolicyRule(verbs=("list",), api_groups=("",), resources=("pods",), resource_names=("b",)), False),
    ],
)
def test_rules(rule: PolicyRule, allowed: bool) -> None:
    assert rule.allows("list", "", "pods", "a") is allowed


@pytest.mark.parametrize(
    ("subject", "bound"),
    [
        (Subject(kind="ServiceAccount", name="epp", namespace="serving"), True),
        (Subject(kind="ServiceAccount", name="epp"), True),
        (Subject(kind="ServiceAccount", name="epp", namespace="other"), False),
        (Subject(kind="User", name="system:serviceaccount:serving:epp"), True),
        (Subject(kind="Group", name="system:serviceaccounts:serving"), True),
        (Subject(kind="Group", name="system:authenticated"), True),
        (Subject(kind="Group", name="epp"), False),
    ],
)
def test_subjects(subject: Subject, bound: bool) -> None:
    binding = RoleBinding(metadata=Metadata(name="b", namespace="serving"), subjects=(subject,))
    assert binding.binds("serving", "epp") is bound


@pytest.mark.parametrize(
    ("host", "about"),
    [
        ("epp", True),
        ("epp.serving", True),
        ("epp.serving.svc", True),
        ("epp.serving.svc.cluster.local", True),
        ("*.serving.svc.cluster.local", True),
        ("*.local", True),
        ("*.other.svc.cluster.local", False),
        ("epp.other", False),
        ("ep", False),
    ],
)
def test_hosts(host: str, about: bool) -> None:
    rule = DestinationRule(metadata=Metadata(name="r", namespace="serving"), spec=DestinationRuleSpec(host=host))
    assert rule.is_about("epp", "serving") is about
