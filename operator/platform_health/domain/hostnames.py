"""Host names of listeners and routes, which meet where some request fits both (Gateway API, ``HTTPRouteSpec``)."""

from __future__ import annotations

from collections.abc import Collection


def meet(one: str, other: str) -> bool:
    """Whether some host name fits both. An empty one fits all; ``*.a.io`` fits ``x.y.a.io``, but not ``a.io``."""
    one, other = one.lower(), other.lower()
    return not one or not other or one == other or _covers(one, other) or _covers(other, one)


def meets_any(listener: str, hostnames: Collection[str]) -> bool:
    """Whether a listener's host name meets one of a route's, of which none means all."""
    return not hostnames or any(meet(listener, name) for name in hostnames)


def _covers(wildcard: str, name: str) -> bool:
    return wildcard.startswith("*.") and name != wildcard[2:] and name.removeprefix("*").endswith(wildcard[1:])
