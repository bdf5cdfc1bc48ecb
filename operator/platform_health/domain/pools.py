"""Whether requests reach an inference pool."""

from __future__ import annotations

from enum import StrEnum

from platform_health.domain.pickers import pickers_of
from platform_health.domain.routing import ROUTES, is_in_use, routes_to
from platform_health.inventory import Inventory, Unknown
from platform_health.views.gateway import Gateway
from platform_health.views.gke import HealthCheckPolicy, policy_term
from platform_health.views.inference import InferencePool, LegacyInferencePool, Pool
from platform_health.views.view import View

TRAFFIC_KINDS: tuple[type[View], ...] = (*ROUTES, Gateway)
"""What :func:`traffic` reads."""


class Traffic(StrEnum):
    """Whether requests reach a pool."""

    ROUTED = "routed"
    """Some route in use gives it a weight."""
    IDLE = "idle"
    """Routes name it, but with weight 0 or without a Gateway."""
    NONE = "none"
    """No known route names it."""


def traffic(pool: Pool, inventory: Inventory) -> Traffic:
    """Whether requests reach a pool, as far as is known."""
    try:
        routes = routes_to(pool, inventory)
    except Unknown:
        return Traffic.NONE
    for route in routes:
        weighs = any(
            (backend.group, backend.kind, backend.namespace, backend.name)
            == (pool.kind.group, pool.kind.name, pool.namespace, pool.name)
            and backend.weight > 0
            for backend in route.backends()
        )
        if weighs and is_in_use(route, inventory):
            return Traffic.ROUTED
    return Traffic.IDLE if routes else Traffic.NONE


def is_template(pool: Pool, inventory: Inventory) -> bool:
    """Whether the pool is only prepared: no picker and no route, so that nobody asks it."""
    return pool.picker is None and traffic(pool, inventory) is Traffic.NONE


def health_checks(pool: Pool, inventory: Inventory) -> list[HealthCheckPolicy]:
    """GKE's health checks of a pool."""
    term = policy_term(pool.kind.group, pool.kind.name, pool.name)
    return inventory.modifying(HealthCheckPolicy, pool.namespace, term)


def is_pinned(pool: Pool, inventory: Inventory) -> bool:
    """Whether something beside the pool names its target port: a health check, or the picker's own flags."""
    if any(policy.port is not None for policy in health_checks(pool, inventory)):
        return True
    try:
        return any(picker.flag("endpoint-target-ports") for picker in pickers_of(pool, inventory))
    except Unknown:
        return False


def twin_of(pool: Pool, inventory: Inventory) -> Pool | None:
    """The pool of the same name in the other API group, None where there is none."""
    if isinstance(pool, InferencePool):
        return inventory.named(LegacyInferencePool, pool.namespace, pool.name)
    return inventory.named(InferencePool, pool.namespace, pool.name)
