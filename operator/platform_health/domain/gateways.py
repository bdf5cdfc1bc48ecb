"""Gateways: which implementation is behind one, what it supports, and in which pods its data plane lives.

Where the facts come from: Istio (pilot ``gateway/deploymentcontroller``, its task about the Gateway API Inference
Extension), agentgateway (``inference_plugin.go``), kgateway issues 11370 and 11429, Envoy Gateway (``ir/infra`` labels,
``HTTPRoute`` 15 s default) and Envoy AI Gateway (``inferencepool.go``: ``FailureModeAllow`` is never set; a rule of an
AIGatewayRoute defaults to 60 s), NGINX Gateway Fabric (``proxy_read_timeout``, HTTPRoute timeouts unsupported), GKE
(``GCPBackendPolicy.timeoutSec`` 30 s, HTTPRoute timeouts unsupported).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from platform_health.domain.selection import pods_matching, pods_of_service
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import Pod, Service
from platform_health.views.envoy_gateway import GROUP as ENVOY_GROUP
from platform_health.views.envoy_gateway import EnvoyProxy
from platform_health.views.gateway import Gateway, GatewayClass, ParametersRef
from platform_health.views.view import LabelSelector, View, condition


class Implementation(NamedTuple):
    """What one implementation of the Gateway API does; None where it is not known.

    ``default_timeout``: seconds that a request may take where no timeout is set, 0 for no limit.
    """

    name: str
    controllers: tuple[str, ...]
    namespaces: tuple[str, ...]
    """Where its controller usually runs, which is not where the data plane runs."""
    classes: tuple[str, ...] = ()
    """The GatewayClasses that its installation creates."""
    has_pods: bool = True
    honours_timeouts: bool = True
    default_timeout: int | None = 0
    crosses_namespaces: bool | None = None
    """Whether a route may reach an InferencePool of another namespace, given a grant."""
    picker_tls: bool | None = None
    """Whether the data plane always speaks TLS to endpoint pickers; False: plaintext unless configured."""
    honours_fail_open: bool | None = True


IMPLEMENTATIONS = (
    Implementation(
        "Istio",
        ("istio.io/gateway-controller", "istio.io/unmanaged-gateway", "istio.io/mesh-controller"),
        ("istio-system",),
        ("istio", "istio-remote", "istio-waypoint"),
        crosses_namespaces=True,
        picker_tls=False,
    ),
    Implementation(
        "agentgateway",
        ("agentgateway.dev/agentgateway", "kgateway.dev/agentgateway", "istio.io/agentgateway-controller"),
        ("agentgateway-system",),
        ("agentgateway",),
        picker_tls=True,
    ),
    Implementation(
        "kgateway",
        ("kgateway.dev/kgateway",),
        ("kgateway-system",),
        ("kgateway",),
        default_timeout=15,
        crosses_namespaces=False,
        picker_tls=True,
    ),
    Implementation(
        "Envoy Gateway",
        ("gateway.envoyproxy.io/gatewayclass-controller",),
        ("envoy-gateway-system", "envoy-ai-gateway-system"),
        default_timeout=15,
        crosses_namespaces=False,
        picker_tls=True,
        honours_fail_open=False,
    ),
    Implementation(
        "NGINX Gateway Fabric",
        ("gateway.nginx.org/nginx-gateway-controller",),
        ("nginx-gateway",),
        ("nginx",),
        honours_timeouts=False,
        default_timeout=60,
        crosses_namespaces=True,
    ),
    Implementation(
        "GKE",
        ("networking.gke.io/gateway",),
        (),
        ("gke-l7-regional-external-managed", "gke-l7-rilb", "gke-l7-global-external-managed", "gke-l7-gxlb"),
        has_pods=False,
        honours_timeouts=False,
        default_timeout=30,
        picker_tls=True,
    ),
)
CONTROLLER_NAMESPACES = {name: entry for entry in IMPLEMENTATIONS for name in entry.namespaces}

_BY_CONTROLLER = {controller: entry for entry in IMPLEMENTATIONS for controller in entry.controllers}
_BY_CLASS = {name: entry for entry in IMPLEMENTATIONS for name in entry.classes}

GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name"
OWNING_GATEWAY = "gateway.envoyproxy.io/owning-gateway-name"
OWNING_NAMESPACE = "gateway.envoyproxy.io/owning-gateway-namespace"
OWNING_CLASS = "gateway.envoyproxy.io/owning-gatewayclass"


def implementation_of_controller(controller: str) -> Implementation | None:
    """The implementation that a controller name stands for, None where it is not known."""
    return _BY_CONTROLLER.get(controller)


def class_of(gateway: Gateway, inventory: Inventory) -> GatewayClass | None:
    """The GatewayClass of a Gateway, None where it does not exist; Unknown where that cannot be known."""
    return inventory.named(GatewayClass, "", gateway.spec.gateway_class_name)


def implementation(gateway: Gateway, inventory: Inventory) -> Implementation:
    """The implementation behind a Gateway; Unknown where its class is missing or its controller is not recognised.

    A class that an implementation's own installation creates is recognised by name where the files leave it out.
    """
    name = gateway.spec.gateway_class_name
    try:
        found = class_of(gateway, inventory)
    except Unknown:
        if name in _BY_CLASS:
            return _BY_CLASS[name]
        raise
    if found is None:
        raise Unknown(f"GatewayClass {name} does not exist, so nobody serves {gateway.ref}")
    known = _BY_CONTROLLER.get(found.spec.controller_name)
    if known is None:
        raise Unknown(f"controller {found.spec.controller_name or '?'} of GatewayClass {name} is not one we know")
    return known


def honours_fail_open(gateway: Gateway, inventory: Inventory) -> bool:
    """Whether the data plane goes on without its picker where the pool says FailOpen; yes where that is not known."""
    try:
        return implementation(gateway, inventory).honours_fail_open is not False
    except Unknown:
        return True


def is_refused(gateway: Gateway) -> bool:
    """Whether the Gateway's own status says that it does not work, so that nothing follows for its routes.

    A missing address does not count: where there are no load balancers, it stays missing.
    """
    said = (condition(gateway.status.conditions, name) for name in ("Accepted", "Programmed"))
    return any(entry is not None and entry.status == "False" and entry.reason != "AddressNotAssigned" for entry in said)


def data_plane(gateway: Gateway, inventory: Inventory) -> list[Pod]:
    """The pods that carry a Gateway's traffic, in whatever namespace they run; Unknown where none is found.

    They are found by the labels that implementations put on them, never assumed from the controller's name: nothing
    found means that the data plane has no pods, or is not there yet.
    """
    known = _implementation_or_labels(gateway, inventory)
    if known is not None and not known.has_pods:
        raise Unknown(f"the data plane of {gateway.ref} ({known.name}) has no pods")
    found = {pod.ref: pod for pod in _candidates(gateway, inventory) if not pod.is_over}
    if not found:
        raise Unknown(f"no data-plane pods of {gateway.ref} are known")
    reachable = [pod for pod in found.values() if not pod.spec.host_network]
    if not reachable:
        raise Unknown(f"the data plane of {gateway.ref} runs in the host network")
    return reachable


def _implementation_or_labels(gateway: Gateway, inventory: Inventory) -> Implementation | None:
    """The implementation; None where files leave the class out, so that only the pods' labels can tell."""
    try:
        class_of(gateway, inventory)
    except Unknown:
        return _BY_CLASS.get(gateway.spec.gateway_class_name)
    return implementation(gateway, inventory)


