"""Istio: DestinationRule."""

from __future__ import annotations

from typing import ClassVar

from platform_health.views.view import Kind, Shape, View

GROUP = "networking.istio.io"


class ClientTls(Shape, frozen=True):
    """How clients speak to a host: DISABLE, SIMPLE, MUTUAL or ISTIO_MUTUAL."""

    mode: str = ""


class PortNumber(Shape, frozen=True):
    """A port of the host."""

    number: int = 0


class PortTraffic(Shape, frozen=True):
    """The policy of one port; it replaces that of the whole host."""

    port: PortNumber = PortNumber()
    tls: ClientTls | None = None


class TrafficPolicy(Shape, frozen=True):
    """The policy of a host as far as it is read."""

    tls: ClientTls | None = None
    port_level_settings: tuple[PortTraffic, ...] = ()


class DestinationRuleSpec(Shape, frozen=True):
    """The specification of a DestinationRule; no ``exportTo`` means every namespace."""

    host: str = ""
    traffic_policy: TrafficPolicy = TrafficPolicy()
    export_to: tuple[str, ...] = ()


class DestinationRule(View, frozen=True):
    """A DestinationRule."""

    kind: ClassVar[Kind] = Kind(GROUP, "DestinationRule", "destinationrules", ("v1", "v1beta1", "v1alpha3"))

    spec: DestinationRuleSpec = DestinationRuleSpec()

    @property
    def is_exported(self) -> bool:
        """Whether every namespace sees it."""
        return not self.spec.export_to or "*" in self.spec.export_to

    def is_about(self, service: str, namespace: str) -> bool:
        """Whether its host is the Service: by short name, in any of its longer forms, or by a wildcard."""
        host = self.spec.host
        full = f"{service}.{namespace}.svc.cluster.local"
        if host.startswith("*"):
            return full.endswith(host[1:])
        if "." not in host:
            return (host, self.namespace) == (service, namespace)
        return host in (full, f"{service}.{namespace}", f"{service}.{namespace}.svc")

    def tls_mode(self, port: int) -> str:
        """The mode in which clients speak TLS to a port, empty where the rule says none."""
        policy = self.spec.traffic_policy
        own = next((entry for entry in policy.port_level_settings if entry.port.number == port), None)
        if own is not None:
            return own.tls.mode if own.tls is not None else ""
        return policy.tls.mode if policy.tls is not None else ""
