"""Which listeners a route attaches to, and why others do not admit it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from platform_health.domain.hostnames import meets_any
from platform_health.domain.namespaces import takes_namespace
from platform_health.domain.routing import Route, is_current
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import Namespace, Service
from platform_health.views.gateway import (
    GROUP,
    Gateway,
    Listener,
    ListenerSet,
    ParentRef,
    RouteParentStatus,
    XListenerSet,
)
from platform_health.views.view import Path, View, condition

PARENTS: tuple[type[View], ...] = (Gateway, ListenerSet, XListenerSet, Service)
"""The kinds of parents that are judged; others are legal and nobody's business."""

ATTACHMENT_KINDS: tuple[type[View], ...] = (*PARENTS, Namespace)
"""What these questions read."""

_PARENTS = {(view.kind.group, view.kind.name): view for view in PARENTS}
_PROTOCOLS = {
    "HTTP": ("HTTPRoute", "GRPCRoute"),
    "HTTPS": ("HTTPRoute", "GRPCRoute"),
    "TLS": ("TLSRoute", "TCPRoute"),
    "TCP": ("TCPRoute",),
    "UDP": ("UDPRoute",),
}
Listening = Gateway | ListenerSet | XListenerSet


class Parent(NamedTuple):
    """One parentRef of a route, with its place and namespace."""

    at: Path
    reference: ParentRef
    namespace: str

    @property
    def view(self) -> type[View] | None:
        """The view class of its kind, None where the kind is not judged."""
        return _PARENTS.get((self.reference.group, self.reference.kind))

    def __str__(self) -> str:
        return f"{self.reference.kind} {self.namespace}/{self.reference.name}"


class Refusal(NamedTuple):
    """Why one listener does not admit a route; ``field`` says which part of it decides."""

    listener: Listener
    field: str
    because: str


def parents(route: Route) -> Iterator[Parent]:
    """The parentRefs of a route."""
    for index, reference in enumerate(route.spec.parent_refs):
        yield Parent(Path("spec.parentRefs") / index, reference, reference.namespace or route.namespace)


def status_of(route: Route, parent: Parent) -> RouteParentStatus | None:
    """What the route's status says of this parentRef, None where nobody wrote it."""
    wanted = _key(parent.reference, parent.namespace)
    return next(
        (
            entry
            for entry in route.status.parents
            if _key(entry.parent_ref, entry.parent_ref.namespace or route.namespace) == wanted
        ),
        None,
    )


def is_accepted(route: Route, parent: Parent) -> bool | None:
    """What a controller says of the attachment to a parent, at the current generation; None where it says nothing."""
    entry = status_of(route, parent)
    said = condition(entry.conditions, "Accepted") if entry is not None else None
    if said is None or said.status not in ("True", "False") or not is_current(said, route.metadata.generation):
        return None
    return said.status == "True"


def chosen(parent: ParentRef, holder: Listening) -> list[Listener]:
    """The listeners that a parentRef means: by section and port, all where it names neither."""
    return [
        listener
        for listener in holder.spec.listeners
        if parent.section_name in ("", listener.name) and parent.port in (None, listener.port)
    ]


def refusals(route: Route, parent: Parent, holder: Listening, inventory: Inventory) -> list[Refusal] | None:
    """Why none of the chosen listeners admits the route; None where one does, Unknown where that cannot be known."""
    found, unknown = [], None
    for listener in chosen(parent.reference, holder):
        try:
            refusal = why_refused(route, listener, holder, inventory)
        except Unknown as reason:
            unknown = reason
            continue
        if refusal is None:
            return None
        found.append(refusal)
    if unknown is not None:
        raise unknown
    return found


def why_refused(route: Route, listener: Listener, holder: Listening, inventory: Inventory) -> Refusal | None:
    """Why a listener does not admit a route, None where it does; Unknown where a namespace's labels decide."""
    kind = route.kind.name
    if listener.allowed_routes.kinds:
        if not any((entry.group, entry.kind) == (GROUP, kind) for entry in listener.allowed_routes.kinds):
            kinds = ", ".join(entry.kind for entry in listener.allowed_routes.kinds)
            return Refusal(listener, "kinds", f"listener {listener.name} takes only {kinds}")
    elif kind not in _PROTOCOLS.get(listener.protocol, (kind,)):
        return Refusal(
            listener, "protocol", f"listener {listener.name} of protocol {listener.protocol} takes no {kind}"
        )
    if not meets_any(listener.hostname, route.spec.hostnames):
        names = ", ".join(route.spec.hostnames)
        return Refusal(
            listener, "hostname", f"listener {listener.name} is for {listener.hostname}, the route for {names}"
        )
    if _is_conflicted(listener, holder):
        return Refusal(listener, "conflict", f"listener {listener.name} is in conflict with another")
    return _refused_namespace(route, listener, holder, inventory)


def _refused_namespace(route: Route, listener: Listener, holder: Listening, inventory: Inventory) -> Refusal | None:
    allowed = listener.allowed_routes.namespaces
    match allowed.from_:
        case "Same":
            if route.namespace == holder.namespace:
                return None
            because = f"listener {listener.name} admits routes of its own namespace {holder.namespace} only"
        case "Selector":
            if allowed.selector is not None and takes_namespace(allowed.selector, route.namespace, inventory):
                return None
            wanted = str(allowed.selector) if allowed.selector is not None else "no namespace"
            because = f"listener {listener.name} admits routes of namespaces with {wanted} only"
        case "None":
            because = f"listener {listener.name} admits no routes"
        case _:
            return None
    return Refusal(listener, "namespaces", f"{because}, the route is in {route.namespace}")


def _is_conflicted(listener: Listener, holder: Listening) -> bool:
    for entry in holder.status.listeners:
        said = condition(entry.conditions, "Conflicted")
        if entry.name == listener.name and said is not None and said.status == "True":
            return is_current(said, holder.metadata.generation)
    return False


def _key(reference: ParentRef, namespace: str) -> tuple[str, str, str, str, str, int | None]:
    return (
        reference.group,
        reference.kind,
        namespace,
        reference.name,
        reference.section_name,
        reference.port,
    )
