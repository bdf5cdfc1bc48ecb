"""GKE's policies for Gateways: HealthCheckPolicy and GCPBackendPolicy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from platform_health.views.gateway import AttachedPolicy, AttachedPolicySpec
from platform_health.views.view import Kind, Shape, Term, View

GROUP = "networking.gke.io"


class PolicyTarget(Shape, frozen=True):
    """What a policy is about; always in the policy's own namespace."""

    group: str = ""
    kind: str = ""
    name: str = ""


class HttpHealthCheck(Shape, frozen=True):
    """An HTTP health check as far as it is read."""

    port: int | None = None


class HealthCheckConfig(Shape, frozen=True):
    """How the load balancer checks health."""

    http_health_check: HttpHealthCheck | None = None


class HealthCheckDefault(Shape, frozen=True):
    """The defaults of a policy."""

    config: HealthCheckConfig = HealthCheckConfig()


class HealthCheckPolicySpec(Shape, frozen=True):
    """The specification of a HealthCheckPolicy."""

    target_ref: PolicyTarget = PolicyTarget()
    default: HealthCheckDefault = HealthCheckDefault()


class HealthCheckPolicy(View, frozen=True):
    """A HealthCheckPolicy."""

    kind: ClassVar[Kind] = Kind(GROUP, "HealthCheckPolicy", "healthcheckpolicies")

    spec: HealthCheckPolicySpec = HealthCheckPolicySpec()

    @property
    def port(self) -> int | None:
        """The port that is checked, None where the policy leaves it open."""
        check = self.spec.default.config.http_health_check
        return check.port if check is not None else None

    def terms(self) -> Iterator[Term]:
        """Labels and the target."""
        yield from View.terms(self)
        target = self.spec.target_ref
        yield policy_term(target.group, target.kind, target.name)


def policy_term(group: str, kind: str, name: str) -> Term:
    """The index term of the policies about one object of their namespace."""
    return f"policy-target:{kind}.{group}/{name}"


class BackendDefaults(Shape, frozen=True):
    """Settings for a backend."""

    timeout_sec: int | None = None


class GcpBackendPolicySpec(AttachedPolicySpec, frozen=True):
    """The specification of a GCPBackendPolicy."""

    default: BackendDefaults = BackendDefaults()


class GcpBackendPolicy(AttachedPolicy, frozen=True):
    """How load balancers treat one Service or InferencePool."""

    kind: ClassVar[Kind] = Kind(GROUP, "GCPBackendPolicy", "gcpbackendpolicies")

    spec: GcpBackendPolicySpec = GcpBackendPolicySpec()
