"""RouteBackendsGranted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from platform_health.domain.gateways import implementation_of_controller
from platform_health.domain.grants import Crossing, is_granted, narrow_grant, near_grant
from platform_health.domain.routing import BACKENDS, Route, backend_view, is_confirmed, is_current
from platform_health.invariant import ERROR, INFO, WARNING, Fix, Inventory, Violation, invariant
from platform_health.views.gateway import GROUP, Backend, GRPCRoute, HTTPRoute, ReferenceGrant
from platform_health.views.inference import InferencePool
from platform_health.views.view import condition


@invariant(
    severity=ERROR,
    symptom="HTTP 500 for this backend's share of the requests",
    needs=(*BACKENDS, ReferenceGrant),
)
def route_backends_granted(route: HTTPRoute | GRPCRoute, inventory: Inventory) -> Iterator[Violation]:
    """A backend in another namespace is permitted by a ReferenceGrant there, for exactly its group and kind.

    Why: without a grant in the backend's namespace a gateway must not send requests across, and answers 500. Group and
    kind are compared exactly: a grant for Services does not cover InferencePools, and a grant for InferencePools of
    `inference.networking.x-k8s.io` does not cover those of `inference.networking.k8s.io`.

    Remedy: the owner of the backend's namespace creates the ReferenceGrant that stands in the proposed fix. It is an
    authorization, so it is never created automatically.

    See: Gateway API, `ReferenceGrant`; GEP-709.
    """
    if is_confirmed(route):
        return
    mirrors = list(route.mirrors())
    for backend in chain(route.backends(), mirrors):
        with inventory.part():
            if backend.namespace != route.namespace and _exists(backend, inventory):
                yield from _judged(route, backend, backend in mirrors, inventory)


def _exists(backend: Backend, inventory: Inventory) -> bool:
    view = backend_view(backend)
    return view is not None and inventory.named(view, backend.namespace, backend.name) is not None


def _judged(route: Route, backend: Backend, mirrored: bool, inventory: Inventory) -> Iterator[Violation]:
    source = (GROUP, route.kind.name, route.namespace)
    crossing = Crossing(source, (backend.group, backend.kind, backend.name), backend.namespace)
    if is_granted(crossing, inventory):
        yield from _unsupported(route, backend)
        return
    idle = backend.weight == 0 or route.spec.rules[backend.rule].redirects
    near = near_grant(crossing, inventory)
    yield Violation(
        at=backend.at / "namespace",
        about=f"{'mirror ' if mirrored else ''}{backend}",
        because=f"no ReferenceGrant in namespace {backend.namespace} permits {source[1]}s of {source[2]} to refer to "
        f"{backend} ({backend.group or 'core'})" + (f"; {near}" if near else ""),
        severity=INFO if idle and not mirrored else WARNING if mirrored else None,
        symptom="mirrored requests are dropped; clients see nothing"
        if mirrored
        else "nothing yet: no request takes this backend"
        if idle
        else None,
        verify=f"kubectl get referencegrants -n {backend.namespace} -o yaml",
        fix=Fix(
            title=f"permit {source[1]}s of {source[2]} to refer to {backend}",
            safety="manual",
            create=narrow_grant(crossing),
        ),
    )


def _unsupported(route: Route, backend: Backend) -> Iterator[Violation]:
    """A grant is not enough where the implementation never crosses namespaces, and says that it did not resolve."""
    if backend.kind != InferencePool.kind.name:
        return
    for parent in route.status.parents:
        known = implementation_of_controller(parent.controller_name)
        said = condition(parent.conditions, "ResolvedRefs")
        if known is None or known.crosses_namespaces is not False or said is None or said.status != "False":
            continue
        if is_current(said, route.metadata.generation):
            yield Violation(
                at=backend.at / "namespace",
                about=f"{backend} via {known.name}",
                because=f"{known.name} does not send requests to an InferencePool of another namespace, here {backend}",
                severity=WARNING,
            )
            return
