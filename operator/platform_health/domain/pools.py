"""Inference pools: whether requests reach one, and what its pods listen on."""

from __future__ import annotations

from enum import StrEnum

from platform_health.domain.routing import ROUTES, is_in_use, routes_to
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import Pod
from platform_health.views.gateway import Gateway
from platform_health.views.inference import Pool
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


def active_ports(pod: Pod) -> frozenset[int] | None:
    """The target ports that a pod says it serves; None where it says nothing, so that it serves all."""
    for key in ("llm-d.ai/active-ports", "inference.networking.k8s.io/active-ports"):
        text = pod.annotations.get(key)
        if text is not None:
            return frozenset(int(part) for part in text.split(",") if part.strip().isdigit())
    return None


def is_in_mesh(pod: Pod) -> bool:
    """Whether a service mesh may redirect the pod's traffic."""
    marks = {**pod.labels, **pod.annotations}
    if marks.get("sidecar.istio.io/inject") == "true" or marks.get("linkerd.io/inject") == "enabled":
        return True
    if "sidecar.istio.io/status" in marks or marks.get("ambient.istio.io/redirection") == "enabled":
        return True
    return any(container.name in ("istio-proxy", "linkerd-proxy") for _, container in pod.spec.long_running())
