"""Equal parts of many objects are kept once: ten thousand pods come from a hundred templates.

Parts are frozen, so nobody can tell. Only what repeats and weighs is looked at; what a pod has of its own (names of
projected volumes, status) is left alone.
"""

from __future__ import annotations

from sys import intern
from typing import Any

from msgspec.structs import force_setattr

from platform_health.views.core import Pod
from platform_health.views.view import View

PARTS = ("image", "command", "args", "env", "ports", "liveness_probe", "readiness_probe", "startup_probe")
CAPACITY = 20_000
"""Different parts to remember; beyond that sharing begins anew, which costs memory only."""

_parts: dict[Any, Any] = {}


def share(view: View) -> None:
    """Replaces what ``view`` has in common with other objects by the copy that is already there."""
    metadata = view.metadata
    if metadata.namespace:
        force_setattr(metadata, "namespace", intern(metadata.namespace))
    if metadata.labels:
        force_setattr(metadata, "labels", {intern(key): intern(value) for key, value in metadata.labels.items()})
    if isinstance(view, Pod):
        _share_containers(view)


def _share_containers(pod: Pod) -> None:
    if len(_parts) > CAPACITY:
        _parts.clear()
    for container in (*pod.spec.containers, *pod.spec.init_containers):
        for name in PARTS:
            value = getattr(container, name)
            if value:
                force_setattr(container, name, _parts.setdefault(value, value))
