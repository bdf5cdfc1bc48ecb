"""Envoy Gateway: where its proxies run (EnvoyProxy) and how long they wait (BackendTrafficPolicy)."""

from __future__ import annotations

from typing import ClassVar

from platform_health.views.gateway import AttachedPolicy, AttachedPolicySpec
from platform_health.views.view import Kind, Shape, View

GROUP = "gateway.envoyproxy.io"


class EnvoyProxySpec(Shape, frozen=True):
    """The specification of an EnvoyProxy."""

    merge_gateways: bool = False


class EnvoyProxy(View, frozen=True):
    """The parameters of a GatewayClass or Gateway of Envoy Gateway."""

    kind: ClassVar[Kind] = Kind(GROUP, "EnvoyProxy", "envoyproxies", ("v1alpha1",))

    spec: EnvoyProxySpec = EnvoyProxySpec()


class HttpTimeout(Shape, frozen=True):
    """HTTP timeouts of a backend as GEP-2257 durations."""

    request_timeout: str | None = None


class Timeout(Shape, frozen=True):
    """Timeouts of a backend."""

    http: HttpTimeout | None = None


class BackendTrafficPolicySpec(AttachedPolicySpec, frozen=True):
    """The specification of a BackendTrafficPolicy."""

    timeout: Timeout | None = None


class BackendTrafficPolicy(AttachedPolicy, frozen=True):
    """How proxies talk to the backends of a Gateway or a route."""

    kind: ClassVar[Kind] = Kind(GROUP, "BackendTrafficPolicy", "backendtrafficpolicies", ("v1alpha1",))

    spec: BackendTrafficPolicySpec = BackendTrafficPolicySpec()

    @property
    def request_timeout(self) -> str | None:
        """How long a request may take, None where the policy does not say."""
        http = self.spec.timeout.http if self.spec.timeout is not None else None
        return http.request_timeout if http is not None else None
