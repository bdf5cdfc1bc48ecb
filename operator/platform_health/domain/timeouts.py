"""How long a gateway lets a request take: what the route says, what policies say, what the implementation defaults to.

``timeouts.request`` and ``backendRequest`` are GEP-2257 durations, of which zero means no limit. An implementation that
ignores them limits requests by a policy of its own. The timeout of Envoy covers the whole stream, that of NGINX the
pause between two reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from platform_health.domain.gateways import Implementation, implementation
from platform_health.domain.routing import BACKENDS, backend_view
from platform_health.inventory import Inventory
from platform_health.views.envoy_gateway import BackendTrafficPolicy, EnvoyProxy
from platform_health.views.gateway import Gateway, GatewayClass, HTTPRoute, Rule
from platform_health.views.gke import GcpBackendPolicy
from platform_health.views.kgateway import TrafficPolicy
from platform_health.views.nginx import ProxySettingsPolicy, SnippetsPolicy
from platform_health.views.view import View

TIMEOUT_KINDS: tuple[type[View], ...] = (
    Gateway,
    GatewayClass,
    EnvoyProxy,
    BackendTrafficPolicy,
    TrafficPolicy,
    ProxySettingsPolicy,
    SnippetsPolicy,
    GcpBackendPolicy,
    *BACKENDS,
)
"""What these questions read."""

_DURATION = re.compile(r"([0-9]{1,5})(h|ms|m|s)")
_WHOLE = re.compile(r"([0-9]{1,5}(h|m|s|ms)){1,4}\Z")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


class Limit(NamedTuple):
    """How long a request may take; 0: without limit, None: set, but not known to what."""

    seconds: float | None
    source: str
    is_default: bool = False

    def __str__(self) -> str:
        return f"{shown(self.seconds)} ({self.source})" if self.seconds else f"no limit ({self.source})"


def duration(text: str) -> float | None:
    """Seconds of a GEP-2257 duration, None where it is none."""
    if not _WHOLE.match(text):
        return None
    return sum(int(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text))


def shown(seconds: float | None) -> str:
    """Seconds as people write them."""
    if seconds is None:
        return "?"
    return f"{seconds:g} s"


def limit(route: HTTPRoute, rule: Rule, gateway: Gateway, inventory: Inventory) -> Limit:
    """How long a Gateway lets a request of this rule take; Unknown where its implementation is not known."""
    known = implementation(gateway, inventory)
    written = _written(rule) if known.honours_timeouts else None
    by_policy = written or _by_policy(known, route, rule, gateway, inventory)
    return by_policy or Limit(known.default_timeout, f"the default of {known.name}", is_default=True)


def _written(rule: Rule) -> Limit | None:
    """What the rule itself says: the shorter of both timeouts."""
    if rule.timeouts is None:
        return None
    given = [
        Limit(duration(text), f"timeouts.{field}")
        for field, text in (("request", rule.timeouts.request), ("backendRequest", rule.timeouts.backend_request))
        if text is not None
    ]
    limited = [entry for entry in given if entry.seconds]
    return min(limited, key=lambda entry: entry.seconds or 0.0, default=given[0] if given else None)


def _by_policy(
    known: Implementation, route: HTTPRoute, rule: Rule, gateway: Gateway, inventory: Inventory
) -> Limit | None:
    match known.name:
        case "Envoy Gateway":
            return _attached(inventory, BackendTrafficPolicy, (route, gateway))
        case "kgateway":
            return _attached(inventory, TrafficPolicy, (route, gateway))
        case "NGINX Gateway Fabric":
            return _nginx(route, rule, gateway, inventory)
        case "GKE":
            return _gke(route, rule, inventory)
    return None


def _attached(
    inventory: Inventory, kind: type[BackendTrafficPolicy] | type[TrafficPolicy], targets: Iterable[View]
) -> Limit | None:
    """The request timeout of the policies attached to the first target that has one, the more specific first."""
    for target in targets:
        for policy in inventory.modifying(kind, target.namespace):
            if policy.is_for(target) and policy.request_timeout is not None:
                return Limit(duration(policy.request_timeout), str(policy.ref))
    return None


def _nginx(route: HTTPRoute, rule: Rule, gateway: Gateway, inventory: Inventory) -> Limit | None:
    """Policies of NGINX may set the read timeout; what snippets say is not read."""
    if any(entry.type == "ExtensionRef" for entry in rule.filters):
        return Limit(None, "a filter of the rule")
    for target in (route, gateway):
        for kind in (ProxySettingsPolicy, SnippetsPolicy):
            for policy in inventory.modifying(kind, target.namespace):
                if policy.is_for(target):
                    return Limit(None, str(policy.ref))
    return None


def _gke(route: HTTPRoute, rule: Rule, inventory: Inventory) -> Limit | None:
    """The shortest timeout of the rule's backends, None where some backend has the default."""
    number = route.spec.rules.index(rule)
    limits: list[Limit] = []
    for backend in route.weighted_backends():
        view = backend_view(backend)
        if backend.rule != number or view is None:
            continue
        found = inventory.named(view, backend.namespace, backend.name)
        own = [
            Limit(float(policy.spec.default.timeout_sec), str(policy.ref))
            for policy in inventory.modifying(GcpBackendPolicy, backend.namespace)
            if found is not None and policy.is_for(found) and policy.spec.default.timeout_sec is not None
        ]
        if not own:
            return None
        limits.extend(own)
    return min(limits, key=lambda entry: entry.seconds or 0.0, default=None)
