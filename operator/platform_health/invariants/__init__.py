"""All invariants: one file each, in a folder per family. They are discovered, not registered."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from platform_health.invariant import Invariant, name_of
from platform_health.views import kinds as _kinds  # noqa: F401 - registers every kind, also those nobody imports


@cache
def modules() -> dict[str, str]:
    """The module of every invariant by its name, in the order of families and names. Nothing is imported for it."""
    found = {
        (family.name, name_of(module.name)): f"{__name__}.{family.name}.{module.name}"
        for family in pkgutil.iter_modules(__path__)
        for module in pkgutil.iter_modules([f"{path}/{family.name}" for path in __path__])
    }
    return {name: found[family, name] for family, name in sorted(found)}


@cache
def discover() -> tuple[Invariant, ...]:
    """Every invariant, by family and name."""
    return tuple(by_name(name) for name in modules())


def by_name(name: str) -> Invariant:
    """The invariant of this name, and no other is imported; KeyError where there is none."""
    module = modules()[name]
    found: Invariant = getattr(importlib.import_module(module), module.rpartition(".")[2])
    return found


def families() -> list[str]:
    """The families that invariants are grouped in."""
    return list(dict.fromkeys(module.split(".")[-2] for module in modules().values()))
