"""JSON Patch operations that also work where the map or list they add to does not exist yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from platform_health.invariant import Operation, pointer


def added_keys(path: Sequence[str], existing: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Operation, ...]:
    """Adds keys to a map; an empty one is made first, since a view does not tell it from an absent one."""
    create = () if existing else (Operation("add", pointer(*path), {}),)
    return create + tuple(Operation("add", pointer(*path, key), value) for key, value in new.items())


def appended(path: Sequence[str], existing: Sequence[Any], value: Any) -> Operation:
    """Appends to a list; the first item makes the list."""
    return Operation("add", pointer(*path, "-"), value) if existing else Operation("add", pointer(*path), [value])
