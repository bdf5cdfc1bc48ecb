"""RouteIsNotShadowed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from platform_health.domain.attachment import ATTACHMENT_KINDS, Listening, chosen, is_accepted, parents, why_refused
from platform_health.invariant import INFO, WARNING, Inventory, Violation, invariant
from platform_health.views.gateway import Backend, HTTPRoute, RouteMatch, match_term
from platform_health.views.view import Path, Ref


class Spot(NamedTuple):
    """A listener of one object."""

    holder: Ref
    listener: str


@invariant(severity=WARNING, symptom="requests go to the backends of another route", needs=ATTACHMENT_KINDS)
def route_is_not_shadowed(route: HTTPRoute, inventory: Inventory) -> Iterator[Violation]:
    """No older route takes the same requests on the same listener.

    Why: where two routes have an identical match for the same host on one listener, the older one takes all requests,
    and the younger gets none. What looks like the wrong model is often a route left over from an earlier name. Without
    creation times, as in files, both routes are named.

    Remedy: remove the route that is left over, or tell the matches apart by host, path or header.

    See: Gateway API, `HTTPRouteRule.matches` (precedence).
    """
    seen: set[str] = set()
    for number, match in route.matches():
        colliding: list[HTTPRoute] = []
        for other in _rivals(route, match, inventory):
            with inventory.part():
                if _collides(route, number, match, other, inventory):
                    colliding.append(other)
        oldest = min(colliding, key=_age, default=None)
        if oldest is not None and str(match) not in seen:
            seen.add(str(match))
            yield from _judged(route, number, match, oldest)


def _rivals(route: HTTPRoute, match: RouteMatch, inventory: Inventory) -> list[HTTPRoute]:
    """Other routes that match this path for one of the route's hosts."""
    found = {
        other.ref: other
        for host in sorted(route.hosts) or [""]
        for other in inventory.referring(HTTPRoute, match_term(match, host))
    }
    return [other for ref, other in found.items() if ref != route.ref and not other.is_going]


def _age(route: HTTPRoute) -> tuple[str, str, str]:
    """Orders routes as precedence does: the oldest first, then by namespace and name."""
    return (route.metadata.creation_timestamp or "", route.namespace, route.name)


def _judged(route: HTTPRoute, number: int, match: RouteMatch, other: HTTPRoute) -> Iterator[Violation]:
    told = bool(route.metadata.creation_timestamp and other.metadata.creation_timestamp)
    if told and _age(route) < _age(other):
        return
    yield Violation(
        at=Path("spec.rules") / number,
        about=str(match),
        because=f"{other.ref} has the same match {match} for the same host"
        + (" and is older, so it takes the requests" if told else "; the older one takes the requests"),
        severity=WARNING if told else INFO,
        related=(other.ref,),
    )


def _collides(route: HTTPRoute, number: int, match: RouteMatch, other: HTTPRoute, inventory: Inventory) -> bool:
    """Whether another route leads requests with this match elsewhere, for a host and on a listener they share."""
    mine = _backends(route, number)
    rivals = [place for place, entry in other.matches() if _key(entry) == _key(match)]
    if not any(_backends(other, place) != mine for place in rivals):
        return False
    return bool(_spots(route, inventory) & _spots(other, inventory))


def _spots(route: HTTPRoute, inventory: Inventory) -> set[Spot]:
    """The listeners that a route is attached to."""
    found: set[Spot] = set()
    for parent in parents(route):
        if parent.view is None or is_accepted(route, parent) is False:
            continue
        holder = inventory.named(parent.view, parent.namespace, parent.reference.name)
        if isinstance(holder, Listening):
            for listener in chosen(parent.reference, holder):
                if is_accepted(route, parent) or why_refused(route, listener, holder, inventory) is None:
                    found.add(Spot(holder.ref, listener.name))
    return found


def _backends(route: HTTPRoute, number: int) -> set[tuple[str, str, str, str, int | None]]:
    def key(backend: Backend) -> tuple[str, str, str, str, int | None]:
        return (*backend[:4], backend.port)

    return {key(backend) for backend in route.weighted_backends() if backend.rule == number}


def _key(match: RouteMatch) -> tuple[object, ...]:
    headers = frozenset((entry.type, entry.name.lower(), entry.value) for entry in match.headers)
    queries = frozenset((entry.type, entry.name, entry.value) for entry in match.query_params)
    return (match.path, headers, queries, match.method)
