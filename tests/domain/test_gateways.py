"""Which implementation is behind a Gateway, and where its data plane runs."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest

from platform_health.domain.gateways import data_plane, implementation
from platform_health.inventory import Inventory, Unknown
from platform_health.knowledge import FileKnowledge
from platform_health.views.core import Pod, Service
from platform_health.views.envoy_gateway import EnvoyProxy
from platform_health.views.gateway import Gateway, GatewayClass
from platform_health.views.view import View


def gateway(name: str = "inference", cls: str = "istio", **spec: Any) -> Gateway:
    raw = {"metadata": {"name": name, "namespace": "gateways"}, "spec": {"gatewayClassName": cls, **spec}}
    return msgspec.convert(raw, Gateway)


def gateway_class(name: str, controller: str, **spec: Any) -> GatewayClass:
    return msgspec.convert({"metadata": {"name": name}, "spec": {"controllerName": controller, **spec}}, GatewayClass)


def pod(namespace: str, labels: dict[str, str], **spec: Any) -> Pod:
    return msgspec.convert({"metadata": {"name": "proxy", "namespace": namespace, "labels": labels}, "spec": spec}, Pod)


def world(*views: View) -> Inventory:
    inventory = Inventory(FileKnowledge(), lambda: 0.0)
    for view in views:
        inventory.put(view)
    return inventory


@pytest.mark.parametrize(
    ("controller", "name"),
    [
        ("istio.io/gateway-controller", "Istio"),
        ("agentgateway.dev/agentgateway", "agentgateway"),
        ("kgateway.dev/kgateway", "kgateway"),
        ("gateway.envoyproxy.io/gatewayclass-controller", "Envoy Gateway"),
        ("gateway.nginx.org/nginx-gateway-controller", "NGINX Gateway Fabric"),
        ("networking.gke.io/gateway", "GKE"),
    ],
)
def test_the_controller_decides(controller: str, name: str) -> None:
    assert implementation(gateway(cls="any"), world(gateway_class("any", controller))).name == name


def test_a_class_that_an_installation_brings_is_known_by_name() -> None:
    assert implementation(gateway(cls="gke-l7-rilb"), world()).name == "GKE"


def test_the_controller_counts_more_than_the_name() -> None:
    found = implementation(gateway(cls="istio"), world(gateway_class("istio", "kgateway.dev/kgateway")))
    assert found.name == "kgateway"


@pytest.mark.parametrize("inventory", [world(), world(gateway_class("mine", "example.com/controller"))])
def test_anything_else_is_unknown(inventory: Inventory) -> None:
    with pytest.raises(Unknown):
        implementation(gateway(cls="mine"), inventory)


LABEL = "gateway.networking.k8s.io/gateway-name"
OWNER = {
    "gateway.envoyproxy.io/owning-gateway-name": "inference",
    "gateway.envoyproxy.io/owning-gateway-namespace": "gateways",
}


@pytest.mark.parametrize(
    "proxy", [pod("gateways", {LABEL: "inference"}), pod("envoy-gateway-system", OWNER), pod("gateways", OWNER)]
)
def test_found_by_label_wherever_they_run(proxy: Pod) -> None:
    assert data_plane(gateway(), world(proxy)) == [proxy]


@pytest.mark.parametrize(
    "other",
    [
        pod("istio-system", {LABEL: "inference"}),
        pod("gateways", {LABEL: "other"}),
        pod("envoy-gateway-system", {**OWNER, "gateway.envoyproxy.io/owning-gateway-namespace": "elsewhere"}),
        pod("gateways", {LABEL: "inference"}, hostNetwork=True),
    ],
)
def test_nothing_is_assumed(other: Pod) -> None:
    with pytest.raises(Unknown):
        data_plane(gateway(), world(other))


def test_a_long_name_is_hashed() -> None:
    name = "a" * 70
    label = "a" * 50 + "-" + hashlib.sha256(name.encode()).hexdigest()[:12]
    assert data_plane(gateway(name), world(pod("gateways", {LABEL: label})))


def test_merged_gateways_share_pods() -> None:
    proxy = pod("envoy-gateway-system", {"gateway.envoyproxy.io/owning-gatewayclass": "aigw"})
    parameters = {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "shared", "namespace": "eg"}
    found = gateway_class("aigw", "gateway.envoyproxy.io/gatewayclass-controller", parametersRef=parameters)
    raw = {"metadata": {"name": "shared", "namespace": "eg"}, "spec": {"mergeGateways": True}}
    merging = msgspec.convert(raw, EnvoyProxy)
    assert data_plane(gateway(cls="aigw"), world(proxy, found, merging)) == [proxy]
    with pytest.raises(Unknown):
        data_plane(gateway(cls="aigw"), world(proxy, found))


@pytest.mark.parametrize("host", ["ingress.istio-ingress", "ingress.istio-ingress.svc.cluster.local"])
def test_a_gateway_deployed_by_hand_names_its_service(host: str) -> None:
    proxy = pod("istio-ingress", {"istio": "ingress"})
    raw = {"metadata": {"name": "ingress", "namespace": "istio-ingress"}, "spec": {"selector": {"istio": "ingress"}}}
    service = msgspec.convert(raw, Service)
    addressed = gateway(addresses=[{"type": "Hostname", "value": host}])
    assert data_plane(addressed, world(proxy, service)) == [proxy]


def test_gke_has_no_pods() -> None:
    with pytest.raises(Unknown, match="has no pods"):
        data_plane(gateway(cls="gke-l7-rilb"), world(pod("gateways", {LABEL: "inference"})))
