"""Every kind we know, with its view."""

from __future__ import annotations

import importlib
import pkgutil

from platform_health import views
from platform_health.views.view import Kind

for _module in pkgutil.iter_modules(views.__path__):
    if _module.name != "kinds":
        importlib.import_module(f"{views.__name__}.{_module.name}")

KINDS: tuple[Kind, ...] = tuple(Kind.registry.values())
"""All kinds, in the order of their modules."""


def find(group: str, name: str) -> Kind | None:
    """The kind of this group and name, None where we do not read it."""
    return Kind.registry.get((group, name))


def of_api_version(api_version: str, name: str) -> Kind | None:
    """The kind that an object with this ``apiVersion`` and ``kind`` belongs to, None where we do not read it."""
    return find(api_version.rpartition("/")[0], name)
