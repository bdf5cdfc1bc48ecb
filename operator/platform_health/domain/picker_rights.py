"""What an endpoint picker must be allowed to read.

Its caches list and watch; ``get`` is never needed. Read from ``pkg/epp/server/controller_manager.go`` of Gateway API
Inference Extension v0.3 to v1.5 and llm-d-router 0.9 and 0.10.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from platform_health.domain.images import image
from platform_health.domain.pickers import Picker
from platform_health.domain.rbac import Account, Permission, is_allowed
from platform_health.inventory import Inventory, Unknown
from platform_health.knowledge import FileKnowledge
from platform_health.views.inference import (
    GROUP,
    LEGACY_GROUP,
    InferenceModelRewrite,
    InferenceObjective,
    LegacyInferenceModelRewrite,
    LegacyInferenceObjective,
    Pool,
)
from platform_health.views.view import View

EXTRA_KINDS: tuple[type[View], ...] = (
    InferenceObjective,
    LegacyInferenceObjective,
    InferenceModelRewrite,
    LegacyInferenceModelRewrite,
)
"""The kinds that a picker watches where they are installed."""

LIST_AND_WATCH = ("list", "watch")


class Need(NamedTuple):
    """Verbs that a picker needs on a resource in one of some groups."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resource: str
    namespace: str
    name: str = ""

    def __str__(self) -> str:
        group = f".{self.groups[0]}" if self.groups[0] and len(self.groups) == 1 else ""
        return f"{' and '.join(self.verbs)} {self.resource}{group}"


def needs(picker: Picker, pool: Pool, inventory: Inventory) -> Iterator[Need]:
    """What a picker needs for a pool; more than pods and pools only where its release is known."""
    namespace = picker.pool_namespace
    if picker.flag("endpoint-selector"):
        yield Need(LIST_AND_WATCH, ("",), "pods", picker.pod.namespace)
        return
    yield Need(LIST_AND_WATCH, ("",), "pods", namespace)
    group = picker.pool_group
    groups = (group,) if group else (GROUP, LEGACY_GROUP)
    yield Need(LIST_AND_WATCH, groups, "inferencepools", namespace, picker.pool_name or pool.name)
    if picker.is_gie(before="1.0.0"):
        yield Need(LIST_AND_WATCH, (LEGACY_GROUP,), "inferencemodels", namespace)
    elif picker.release is not None and image(picker.container.image).name != "lwepp":
        yield from _extras(picker, namespace, inventory)
    if picker.elects_leader:
        yield Need(("get", "create", "update"), ("coordination.k8s.io",), "leases", picker.pod.namespace)


def _extras(picker: Picker, namespace: str, inventory: Inventory) -> Iterator[Need]:
    if picker.is_gie(before="1.3.0"):
        yield Need(LIST_AND_WATCH, (LEGACY_GROUP,), "inferenceobjectives", namespace)
        return
    for current, legacy in (
        (InferenceObjective, LegacyInferenceObjective),
        (InferenceModelRewrite, LegacyInferenceModelRewrite),
    ):
        if picker.is_router() and _is_served(current, inventory):
            yield Need(LIST_AND_WATCH, (current.kind.group,), current.kind.plural, namespace)
        elif _is_served(legacy, inventory) and not (picker.is_router() and _are_files(inventory)):
            yield Need(LIST_AND_WATCH, (legacy.kind.group,), legacy.kind.plural, namespace)


def _is_served(kind: type[View], inventory: Inventory) -> bool:
    """Whether the API server serves a kind; files show it by an object of it only."""
    return bool(inventory.near(kind)) if _are_files(inventory) else inventory.is_installed(kind)


def _are_files(inventory: Inventory) -> bool:
    return isinstance(inventory.knowledge, FileKnowledge)


def denied(account: Account, needs: list[Need], inventory: Inventory) -> tuple[list[Need], list[Unknown]]:
    """The needs that no binding grants, and why others cannot be judged."""
    missing, gaps = [], []
    for need in needs:
        try:
            if not _is_granted(account, need, inventory):
                missing.append(need)
        except Unknown as unknown:
            gaps.append(unknown)
    return missing, gaps


def _is_granted(account: Account, need: Need, inventory: Inventory) -> bool:
    return any(
        all(
            is_allowed(account, Permission(verb, group, need.resource, need.namespace, need.name), inventory)
            for verb in need.verbs
        )
        for group in need.groups
    )
