"""RouteIsAccepted."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.attachment import parents
from platform_health.domain.routing import Route, is_current
from platform_health.invariant import ERROR, WARNING, Inventory, Severity, Unknown, Violation, invariant
from platform_health.views.gateway import (
    GROUP,
    Gateway,
    GatewayClass,
    GRPCRoute,
    HTTPRoute,
    RouteParentStatus,
)
from platform_health.views.view import Condition, Path, Ref

TYPES = ("Accepted", "ResolvedRefs", "Programmed", "PartiallyInvalid")
PENDING_SECONDS = 600
STALE_SECONDS = 300

_CAUSES = {
    "Accepted": ("RouteParentsAdmit", "GatewayIsProgrammed", "RouteTimeoutTakesEffect"),
    "ResolvedRefs": (
        "RouteBackendsExist",
        "RouteBackendsGranted",
        "RouteNamesServedGroup",
        "PickerServiceResolves",
        "PoolIsAccepted",
    ),
    "Programmed": ("GatewayIsProgrammed", "RouteParentsAdmit"),
    "PartiallyInvalid": ("RouteTimeoutTakesEffect",),
}


@invariant(severity=ERROR, symptom="HTTP 404 or 500", needs=(GatewayClass, Gateway))
def route_is_accepted(route: HTTPRoute | GRPCRoute, inventory: Inventory) -> Iterator[Violation]:
    """No controller says that it does not accept a route, or that it cannot resolve what the route refers to.

    Why: whatever the manifests say, the implementation's own status decides: not accepted means 404, references that
    are not resolved mean 500. A status that is older than the route only says that nobody has looked at the change.
    What is said of a parent that the route no longer has does not count, nor does what a controller says that no
    GatewayClass names any more.

    Remedy: the condition's reason and message; where another finding explains it, that is the cause to repair.

    See: Gateway API, `RouteParentStatus`, `RouteConditionType`, `RouteConditionReason`.
    """
    for index, entry in enumerate(route.status.parents):
        with inventory.part():
            if _counts(route, entry, inventory):
                for number, said in enumerate(entry.conditions):
                    at = Path("status.parents") / index / "conditions" / number
                    yield from _judged(route, entry, said, at, inventory)


def _judged(
    route: Route, entry: RouteParentStatus, said: Condition, at: Path, inventory: Inventory
) -> Iterator[Violation]:
    if said.type not in TYPES:
        return
    if not is_current(said, route.metadata.generation):
        yield from _stale(route, entry, said, at, inventory)
        return
    severity = _severity(said, inventory)
    if severity is not None:
        reason = f" ({said.reason})" if said.reason else ""
        yield Violation(
            at=at,
            about=f"{_name(route, entry)} {said.type}",
            because=f"{entry.controller_name or 'the controller'} says of {_name(route, entry)}: "
            f"{said.type} is {said.status}{reason}" + (f": {said.message}" if said.message else ""),
            severity=severity,
            symptom=_SYMPTOMS.get(said.type),
            verify=f"kubectl get {route.kind.plural} -n {route.namespace} {route.name} -o yaml",
            follows=_causes(route, entry, said.type),
            after=_CAUSES[said.type],
        )


_SYMPTOMS = {"Accepted": "HTTP 404", "ResolvedRefs": "HTTP 500 for the backends' share of the requests"}


def _severity(said: Condition, inventory: Inventory) -> Severity | None:
    if said.type == "PartiallyInvalid":
        return WARNING if said.status == "True" else None
    if said.status == "False":
        return ERROR
    if said.status == "Unknown" and inventory.lasted(said.last_transition_time, PENDING_SECONDS):
        return ERROR
    return None


def _stale(
    route: Route, entry: RouteParentStatus, said: Condition, at: Path, inventory: Inventory
) -> Iterator[Violation]:
    if said.type != "Accepted" or not inventory.lasted(route.metadata.changed_at, STALE_SECONDS):
        return
    yield Violation(
        at=at,
        about=f"{_name(route, entry)} stale",
        because=f"{entry.controller_name or 'the controller'} last looked at generation {said.observed_generation} "
        f"of the route for {_name(route, entry)}, it is now at {route.metadata.generation}",
        severity=WARNING,
        symptom="the change has no effect yet",
        follows=_causes(route, entry, "Programmed"),
        after=_CAUSES["Programmed"],
    )


def _counts(route: Route, entry: RouteParentStatus, inventory: Inventory) -> bool:
    """Whether an entry speaks of a parent that the route still has, by a controller that still has a class."""
    reference = entry.parent_ref
    place = (reference.group, reference.kind, reference.namespace or route.namespace, reference.name)
    if not any(
        (own.reference.group, own.reference.kind, own.namespace, own.reference.name) == place
        and own.reference.section_name == reference.section_name
        for own in parents(route)
    ):
        return False
    if (reference.group, reference.kind) != (GROUP, "Gateway") or not entry.controller_name:
        return True
    try:
        classes = inventory.every(GatewayClass)
    except Unknown:
        if not inventory.is_known(GatewayClass):
            raise
        return True
    return any(found.spec.controller_name == entry.controller_name for found in classes)


def _causes(route: Route, entry: RouteParentStatus, type_: str) -> tuple[Ref, ...]:
    parent = Ref(Gateway.kind, entry.parent_ref.namespace or route.namespace, entry.parent_ref.name)
    if type_ != "ResolvedRefs":
        return (route.ref, parent)
    backends = (backend.ref for backend in route.backends())
    return (route.ref, *dict.fromkeys(ref for ref in backends if ref is not None))


def _name(route: Route, entry: RouteParentStatus) -> str:
    reference = entry.parent_ref
    section = f" listener {reference.section_name}" if reference.section_name else ""
    return f"{reference.kind} {reference.namespace or route.namespace}/{reference.name}{section}"
