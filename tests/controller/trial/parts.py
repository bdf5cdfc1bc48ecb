"""Parts that the tests of the controller share: a world of two kinds, one invariant, and an API server in memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from platform_health.connection import ApiError, Conflict, NotFound
from platform_health.invariant import ERROR, Inventory, Violation, invariant
from platform_health.knowledge import KindState
from platform_health.views.core import ConfigMap, Namespace
from platform_health.views.view import METADATA, Metadata

UNWELL = "is-unwell"


@invariant(severity=ERROR, symptom="HTTP 500", needs=(Namespace,))
def config_map_is_well(config: ConfigMap, inventory: Inventory) -> Iterator[Violation]:
    """A ConfigMap is not labelled unwell."""
    if UNWELL in config.labels:
        yield Violation(at=METADATA / "labels" / UNWELL, because=f"{config.name} is unwell")


def config_map(name: str, namespace: str = "lab", *, unwell: bool = True, **annotations: str) -> ConfigMap:
    labels = {UNWELL: "true"} if unwell else {}
    return ConfigMap(
        metadata=Metadata(name=name, namespace=namespace, uid=f"uid-{name}", labels=labels, annotations=annotations)
    )


def report(name: str = "all", generation: int = 1, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "platformhealth.dev/v1alpha1",
        "kind": "PlatformHealth",
        "metadata": {"name": name, "uid": f"uid-{name}", "generation": generation, "resourceVersion": "1"},
        "spec": spec,
    }


class Statuses:
    """An API server for statuses. ``fail`` holds the errors of the next writes."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.writes: list[tuple[str, Mapping[str, Any]]] = []
        self.fail: list[ApiError] = []
        self._versions = itertools.count(100)

    def store(self, raw: dict[str, Any]) -> dict[str, Any]:
        raw = {**raw, "metadata": {**raw["metadata"], "resourceVersion": str(next(self._versions))}}
        self.objects[raw["metadata"]["name"]] = raw
        return raw

    async def write(self, name: str, uid: str, version: str, status: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.fail:
            raise self.fail.pop(0)
        raw = self.objects.get(name)
        if raw is None:
            raise NotFound("gone", status=404)
        if raw["metadata"]["uid"] != uid or version not in ("", raw["metadata"]["resourceVersion"]):
            raise Conflict("modified", status=409)
        self.writes.append((name, status))
        return self.store({**raw, "status": status})

    async def read(self, name: str) -> Mapping[str, Any]:
        if name not in self.objects:
            raise NotFound("gone", status=404)
        return self.objects[name]


class Leads:
    """Leadership that a test turns on and off."""

    def __init__(self, is_leader: bool = True) -> None:
        self.is_leader = is_leader


class NoSources:
    """Sources of which everything was read at once."""

    def __init__(self) -> None:
        self.synced = True
        self.wrong: list[str] = []

    def is_synced(self) -> bool:
        return self.synced

    def problems(self) -> list[str]:
        return self.wrong

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass


SYNCED = KindState.SYNCED
