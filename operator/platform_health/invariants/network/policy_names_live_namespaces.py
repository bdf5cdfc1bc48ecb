"""PolicyNamesLiveNamespaces."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.flows import FLOW_KINDS
from platform_health.domain.gateways import CONTROLLER_NAMESPACES, DATA_PLANE_KINDS, data_plane, implementation
from platform_health.domain.namespaces import NAME_LABEL, requirements, takes_namespace
from platform_health.domain.networkpolicies import admits_peer, isolating
from platform_health.domain.protection import backends_behind
from platform_health.domain.routing import ROUTES
from platform_health.invariant import WARNING, Inventory, Violation, invariant, nearest
from platform_health.views.core import Namespace, Pod
from platform_health.views.inference import InferencePool, LegacyInferencePool
from platform_health.views.networking import NetworkPolicy, Peer
from platform_health.views.view import Path


@invariant(
    severity=WARNING,
    symptom="HTTP 503, timeouts",
    needs=(Namespace, *ROUTES, *DATA_PLANE_KINDS, *FLOW_KINDS, InferencePool, LegacyInferencePool),
)
def policy_names_live_namespaces(policy: NetworkPolicy, inventory: Inventory) -> Iterator[Violation]:
    """A namespaceSelector that names a namespace matches one, and not the controller's instead of the data plane's.

    Why: a selector that matches no namespace admits nobody. The namespace of a gateway's controller is often taken for
    that of its proxies: Envoy Gateway runs both in one unless it is told otherwise, Istio, kgateway, agentgateway and
    NGINX Gateway Fabric run the proxies beside each Gateway.

    Remedy: name the namespace in which the data plane's pods run.

    See: Kubernetes, NetworkPolicy; Gateway API, GEP-1762.
    """
    for at, peer in policy.peers():
        with inventory.part():
            yield from _missing(at, peer, inventory)
    if "Ingress" in policy.types and any(True for _ in _controllers(policy)):
        with inventory.part():
            yield from _mistaken(policy, inventory)


def _missing(at: Path, peer: Peer, inventory: Inventory) -> Iterator[Violation]:
    names = _names(peer)
    if not names or peer.namespace_selector is None:
        return
    for name in names:
        found = inventory.named(Namespace, "", name)
        if found is not None and takes_namespace(peer.namespace_selector, name, inventory):
            return
    known = (entry.name for entry in inventory.near(Namespace))
    yield Violation(
        at=at / "namespaceSelector",
        about=f"{at.partition('[')[0]} {' '.join(names)}",
        because=f"no namespace matches {peer.namespace_selector}",
        nearest=nearest(names[0], known) if len(names) == 1 else None,
        verify=f"kubectl get namespaces -l '{peer.namespace_selector}'",
    )


def _mistaken(policy: NetworkPolicy, inventory: Inventory) -> Iterator[Violation]:
    """Where a Gateway's proxies are shut out of its backends, and its controller's namespace is let in instead."""
    for gateway, pods in backends_behind(policy, inventory):
        with inventory.part():
            places = [
                (at, name) for at, name in _controllers(policy) if name in implementation(gateway, inventory).namespaces
            ]
            if not places:
                continue
            proxies = data_plane(gateway, inventory)
            homes = sorted({proxy.namespace for proxy in proxies})
            at, name = places[0]
            if name not in homes and _shut_out(proxies, pods, inventory):
                yield Violation(
                    at=at / "namespaceSelector",
                    about=f"{name} {gateway.ref}",
                    because=f"namespace {name} holds the controller, the data plane of {gateway.ref} runs in "
                    f"{', '.join(homes)}",
                    related=(gateway.ref,),
                    verify=f"kubectl get pods -A -l gateway.networking.k8s.io/gateway-name={gateway.name}",
                )


def _shut_out(proxies: list[Pod], pods: list[Pod], inventory: Inventory) -> bool:
    """Whether no policy that isolates these pods admits any of the proxies, whatever the port."""
    for pod in pods:
        for policy in isolating(pod, "Ingress", inventory):
            for rule in policy.spec.ingress:
                if not rule.from_:
                    return False
                for peer in rule.from_:
                    if any(admits_peer(policy, peer, proxy, inventory) is not False for proxy in proxies):
                        return False
    return True


def _controllers(policy: NetworkPolicy) -> Iterator[tuple[Path, str]]:
    """The namespaces of controllers that incoming rules name."""
    for at, peer in policy.peers():
        for name in _names(peer) if at.startswith("spec.ingress") else ():
            if name in CONTROLLER_NAMESPACES:
                yield at, name


def _names(peer: Peer) -> list[str]:
    """The namespaces that a peer names."""
    if peer.namespace_selector is None:
        return []
    return [
        value
        for entry in requirements(peer.namespace_selector)
        if entry.key == NAME_LABEL and entry.operator == "In"
        for value in entry.values
    ]
