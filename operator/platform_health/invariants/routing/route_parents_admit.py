"""RouteParentsAdmit."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.attachment import (
    ATTACHMENT_KINDS,
    Listening,
    Parent,
    Refusal,
    chosen,
    is_accepted,
    parents,
    refusals,
)
from platform_health.domain.routing import Route
from platform_health.invariant import ERROR, Fix, Inventory, Violation, invariant, nearest
from platform_health.views.core import Service
from platform_health.views.gateway import GRPCRoute, HTTPRoute
from platform_health.views.view import Ref, View


@invariant(severity=ERROR, symptom="HTTP 404", needs=ATTACHMENT_KINDS)
def route_parents_admit(route: HTTPRoute | GRPCRoute, inventory: Inventory) -> Iterator[Violation]:
    """Every parent of a route exists, and one of its listeners admits the route.

    Why: a route that no listener admits is not attached, and the gateway answers 404 to everything it was written for.
    A listener admits a route by its name or port (`sectionName`, `port`), by the route's namespace (by default only
    its own), by its kind and by its host names. It is enough that one listener admits it.

    Remedy: correct `parentRefs`, or let the owner of the Gateway admit the route in `allowedRoutes`. That is an
    authorization, so it is only suggested.

    See: Gateway API, `ParentReference`, `AllowedRoutes`; conditions `NoMatchingParent`, `NotAllowedByListeners`,
    `NoMatchingListenerHostname`.
    """
    for parent in parents(route):
        with inventory.part():
            if parent.view is not None and not is_accepted(route, parent):
                yield from _judged(route, parent, parent.view, inventory)


def _judged(route: Route, parent: Parent, view: type[View], inventory: Inventory) -> Iterator[Violation]:
    if not inventory.is_installed(view):
        yield _violation(parent, f"kind {view.kind.resource} is not installed, so {parent} cannot exist")
        return
    holder = inventory.named(view, parent.namespace, parent.reference.name)
    if holder is None:
        names = (entry.name for entry in inventory.near(view, parent.namespace))
        yield _violation(parent, f"{parent} does not exist", meant=nearest(parent.reference.name, names))
    elif isinstance(holder, Listening):
        yield from _unadmitted(route, parent, holder, inventory)


def _unadmitted(route: Route, parent: Parent, holder: Listening, inventory: Inventory) -> Iterator[Violation]:
    reference = parent.reference
    if not chosen(reference, holder):
        section = f" named {reference.section_name}" if reference.section_name else ""
        port = f" on port {reference.port}" if reference.port is not None else ""
        has = ", ".join(f"{entry.name} on {entry.port}" for entry in holder.spec.listeners) or "no listener"
        meant = nearest(reference.section_name, (entry.name for entry in holder.spec.listeners))
        field = "sectionName" if reference.section_name else "port" if reference.port is not None else "name"
        yield _violation(parent, f"{parent} has no listener{section}{port}, it has {has}", field, meant)
        return
    refused = refusals(route, parent, holder, inventory)
    if refused:
        because = "; ".join(entry.because for entry in refused[:3])
        conflicts = any(entry.field == "conflict" for entry in refused)
        yield _violation(
            parent, because, fix=_admitting(route, holder, refused), cause=holder.ref if conflicts else None
        )


def _violation(
    parent: Parent,
    because: str,
    field: str = "name",
    meant: str | None = None,
    fix: Fix | None = None,
    cause: Ref | None = None,
) -> Violation:
    place = f"{parent} {parent.reference.section_name} {parent.reference.port or ''}".strip()
    holder = parent.view.kind if parent.view is not None else Service.kind
    return Violation(
        at=parent.at / field,
        about=place,
        because=because,
        nearest=meant,
        fix=fix,
        verify=f"kubectl get {holder.plural} -n {parent.namespace} {parent.reference.name} -o yaml",
        follows=(cause,) if cause else (),
        after=("GatewayIsProgrammed",),
    )


def _admitting(route: Route, holder: Listening, refused: list[Refusal]) -> Fix | None:
    if refused[0].field != "namespaces":
        return None
    title = f"let listener {refused[0].listener.name} admit routes of namespace {route.namespace}"
    return Fix(title=title, safety="manual", target=holder.ref)
