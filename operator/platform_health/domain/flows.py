"""Traffic that NetworkPolicies keep from passing, from some pods to ports of others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from platform_health.domain.endpoints import ACTIVE_PORTS
from platform_health.domain.meshes import is_meshed
from platform_health.domain.networkpolicies import Passage, enters, leaves
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import Namespace, Pod
from platform_health.views.networking import NetworkPolicy, Peer
from platform_health.views.policies import OTHER_POLICIES
from platform_health.views.view import LabelSelector, Ref, View

Ports = Callable[[Pod], Iterable[int]]
"""The ports of a destination that traffic goes to."""


class Blockage(NamedTuple):
    """Traffic that certainly does not pass in one direction."""

    direction: str
    """``Ingress`` where the destination's namespace refuses it, ``Egress`` where the source's does."""
    everywhere: bool
    """Whether no source reaches any destination on any port."""
    ports: tuple[int, ...]
    source: Pod
    destination: Pod
    policies: tuple[Ref, ...]
    """The policies that isolate the pods it concerns."""

    @property
    def guarded(self) -> Pod:
        """The pod whose namespace's policies refuse the traffic."""
        return self.destination if self.direction == "Ingress" else self.source

    def __str__(self) -> str:
        side, pod = ("from", self.source) if self.direction == "Ingress" else ("to", self.destination)
        names = ", ".join(f"{ref.namespace}/{ref.name}" for ref in self.policies[:3])
        more = f" and {len(self.policies) - 3} more" if len(self.policies) > 3 else ""
        ports = ", ".join(map(str, self.ports))
        what = "NetworkPolicy" if len(self.policies) == 1 else "NetworkPolicies"
        return f"no {self.direction.lower()} rule of {what} {names}{more} admits {side} {_where(pod)} to port {ports}"


def _where(pod: Pod) -> str:
    name = pod.labels.get("gateway.networking.k8s.io/gateway-name") or pod.name
    return f"pod {pod.namespace}/{name}"


def is_restricted(inventory: Inventory) -> bool:
    """Whether there is any NetworkPolicy at all; without one everything passes."""
    return bool(inventory.modifying(NetworkPolicy))


def blockages(
    sources: Sequence[Pod], destinations: Sequence[Pod], ports: Ports, inventory: Inventory
) -> Iterator[Blockage]:
    """The blockages between these pods, one per direction at most; then Unknown where some answer is not known."""
    targets = [pod for pod in destinations if not pod.spec.host_network]
    senders = [pod for pod in sources if not pod.spec.host_network]
    policies = [
        policy
        for namespace in sorted({pod.namespace for pod in (*targets, *senders)})
        for policy in inventory.modifying(NetworkPolicy, namespace)
    ]
    if not policies or not targets:
        return
    if not senders:
        raise Unknown("the pods that send run in the host network")
    pairs = [
        (source, destination, port)
        for source in _representatives(senders, policies)
        for destination in _representatives(targets, policies)
        for port in ports(destination)
    ]
    doubtful = False
    for direction, judge in (("Ingress", enters), ("Egress", leaves)):
        denied: list[tuple[Pod, Pod, int, Passage]] = []
        for source, destination, port in pairs:
            passage = judge(source, destination, port, inventory)
            doubtful = doubtful or passage.allowed is None
            if passage.allowed is False:
                denied.append((source, destination, port, passage))
        if denied:
            _refuse_meshed([pod for source, target, *_ in denied for pod in (source, target)], inventory)
            yield _blockage(direction, len(denied) == len(pairs), denied)
    if doubtful:
        raise Unknown("a NetworkPolicy asks for an address or a namespace label that is not known")


def has_other_policies(namespaces: Iterable[str], inventory: Inventory) -> bool:
    """Whether policies of a network plugin or of an administrator may admit what NetworkPolicies do not."""
    places = set(namespaces)
    return any(
        entry.namespace in places or not kind.kind.namespaced
        for kind in OTHER_POLICIES
        for entry in inventory.modifying(kind)
    )


def _blockage(direction: str, everywhere: bool, denied: list[tuple[Pod, Pod, int, Passage]]) -> Blockage:
    source, destination, _, _ = denied[0]
    policies = {policy.ref: None for *_, passage in denied for policy in passage.policies}
    ports = tuple(sorted({port for _, _, port, _ in denied}))
    return Blockage(direction, everywhere, ports, source, destination, tuple(policies))


def _refuse_meshed(pods: Iterable[Pod], inventory: Inventory) -> None:
    for pod in pods:
        if is_meshed(pod, inventory):
            raise Unknown(f"a service mesh carries the traffic of pod {pod.namespace}/{pod.name}")


def _representatives(pods: Sequence[Pod], policies: Sequence[NetworkPolicy]) -> list[Pod]:
    """One pod of each sort that these policies can tell apart."""
    keys = sorted({key for policy in policies for selector in _selectors(policy) for key in selector.keys})
    by_address = any(peer.ip_block is not None for policy in policies for peer in _peers(policy))
    sorts: dict[tuple[object, ...], Pod] = {}
    for pod in pods:
        sort = (
            pod.namespace,
            tuple(pod.labels.get(key) for key in keys),
            tuple((port.name, port.protocol, port.container_port) for port in pod.ports()),
            tuple(pod.annotations.get(key) for key in ACTIVE_PORTS),
            pod.status.pod_ip if by_address else "",
            pod.ref if pod.is_template else None,
        )
        sorts.setdefault(sort, pod)
    return list(sorts.values())


def _selectors(policy: NetworkPolicy) -> Iterator[LabelSelector]:
    yield policy.spec.pod_selector
    for peer in _peers(policy):
        if peer.pod_selector is not None:
            yield peer.pod_selector


def _peers(policy: NetworkPolicy) -> Iterator[Peer]:
    for incoming in policy.spec.ingress:
        yield from incoming.from_
    for outgoing in policy.spec.egress:
        yield from outgoing.to


FLOW_KINDS: tuple[type[View], ...] = (NetworkPolicy, Namespace, *OTHER_POLICIES)
"""What these questions read beyond the pods."""
