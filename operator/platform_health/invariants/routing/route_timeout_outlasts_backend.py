"""RouteTimeoutOutlastsBackend."""

from __future__ import annotations

import math
from collections.abc import Iterator

from platform_health.domain.budgets import CALLERS, Budget, budgets
from platform_health.domain.routing import backend_view
from platform_health.domain.timeouts import TIMEOUT_KINDS, Limit, limit, shown
from platform_health.invariant import WARNING, Fix, Inventory, Operation, Violation, invariant
from platform_health.views.gateway import Gateway, HTTPRoute, Rule
from platform_health.views.inference import InferencePool, LegacyInferencePool
from platform_health.views.view import Path

MARGIN = 1.1


@invariant(
    severity=WARNING,
    symptom="HTTP 504 on long answers",
    needs=(*TIMEOUT_KINDS, *CALLERS),
    fixes=(HTTPRoute,),
)
def route_timeout_outlasts_backend(route: HTTPRoute, inventory: Inventory) -> Iterator[Violation]:
    """A gateway does not give up on a request before those who wait for the answer do.

    Why: a router that waits ten minutes for an upstream gets a 504 after one where the route in between allows only
    that. The limit is `timeouts` of the rule, or what the implementation goes by instead. What is needed is a timeout
    of LiteLLM or of the router for an upstream that is this route, or says the annotation
    `platformhealth.dev/request-timeout` of the backend.

    Remedy: raise `timeouts.request` above what is needed, or lower the timeout of the caller.

    See: Gateway API, `HTTPRouteTimeouts`; LiteLLM, "Timeouts".
    """
    for _, parent, namespace in route.gateways():
        with inventory.part():
            gateway = inventory.named(Gateway, namespace, parent.name)
            for at, rule in route.rules() if gateway is not None else ():
                if gateway is not None:
                    yield from _judged(route, at, rule, gateway, inventory)


def _judged(route: HTTPRoute, at: Path, rule: Rule, gateway: Gateway, inventory: Inventory) -> Iterator[Violation]:
    needed = max(budgets(route, rule, gateway, inventory), key=lambda entry: entry.seconds, default=None)
    if needed is None:
        return
    found = limit(route, rule, gateway, inventory)
    if not found.seconds or found.seconds >= needed.seconds:
        return
    field = found.source if found.source.startswith("timeouts.") else ""
    yield Violation(
        at=at / "timeouts" / field.partition(".")[2] if field else at,
        about=f"{rule} by {gateway.ref}",
        because=f"{gateway.ref} gives up after {found}, {needed.says} is {shown(needed.seconds)}",
        related=(needed.by,),
        fix=_fix(route, at, rule, found, needed),
    )


def _fix(route: HTTPRoute, at: Path, rule: Rule, found: Limit, needed: Budget) -> Fix:
    """Safe where the rule's own limit is the one that is too short, and it leads to pools alone."""
    value = f"{math.ceil(needed.seconds * MARGIN)}s"
    title = f"set timeouts.request to {value}"
    if found.source != "timeouts.request":
        return Fix(title=title, safety="manual", target=route.ref)
    backends = [entry for entry in route.backends() if entry.rule == route.spec.rules.index(rule)]
    only_pools = all(backend_view(entry) in (InferencePool, LegacyInferencePool) for entry in backends)
    operation = Operation("replace", (at / "timeouts" / "request").pointer, value)
    return Fix(title=title, safety="safe" if only_pools else "unsafe", target=route.ref, patch=(operation,))
