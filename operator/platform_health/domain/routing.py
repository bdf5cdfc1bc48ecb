"""Routes: what a backend resolves to, whether a route is in use, and what its status already proves."""

from __future__ import annotations

from platform_health.invariant import nearest
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import Service
from platform_health.views.gateway import AIGatewayRoute, Backend, Gateway, GRPCRoute, HTTPRoute, backend_term
from platform_health.views.inference import InferencePool, InferencePoolImport, LegacyInferencePool, Pool
from platform_health.views.view import View, condition

Route = HTTPRoute | GRPCRoute
AnyRoute = HTTPRoute | GRPCRoute | AIGatewayRoute
ROUTES: tuple[type[HTTPRoute | GRPCRoute | AIGatewayRoute], ...] = (HTTPRoute, GRPCRoute, AIGatewayRoute)
BACKENDS: tuple[type[View], ...] = (Service, InferencePool, LegacyInferencePool, InferencePoolImport)
"""The kinds of backends that are judged; others are legal and nobody's business."""

_VIEWS = {(view.kind.group, view.kind.name): view for view in BACKENDS}
_TWIN: dict[type[View], type[InferencePool] | type[LegacyInferencePool]] = {
    InferencePool: LegacyInferencePool,
    LegacyInferencePool: InferencePool,
}


def backend_view(backend: Backend) -> type[View] | None:
    """The view class of a backend's kind, None where the kind is not judged."""
    return _VIEWS.get((backend.group, backend.kind))


def twin(backend: Backend, inventory: Inventory) -> View | None:
    """The InferencePool of the same name in the other API group, where the one that is named does not exist."""
    view = backend_view(backend)
    other = _TWIN.get(view) if view is not None else None
    if view is None or other is None or inventory.named(view, backend.namespace, backend.name) is not None:
        return None
    try:
        return inventory.named(other, backend.namespace, backend.name)
    except Unknown:
        return None


def why_missing(backend: Backend, inventory: Inventory) -> str | None:
    """Why a backend does not resolve, None where it does or where its kind is not judged; Unknown else."""
    view = backend_view(backend)
    if view is None:
        return None
    if not inventory.is_installed(view):
        return f"kind {view.kind.resource} is not installed, so {backend} cannot exist"
    found = inventory.named(view, backend.namespace, backend.name)
    if found is None:
        return f"{backend} ({backend.group or 'core'}) does not exist"
    if isinstance(found, Service) and backend.port is not None and found.port(backend.port) is None:
        ports = ", ".join(str(entry.port) for entry in found.spec.ports) or "no port"
        return f"{backend} has no port {backend.port}, it has {ports}"
    return None


def nearest_backend(backend: Backend, inventory: Inventory) -> str | None:
    """The existing object of the backend's kind and namespace that was probably meant."""
    view = backend_view(backend)
    if view is None:
        return None
    return nearest(backend.name, (entry.name for entry in inventory.near(view, backend.namespace)))


def is_in_use(route: AnyRoute, inventory: Inventory) -> bool:
    """Whether somebody serves the route: a Gateway that exists or may exist, a mesh, or a written status."""
    if isinstance(route, AIGatewayRoute) or route.status.parents:
        return True
    if any((parent.group, parent.kind) == ("", "Service") for parent in route.spec.parent_refs):
        return True
    for _, parent, namespace in route.gateways():
        try:
            if inventory.named(Gateway, namespace, parent.name) is not None:
                return True
        except Unknown:
            return True
    return False


def is_confirmed(route: AnyRoute) -> bool:
    """Whether a controller says, at the current generation, that every reference of the route resolves."""
    if isinstance(route, AIGatewayRoute):
        return False
    said = [condition(parent.conditions, "ResolvedRefs") for parent in route.status.parents]
    return bool(said) and all(
        entry is not None and entry.status == "True" and entry.observed_generation in (0, route.metadata.generation)
        for entry in said
    )


def routes_to(pool: Pool, inventory: Inventory) -> list[AnyRoute]:
    """The routes that name a pool as a backend; Unknown where that cannot be known."""
    term = backend_term(pool.kind.group, pool.kind.name, pool.namespace, pool.name)
    found: list[AnyRoute] = []
    gaps = []
    for kind in ROUTES:
        try:
            found.extend(inventory.referring(kind, term))
        except Unknown as unknown:
            gaps.append(unknown)
    if not found and len(gaps) == len(ROUTES):
        raise gaps[0]
    return found
