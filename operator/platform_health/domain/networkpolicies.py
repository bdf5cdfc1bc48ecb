"""May this traffic pass? The union of NetworkPolicies, with three answers: yes, no, and not known.

A pod that no policy isolates takes everything; an isolated one takes what any rule of any policy that selects it allows
(k8s.io/api networking/v1). Ports are those of the pod, after the Service. Answers lean to yes: an address range that
holds the pod's address counts as allowing it, and no is said only where every rule certainly does not match. What a
plugin that ignores policies, a mesh or the policies of a network plugin do is not seen here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from platform_health.domain.namespaces import takes_namespace
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import Pod
from platform_health.views.networking import IpBlock, NetworkPolicy, Peer, PolicyPort
from platform_health.views.view import LabelSelector

Answer = bool | None
"""True, False, or None where it is not known."""


class Passage(NamedTuple):
    """Whether one direction of a connection passes, and the policies that isolate the pod in that direction."""

    allowed: Answer
    policies: tuple[NetworkPolicy, ...] = ()


def enters(source: Pod, destination: Pod, port: int, inventory: Inventory) -> Passage:
    """Whether policies of the destination's namespace let TCP from ``source`` in on this port of the pod."""
    if _is_same(source, destination):
        return Passage(True)
    policies = isolating(destination, "Ingress", inventory)
    if not policies:
        return Passage(True)
    rules = [(policy, rule.from_, rule.ports) for policy in policies for rule in policy.spec.ingress]
    return Passage(_passes(rules, source, destination, port, inventory), policies)


def leaves(source: Pod, destination: Pod, port: int, inventory: Inventory) -> Passage:
    """Whether policies of the source's namespace let TCP to this port of ``destination`` out."""
    if _is_same(source, destination):
        return Passage(True)
    policies = isolating(source, "Egress", inventory)
    if not policies:
        return Passage(True)
    rules = [(policy, rule.to, rule.ports) for policy in policies for rule in policy.spec.egress]
    return Passage(_passes(rules, destination, destination, port, inventory), policies)


def isolating(pod: Pod, direction: str, inventory: Inventory) -> tuple[NetworkPolicy, ...]:
    """The policies that isolate a pod in a direction, ``Ingress`` or ``Egress``."""
    return tuple(
        policy
        for policy in inventory.modifying(NetworkPolicy, pod.namespace)
        if direction in policy.types and policy.spec.pod_selector.matches(pod.labels)
    )


def admits_peer(policy: NetworkPolicy, peer: Peer, pod: Pod, inventory: Inventory) -> Answer:
    """Whether one peer of a policy stands for a pod."""
    if peer.ip_block is not None:
        return _holds(peer.ip_block, pod)
    if peer.namespace_selector is None:
        place: Answer = policy.namespace == pod.namespace
    else:
        place = selects_namespace(peer.namespace_selector, pod.namespace, inventory)
    labels = peer.pod_selector is None or peer.pod_selector.matches(pod.labels)
    return _all((place, labels))


def selects_namespace(selector: LabelSelector, name: str, inventory: Inventory) -> Answer:
    """Whether a selector matches a namespace; of one that is not in the files only the name is known."""
    try:
        return takes_namespace(selector, name, inventory)
    except Unknown:
        return None


def admits_port(ports: Sequence[PolicyPort], destination: Pod, number: int) -> bool:
    """Whether a rule's ports hold this TCP port of the destination; a name that the pod does not declare never does."""
    return not ports or any(_is_port(entry, destination, number) for entry in ports)


def _is_port(entry: PolicyPort, destination: Pod, number: int) -> bool:
    if entry.protocol != "TCP":
        return False
    if entry.port is None:
        return True
    if isinstance(entry.port, int) and entry.end_port is not None:
        return entry.port <= number <= entry.end_port
    return destination.port_number(entry.port) == number


def _passes(
    rules: Iterable[tuple[NetworkPolicy, Sequence[Peer], Sequence[PolicyPort]]],
    pod: Pod,
    destination: Pod,
    port: int,
    inventory: Inventory,
) -> Answer:
    return _any(
        _admits(policy, peers, pod, inventory)
        for policy, peers, ports in rules
        if admits_port(ports, destination, port)
    )


def _admits(policy: NetworkPolicy, peers: Sequence[Peer], pod: Pod, inventory: Inventory) -> Answer:
    return not peers or _any(admits_peer(policy, peer, pod, inventory) for peer in peers)


def _holds(block: IpBlock, pod: Pod) -> Answer:
    """Whether an address range stands for a pod; of the other family it may, since pods may have two addresses."""
    if block.cidr in ("0.0.0.0/0", "::/0") and not block.except_:
        return True
    try:
        address, network = ip_address(pod.status.pod_ip), ip_network(block.cidr, strict=False)
        excepted = [ip_network(entry, strict=False) for entry in block.except_]
    except ValueError:
        return None
    if address.version != network.version:
        return None
    return address in network and not any(address in entry for entry in excepted)


def _is_same(source: Pod, destination: Pod) -> bool:
    return source.ref == destination.ref and not source.is_template


def _any(answers: Iterable[Answer]) -> Answer:
    unknown = False
    for answer in answers:
        if answer:
            return True
        unknown = unknown or answer is None
    return None if unknown else False


def _all(answers: Iterable[Answer]) -> Answer:
    said = list(answers)
    if False in said:
        return False
    return None if None in said else True
