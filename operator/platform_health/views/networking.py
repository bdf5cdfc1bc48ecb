"""NetworkPolicy and EndpointSlice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import msgspec

from platform_health.views.view import IntOrString, Kind, LabelSelector, Path, Shape, View


class IpBlock(Shape, frozen=True):
    """A range of addresses."""

    cidr: str = ""
    except_: tuple[str, ...] = msgspec.field(name="except", default=())


class Peer(Shape, frozen=True):
    """One peer of a rule: pods, namespaces or both in one element, or an address range."""

    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IpBlock | None = None


class PolicyPort(Shape, frozen=True):
    """One port of a rule; no port means every port of the protocol."""

    protocol: str = "TCP"
    port: IntOrString | None = None
    end_port: int | None = None


class IngressRule(Shape, frozen=True):
    """One ingress rule; empty lists mean all sources and all ports."""

    from_: tuple[Peer, ...] = msgspec.field(name="from", default=())
    ports: tuple[PolicyPort, ...] = ()


class EgressRule(Shape, frozen=True):
    """One egress rule; empty lists mean all destinations and all ports."""

    to: tuple[Peer, ...] = ()
    ports: tuple[PolicyPort, ...] = ()


class NetworkPolicySpec(Shape, frozen=True):
    """The specification of a NetworkPolicy."""

    pod_selector: LabelSelector = LabelSelector()
    policy_types: tuple[str, ...] = ()
    ingress: tuple[IngressRule, ...] = ()
    egress: tuple[EgressRule, ...] = ()


class NetworkPolicy(View, frozen=True):
    """A NetworkPolicy."""

    kind: ClassVar[Kind] = Kind("networking.k8s.io", "NetworkPolicy", "networkpolicies")

    spec: NetworkPolicySpec = NetworkPolicySpec()

    @property
    def types(self) -> tuple[str, ...]:
        """The directions it isolates; unset means Ingress, and Egress where there are egress rules."""
        if self.spec.policy_types:
            return self.spec.policy_types
        return ("Ingress", "Egress") if self.spec.egress else ("Ingress",)

    def peers(self) -> Iterator[tuple[Path, Peer]]:
        """The peers of the rules that count, with their paths."""
        if "Ingress" in self.types:
            for number, incoming in enumerate(self.spec.ingress):
                for index, peer in enumerate(incoming.from_):
                    yield Path("spec.ingress") / number / "from" / index, peer
        if "Egress" in self.types:
            for number, outgoing in enumerate(self.spec.egress):
                for index, peer in enumerate(outgoing.to):
                    yield Path("spec.egress") / number / "to" / index, peer


class SliceConditions(Shape, frozen=True):
    """The state of one endpoint; unset means ready."""

    ready: bool = True


class SliceEndpoint(Shape, frozen=True):
    """One endpoint of a slice."""

    addresses: tuple[str, ...] = ()
    conditions: SliceConditions = SliceConditions()


class SlicePort(Shape, frozen=True):
    """One port of a slice."""

    name: str = ""
    port: int | None = None
    protocol: str = "TCP"


class EndpointSlice(View, frozen=True):
    """An EndpointSlice."""

    kind: ClassVar[Kind] = Kind("discovery.k8s.io", "EndpointSlice", "endpointslices", via="stream")

    endpoints: tuple[SliceEndpoint, ...] = ()
    ports: tuple[SlicePort, ...] = ()

    @property
    def is_derived(self) -> bool:
        """Whether the control plane makes it from the Service's selector."""
        return self.labels.get("endpointslice.kubernetes.io/managed-by") == "endpointslice-controller.k8s.io"

    @property
    def service(self) -> str:
        """The name of the Service it belongs to."""
        return self.labels.get("kubernetes.io/service-name", "")