def _candidates(gateway: Gateway, inventory: Inventory) -> Iterator[Pod]:
    namespace = gateway.namespace
    for name in {gateway.name, _hashed(gateway.name)}:
        yield from _found(namespace, {GATEWAY_NAME: name}, inventory)
    yield from _found(None, {OWNING_GATEWAY: gateway.name, OWNING_NAMESPACE: namespace}, inventory)
    if _merges_gateways(gateway, inventory):
        yield from _found(None, {OWNING_CLASS: gateway.spec.gateway_class_name}, inventory)
    for address in gateway.spec.addresses:
        if address.type == "Hostname":
            yield from _behind(address.value, namespace, inventory)


def _found(namespace: str | None, labels: dict[str, str], inventory: Inventory) -> list[Pod]:
    """Pods with these labels; none where that is all that can be said, since finding nothing means Unknown anyway."""
    try:
        return pods_matching(namespace, LabelSelector(match_labels=labels), inventory)
    except Unknown:
        if not inventory.is_known(Pod):
            raise
        return []


def _hashed(name: str) -> str:
    """The label value that agentgateway and kgateway use for a name that is too long (``safeLabelValue``)."""
    if len(name) <= 63:
        return name
    return name[:50].removesuffix("-") + "-" + hashlib.sha256(name.encode()).hexdigest()[:12]


def _behind(host: str, namespace: str, inventory: Inventory) -> list[Pod]:
    """The pods of the Service that a manually deployed Istio gateway names as its address."""
    name, _, rest = host.partition(".")
    place = rest.partition(".")[0] or namespace
    try:
        service = inventory.named(Service, place, name)
        return pods_of_service(service, inventory) if service is not None else []
    except Unknown:
        if not (inventory.is_known(Pod) and inventory.is_known(Service)):
            raise
        return []


def _merges_gateways(gateway: Gateway, inventory: Inventory) -> bool:
    """Whether an EnvoyProxy lets one data plane serve all Gateways of the class."""
    try:
        found = class_of(gateway, inventory)
    except Unknown:
        return False
    reference = found.spec.parameters_ref if found is not None else None
    if reference is None or not _is_envoy_proxy(reference):
        return False
    proxy = next(
        (entry for entry in inventory.modifying(EnvoyProxy, reference.namespace) if entry.name == reference.name), None
    )
    return proxy is not None and proxy.spec.merge_gateways


def _is_envoy_proxy(reference: ParametersRef) -> bool:
    return (reference.group, reference.kind) == (ENVOY_GROUP, "EnvoyProxy")


DATA_PLANE_KINDS: tuple[type[View], ...] = (Gateway, GatewayClass, EnvoyProxy, Pod, Service)
"""What :func:`data_plane` reads."""
