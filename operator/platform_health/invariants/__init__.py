"""All invariants: one file each, in a folder per family. They are discovered, not registered."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from platform_health.invariant import Invariant
from platform_health.views import kinds as _kinds  # noqa: F401 - registers every kind, also those nobody imports


@cache
def discover() -> tuple[Invariant, ...]:
    """Every invariant, by family and name."""
    found = []
    for family in pkgutil.iter_modules(__path__):
        package = importlib.import_module(f"{__name__}.{family.name}")
        for module in pkgutil.iter_modules(package.__path__):
            loaded = importlib.import_module(f"{package.__name__}.{module.name}")
            found.append(getattr(loaded, module.name))
    return tuple(sorted(found, key=lambda invariant: (invariant.family, invariant.name)))


@cache
def _index() -> dict[str, Invariant]:
    return {invariant.name: invariant for invariant in discover()}


def by_name(name: str) -> Invariant:
    """The invariant of this name; KeyError where there is none."""
    return _index()[name]
