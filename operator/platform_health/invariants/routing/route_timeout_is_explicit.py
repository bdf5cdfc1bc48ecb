"""RouteTimeoutIsExplicit."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.gateways import implementation
from platform_health.domain.routing import backend_view
from platform_health.domain.selection import pods_of_pool
from platform_health.domain.servers import model_servers
from platform_health.domain.timeouts import TIMEOUT_KINDS, Limit, limit, shown
from platform_health.invariant import INFO, WARNING, Fix, Inventory, Violation, invariant
from platform_health.views.core import Pod
from platform_health.views.gateway import Backend, Gateway, HTTPRoute, Rule
from platform_health.views.inference import InferencePool, LegacyInferencePool
from platform_health.views.view import Path

SHORT_SECONDS = 60


@invariant(severity=WARNING, symptom="HTTP 504 on long answers", needs=(Pod, *TIMEOUT_KINDS))
def route_timeout_is_explicit(route: HTTPRoute, inventory: Inventory) -> Iterator[Violation]:
    """A rule to a pool of model servers does not live on the gateway's default timeout.

    Why: Envoy gives a request 15 seconds, GKE 30, NGINX 60 between two reads, unless something says otherwise. An
    answer of a language model takes longer, and a stream counts until its last word. Istio and agentgateway have no
    default.

    Remedy: set `timeouts.request` of the rule to what the longest answer needs, such as 300s, or to 0s for no limit.
    Where the implementation ignores that field, its own policy does the same.

    See: Gateway API, `HTTPRouteTimeouts`; Envoy, "How do I configure timeouts?"; llm-d-modelservice issue 45.
    """
    for _, parent, namespace in route.gateways():
        with inventory.part():
            gateway = inventory.named(Gateway, namespace, parent.name)
            for at, rule in route.rules() if gateway is not None else ():
                with inventory.part():
                    yield from _judged(route, at, rule, gateway, inventory)


def _judged(
    route: HTTPRoute, at: Path, rule: Rule, gateway: Gateway | None, inventory: Inventory
) -> Iterator[Violation]:
    if gateway is None or not (pools := _pools(route, rule)):
        return
    if rule.timeouts is not None and not implementation(gateway, inventory).honours_timeouts:
        return
    found = limit(route, rule, gateway, inventory)
    if not found.seconds or (not found.is_default and found.seconds > SHORT_SECONDS):
        return
    for backend in pools:
        with inventory.part():
            if _serves_models(backend, inventory):
                yield _violation(at, rule, gateway, found, backend)
                return


def _violation(at: Path, rule: Rule, gateway: Gateway, found: Limit, backend: Backend) -> Violation:
    if found.is_default:
        because = f"{found.source}, {shown(found.seconds)}, applies to {backend} behind {gateway.ref}"
    else:
        because = f"{found.source} lets answers of {backend} take {shown(found.seconds)}, long ones take longer"
    return Violation(
        at=at / "timeouts" / "request" if rule.timeouts is not None else at,
        about=f"{rule} by {gateway.ref}",
        because=because,
        severity=WARNING if found.is_default else INFO,
        fix=Fix(title="set timeouts.request to what the longest answer needs, such as 300s", safety="manual"),
    )


def _pools(route: HTTPRoute, rule: Rule) -> list[Backend]:
    number = route.spec.rules.index(rule)
    views = (InferencePool, LegacyInferencePool)
    return [entry for entry in route.weighted_backends() if entry.rule == number and backend_view(entry) in views]


def _serves_models(backend: Backend, inventory: Inventory) -> bool:
    view = backend_view(backend)
    pool = inventory.named(view, backend.namespace, backend.name) if view is not None else None
    if not isinstance(pool, InferencePool | LegacyInferencePool):
        return False
    return any(model_servers(pod) for pod in pods_of_pool(pool, inventory))
