"""Which Gateways send requests to a pool, and how their implementations treat its picker."""

from __future__ import annotations

from platform_health.domain.gateways import Implementation, implementation
from platform_health.domain.pools import TRAFFIC_KINDS
from platform_health.domain.routing import routes_to
from platform_health.inventory import Inventory, Unknown
from platform_health.views.gateway import Gateway, GatewayClass
from platform_health.views.inference import Pool
from platform_health.views.view import View

GATEWAY_KINDS: tuple[type[View], ...] = (*TRAFFIC_KINDS, GatewayClass)
"""What the questions of this module read."""


def gateways_of(pool: Pool, inventory: Inventory) -> list[Gateway]:
    """The Gateways whose routes name a pool with a weight; Unknown where that is not known."""
    found: dict[tuple[str, str], Gateway] = {}
    for route in routes_to(pool, inventory):
        weighs = any(
            (backend.group, backend.kind, backend.namespace, backend.name)
            == (pool.kind.group, pool.kind.name, pool.namespace, pool.name)
            and backend.weight > 0
            for backend in route.backends()
        )
        for _, parent, namespace in route.gateways() if weighs else ():
            gateway = inventory.named(Gateway, namespace, parent.name)
            if gateway is not None:
                found[namespace, parent.name] = gateway
    return list(found.values())


def implementations(pool: Pool, inventory: Inventory) -> list[Implementation]:
    """The implementations behind a pool's Gateways; Unknown where none of them is recognised."""
    found: list[Implementation] = []
    gaps: list[Unknown] = []
    for gateway in gateways_of(pool, inventory):
        try:
            found.append(implementation(gateway, inventory))
        except Unknown as unknown:
            gaps.append(unknown)
    if gaps and not found:
        raise gaps[0]
    return found
