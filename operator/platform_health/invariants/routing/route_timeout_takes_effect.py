"""RouteTimeoutTakesEffect."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.gateways import implementation
from platform_health.domain.timeouts import TIMEOUT_KINDS, duration, limit, shown
from platform_health.invariant import WARNING, Inventory, Violation, invariant
from platform_health.views.gateway import Gateway, HTTPRoute, Rule
from platform_health.views.view import Path


@invariant(severity=WARNING, symptom="HTTP 504 when an answer takes longer than another limit", needs=TIMEOUT_KINDS)
def route_timeout_takes_effect(route: HTTPRoute, inventory: Inventory) -> Iterator[Violation]:
    """A timeout of a route is one that the gateway's implementation honours.

    Why: `timeouts` is an optional part of the Gateway API. NGINX Gateway Fabric and GKE ignore it and go by limits of
    their own, 60 seconds between two reads and 30 seconds in all: a route that asks for five minutes gets neither.

    Remedy: on GKE set `default.timeoutSec` of a GCPBackendPolicy for the InferencePool, on NGINX Gateway Fabric the
    read timeout of a ProxySettingsPolicy.

    See: Gateway API, `HTTPRouteTimeouts` (support: extended); GEP-1742, GEP-2257.
    """
    timed = [(at, rule) for at, rule in route.rules() if _timeouts(rule)]
    for at, rule in timed:
        yield from _invalid(at, rule)
    for _, parent, namespace in route.gateways() if timed else ():
        with inventory.part():
            gateway = inventory.named(Gateway, namespace, parent.name)
            if gateway is not None and not implementation(gateway, inventory).honours_timeouts:
                for at, rule in timed:
                    yield from _ignored(route, at, rule, gateway, inventory)


def _ignored(route: HTTPRoute, at: Path, rule: Rule, gateway: Gateway, inventory: Inventory) -> Iterator[Violation]:
    known = implementation(gateway, inventory)
    field, text = _timeouts(rule)[0]
    yield Violation(
        at=at / "timeouts" / field,
        about=f"{rule} by {gateway.ref}",
        because=f"{known.name} ({gateway.ref}) ignores timeouts.{field} {text}; its limit is "
        f"{limit(route, rule, gateway, inventory)}",
    )


def _invalid(at: Path, rule: Rule) -> Iterator[Violation]:
    """Durations that are none, and an inner limit above the outer one; the API server refuses both."""
    given = {field: duration(text) for field, text in _timeouts(rule)}
    for field, text in _timeouts(rule):
        if given[field] is None:
            yield Violation(
                at=at / "timeouts" / field,
                about=f"{rule} {field}",
                because=f"timeouts.{field} is {text!r}, expected a duration such as 300s or 1h30m",
                symptom="the API server refuses the route",
            )
    outer, inner = given.get("request"), given.get("backendRequest")
    if outer and inner and inner > outer:
        yield Violation(
            at=at / "timeouts" / "backendRequest",
            about=f"{rule} backendRequest",
            because=f"timeouts.backendRequest {shown(inner)} is above timeouts.request {shown(outer)}",
            symptom="the API server refuses the route",
        )


def _timeouts(rule: Rule) -> list[tuple[str, str]]:
    if rule.timeouts is None:
        return []
    given = (("request", rule.timeouts.request), ("backendRequest", rule.timeouts.backend_request))
    return [(field, text) for field, text in given if text is not None]
