"""The union of NetworkPolicies, with three answers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from platform_health.domain.networkpolicies import enters, leaves
from platform_health.inventory import Inventory
from platform_health.knowledge import FileKnowledge
from platform_health.views.core import Namespace, Pod
from platform_health.views.networking import NetworkPolicy

NAME = "kubernetes.io/metadata.name"


def pod(namespace: str, labels: dict[str, str], ip: str = "", ports: list[dict[str, Any]] | None = None) -> Pod:
    return msgspec.convert(
        {
            "metadata": {"name": "-".join(labels.values()), "namespace": namespace, "labels": labels},
            "spec": {"containers": [{"name": "main", "ports": ports or []}]},
            "status": {"phase": "Running", "podIP": ip} if ip else {},
        },
        Pod,
    )


PROXY = pod("gateways", {"app": "proxy"}, "10.1.0.7")
MODEL = pod(
    "models",
    {"app": "llama"},
    "10.1.0.8",
    [{"name": "http", "containerPort": 8000}, {"name": "dns", "containerPort": 8000, "protocol": "UDP"}],
)


def world(*specs: dict[str, Any], namespace: str = "models", namespaces: dict[str, dict[str, str]] | None = None):
    inventory = Inventory(FileKnowledge(), lambda: 0.0)
    for name, labels in (namespaces or {}).items():
        inventory.put(msgspec.convert({"metadata": {"name": name, "labels": labels}}, Namespace))
    for number, spec in enumerate(specs):
        raw = {"metadata": {"name": f"policy-{number}", "namespace": namespace}, "spec": spec}
        inventory.put(msgspec.convert(raw, NetworkPolicy))
    return inventory


def admitted(*rules: dict[str, Any], source: Pod = PROXY, destination: Pod = MODEL, **more: Any) -> bool | None:
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": list(rules)}
    return enters(source, destination, 8000, world(spec, **more)).allowed


def test_nothing_isolates() -> None:
    assert enters(PROXY, MODEL, 8000, world()).allowed is True


@pytest.mark.parametrize(
    "spec",
    [
        {"podSelector": {"matchLabels": {"app": "other"}}},
        {"podSelector": {}, "policyTypes": ["Egress"], "ingress": []},
        {"podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["llama"]}]}},
    ],
)
def test_policies_that_do_not_isolate_the_pod(spec: dict[str, Any]) -> None:
    assert enters(PROXY, MODEL, 8000, world(spec)).allowed is True


@pytest.mark.parametrize("spec", [{"podSelector": {}}, {}, {"policyTypes": ["Ingress", "Egress"], "ingress": []}])
def test_isolated_without_a_rule(spec: dict[str, Any]) -> None:
    passage = enters(PROXY, MODEL, 8000, world(spec))
    assert passage.allowed is False
    assert [policy.name for policy in passage.policies] == ["policy-0"]


@pytest.mark.parametrize(
    ("peers", "expected"),
    [
        ([], True),
        ([{"podSelector": {}}], False),
        ([{"namespaceSelector": {}}], True),
        ([{"namespaceSelector": {"matchLabels": {NAME: "gateways"}}}], True),
        ([{"namespaceSelector": {"matchLabels": {NAME: "models"}}}], False),
        (
            [{"namespaceSelector": {"matchLabels": {NAME: "gateways"}}, "podSelector": {"matchLabels": {"app": "x"}}}],
            False,
        ),
        ([{"namespaceSelector": {"matchLabels": {NAME: "models"}}}, {"namespaceSelector": {}}], True),
        ([{"namespaceSelector": {"matchLabels": {"team": "edge"}}}], None),
        ([{"namespaceSelector": {"matchLabels": {"team": "edge", NAME: "models"}}}], False),
        ([{"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "Exists"}]}}], None),
        ([{"ipBlock": {"cidr": "0.0.0.0/0"}}], True),
        ([{"ipBlock": {"cidr": "10.1.0.0/16"}}], True),
        ([{"ipBlock": {"cidr": "10.2.0.0/16"}}], False),
        ([{"ipBlock": {"cidr": "10.1.0.0/16", "except": ["10.1.0.0/24"]}}], False),
        ([{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}], False),
        ([{"ipBlock": {"cidr": "fd00::/8"}}], None),
    ],
)
def test_peers(peers: list[dict[str, Any]], expected: bool | None) -> None:
    assert admitted({"from": peers}) is expected


def test_labels_of_a_known_namespace_decide() -> None:
    peers = [{"namespaceSelector": {"matchLabels": {"team": "edge"}}}]
    assert admitted({"from": peers}, namespaces={"gateways": {"team": "edge"}}) is True
    assert admitted({"from": peers}, namespaces={"gateways": {}}) is False


def test_an_address_that_is_not_known_is_no_denial() -> None:
    stateless = pod("gateways", {"app": "proxy"})
    assert admitted({"from": [{"ipBlock": {"cidr": "10.2.0.0/16"}}]}, source=stateless) is None
    assert admitted({"from": [{"ipBlock": {"cidr": "::/0"}}]}, source=stateless) is True


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ([], True),
        ([{"port": 8000}], True),
        ([{"port": 80}], False),
        ([{"port": "http"}], True),
        ([{"port": "dns"}], False),
        ([{"port": "dns", "protocol": "UDP"}], False),
        ([{"port": "web"}], False),
        ([{"port": 8000, "protocol": "UDP"}], False),
        ([{"protocol": "TCP"}], True),
        ([{"protocol": "SCTP"}], False),
        ([{"port": 7000, "endPort": 8000}], True),
        ([{"port": 8001, "endPort": 9000}], False),
        ([{"port": 80}, {"port": 8000}], True),
    ],
)
def test_ports(ports: list[dict[str, Any]], expected: bool) -> None:
    assert admitted({"ports": ports}) is expected


def test_rules_and_policies_are_a_union() -> None:
    deny = {"podSelector": {}}
    allow = {"podSelector": {"matchLabels": {"app": "llama"}}, "ingress": [{"from": [{"podSelector": {}}]}, {}]}
    assert enters(PROXY, MODEL, 8000, world(deny, allow)).allowed is True


def test_ports_and_peers_of_one_rule_belong_together() -> None:
    here, there = (
        {"from": [{"namespaceSelector": {}}], "ports": [{"port": 80}]},
        {"ports": [{"port": 8000}], "from": []},
    )
    assert admitted(here) is False
    assert admitted(here, there) is True


def test_outgoing_traffic() -> None:
    spec = {"podSelector": {}, "egress": [{"to": [{"namespaceSelector": {"matchLabels": {NAME: "models"}}}]}]}
    assert leaves(PROXY, MODEL, 8000, world(spec, namespace="gateways")).allowed is True
    assert leaves(PROXY, pod("other", {"app": "x"}), 8000, world(spec, namespace="gateways")).allowed is False
    assert leaves(PROXY, MODEL, 8000, world(spec, namespace="models")).allowed is True
    named = {"podSelector": {}, "egress": [{"ports": [{"port": "http"}]}]}
    assert leaves(PROXY, MODEL, 8000, world(named, namespace="gateways")).allowed is True


def test_rules_of_the_other_direction_do_not_count() -> None:
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [], "ingress": []}
    assert enters(PROXY, MODEL, 8000, world(spec)).allowed is True
    assert leaves(MODEL, PROXY, 80, world(spec)).allowed is False


def test_a_pod_always_reaches_itself() -> None:
    assert enters(MODEL, MODEL, 8000, world({"podSelector": {}})).allowed is True
