"""kgateway: how long its proxies wait (TrafficPolicy)."""

from __future__ import annotations

from typing import ClassVar

from platform_health.views.gateway import AttachedPolicy, AttachedPolicySpec
from platform_health.views.view import Kind, Shape


class PolicyTimeouts(Shape, frozen=True):
    """Timeouts as durations."""

    request: str | None = None


class TrafficPolicySpec(AttachedPolicySpec, frozen=True):
    """The specification of a TrafficPolicy."""

    timeouts: PolicyTimeouts = PolicyTimeouts()


class TrafficPolicy(AttachedPolicy, frozen=True):
    """How proxies treat the requests of a Gateway or a route."""

    kind: ClassVar[Kind] = Kind("gateway.kgateway.dev", "TrafficPolicy", "trafficpolicies", ("v1alpha1",))

    spec: TrafficPolicySpec = TrafficPolicySpec()

    @property
    def request_timeout(self) -> str | None:
        """How long a request may take, None where the policy does not say."""
        return self.spec.timeouts.request
