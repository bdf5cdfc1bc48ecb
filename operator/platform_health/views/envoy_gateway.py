"""Envoy Gateway: where its proxies run (EnvoyProxy) and how long they wait (BackendTrafficPolicy)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from platform_health.views.view import Kind, Labels, Shape, Term, View

GROUP = "gateway.envoyproxy.io"


class EnvoyProxySpec(Shape, frozen=True):
    """The specification of an EnvoyProxy."""

    merge_gateways: bool = False


class EnvoyProxy(View, frozen=True):
    """The parameters of a GatewayClass or Gateway of Envoy Gateway."""

    kind: ClassVar[Kind] = Kind(GROUP, "EnvoyProxy", "envoyproxies", ("v1alpha1",))

    spec: EnvoyProxySpec = EnvoyProxySpec()


class TargetRef(Shape, frozen=True):
    """What a policy is attached to; always in its own namespace. ``section_name`` narrows it to a rule or listener."""

    group: str = ""
    kind: str = ""
    name: str = ""
    section_name: str = ""


class TargetSelector(Shape, frozen=True):
    """What a policy is attached to, by labels."""

    group: str = "gateway.networking.k8s.io"
    kind: str = ""
    match_labels: Labels = {}


class HttpTimeout(Shape, frozen=True):
    """HTTP timeouts of a backend as GEP-2257 durations."""

    request_timeout: str | None = None
    stream_idle_timeout: str | None = None


class Timeout(Shape, frozen=True):
    """Timeouts of a backend."""

    http: HttpTimeout = HttpTimeout()


class BackendTrafficPolicySpec(Shape, frozen=True):
    """The specification of a BackendTrafficPolicy; ``target_ref`` is the deprecated single form."""

    target_ref: TargetRef | None = None
    target_refs: tuple[TargetRef, ...] = ()
    target_selectors: tuple[TargetSelector, ...] = ()
    timeout: Timeout = Timeout()


class BackendTrafficPolicy(View, frozen=True):
    """A BackendTrafficPolicy."""

    kind: ClassVar[Kind] = Kind(GROUP, "BackendTrafficPolicy", "backendtrafficpolicies", ("v1alpha1",))

    spec: BackendTrafficPolicySpec = BackendTrafficPolicySpec()

    @property
    def targets(self) -> tuple[TargetRef, ...]:
        """What it is attached to by name."""
        single = (self.spec.target_ref,) if self.spec.target_ref is not None else ()
        return (*single, *self.spec.target_refs)

    def terms(self) -> Iterator[Term]:
        """Labels, and what it is attached to."""
        yield from View.terms(self)
        for target in self.targets:
            yield target_term(target.kind, target.name)


def target_term(kind: str, name: str) -> Term:
    """The index term of the policies attached to an object of their namespace."""
    return f"target:{kind}/{name}"
