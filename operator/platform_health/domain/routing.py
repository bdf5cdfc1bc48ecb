"""Routes: what a backend resolves to, whether a route is in use, and what its status already proves."""

from __future__ import annotations

from platform_health.invariant import nearest
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import Service
from platform_health.views.gateway import AIGatewayRoute, Backend, Gateway, GRPCRoute, HTTPRoute, backend_term
from platform_health.views.inference import InferencePool, InferencePoolImport, LegacyInferencePool, Pool
from platform_health.views.view import Condition, Term, View, condition

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
    """Whether somebody serves the route: a Gateway that exists or may exist, another parent, or a written status."""
    if isinstance(route, AIGatewayRoute) or route.status.parents:
        return True
    if any(parent.kind != Gateway.kind.name for parent in route.spec.parent_refs):
        return True
    for _, parent, namespace in route.gateways():
        try:
            if inventory.named(Gateway, namespace, parent.name) is not None:
                return True
        except Unknown:
            return True
    return False


def is_current(entry: Condition, generation: int) -> bool:
    """Whether a condition speaks of the object as it is now; a generation that is not given counts as current."""
    return not entry.observed_generation or not generation or entry.observed_generation >= generation


def is_confirmed(route: AnyRoute) -> bool:
    """Whether a controller says, at the current generation, that every reference of the route resolves."""
    if isinstance(route, AIGatewayRoute):
        return False
    said = [condition(parent.conditions, "ResolvedRefs") for parent in route.status.parents]
    return bool(said) and all(
        entry is not None and entry.status == "True" and is_current(entry, route.metadata.generation) for entry in said
    )


def is_idle(backend: Backend, route: AnyRoute, inventory: Inventory) -> bool:
    """Whether no request takes this backend: weight 0, a rule that redirects, or a route that nobody serves."""
    return backend.weight == 0 or route.spec.rules[backend.rule].redirects or not is_in_use(route, inventory)


def routes_to(pool: Pool, inventory: Inventory) -> list[AnyRoute]:
    """The routes that name a pool as a backend; Unknown where that cannot be known."""
    return _routes_to(backend_term(pool.kind.group, pool.kind.name, pool.namespace, pool.name), inventory)


def routes_to_twin(pool: Pool, inventory: Inventory) -> list[AnyRoute]:
    """The known routes that name a pool of this name in the other API group."""
    other = _TWIN[type(pool)].kind
    try:
        return _routes_to(backend_term(other.group, other.name, pool.namespace, pool.name), inventory)
    except Unknown:
        return []


def _routes_to(term: Term, inventory: Inventory) -> list[AnyRoute]:
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


def gateways_of_pool(pool: Pool, inventory: Inventory) -> list[tuple[str, str]]:
    """Namespace and name of the Gateways whose routes send requests to a pool; Unknown where that cannot be known."""
    names: dict[tuple[str, str], None] = {}
    for route in routes_to(pool, inventory):
        if any(_leads_to(backend, pool, route) for backend in route.backends()):
            names |= {(namespace, parent.name): None for _, parent, namespace in route.gateways()}
    return sorted(names)


def _leads_to(backend: Backend, pool: Pool, route: AnyRoute) -> bool:
    target = (pool.kind.group, pool.kind.name, pool.namespace, pool.name)
    return backend[:4] == target and backend.weight != 0 and not route.spec.rules[backend.rule].redirects


def is_supported(pool: View, route: AnyRoute, inventory: Inventory) -> bool:
    """Whether every Gateway of a route is proven to send requests to pools of this pool's group.

    The proof is a status: of the pool itself, or of another route of the same GatewayClass to a pool of the group.
    """
    gateways = [(namespace, parent.name) for _, parent, namespace in route.gateways()]
    return bool(gateways) and all(
        _accepted_by(pool, *gateway) or _serves_group(pool, *gateway, inventory) for gateway in gateways
    )


def _accepted_by(pool: View, namespace: str, name: str) -> bool:
    if not isinstance(pool, InferencePool | LegacyInferencePool):
        return False
    for parent in pool.parents():
        said = condition(parent.conditions, "Accepted")
        if (parent.parent_ref.namespace or pool.namespace, parent.parent_ref.name) == (namespace, name):
            return said is not None and said.status == "True" and is_current(said, pool.metadata.generation)
    return False


def _serves_group(pool: View, namespace: str, name: str, inventory: Inventory) -> bool:
    gateway = inventory.named(Gateway, namespace, name)
    if gateway is None:
        return False
    for other in inventory.referring(HTTPRoute):
        if not is_confirmed(other) or not any(
            (backend.group, backend.kind) == (pool.kind.group, pool.kind.name) for backend in other.weighted_backends()
        ):
            continue
        for _, parent, place in other.gateways():
            served = inventory.named(Gateway, place, parent.name)
            if served is not None and served.spec.gateway_class_name == gateway.spec.gateway_class_name:
                return True
    return False
