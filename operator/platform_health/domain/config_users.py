"""Which containers use a ConfigMap, and which of its keys they see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from platform_health.inventory import Inventory
from platform_health.views.apps import DaemonSet, Deployment, StatefulSet
from platform_health.views.core import ConfigMap, ConfigMapVolume, Container, PodSpec, VolumeMount
from platform_health.views.view import Path, View

LongRunning = Deployment | StatefulSet | DaemonSet
WORKLOADS: tuple[type[Deployment] | type[StatefulSet] | type[DaemonSet], ...] = (Deployment, StatefulSet, DaemonSet)
NEEDS: tuple[type[View], ...] = WORKLOADS
"""The kinds that are read to tell who uses a ConfigMap."""


class Usage(NamedTuple):
    """One way in which a container of a workload uses a ConfigMap.

    ``way``: ``volume`` (the kubelet refreshes the files), ``subPath`` or ``env`` (neither ever changes in a running
    container). ``keys`` are those that are visible; None means all. ``at`` is the path in the workload.
    """

    config: str
    workload: LongRunning
    container: Container
    way: str
    keys: frozenset[str] | None
    at: Path

    def sees(self, key: str) -> bool:
        """Whether the container sees a key."""
        return self.keys is None or key in self.keys


def users(config: ConfigMap, inventory: Inventory) -> list[Usage]:
    """Every use of a ConfigMap by a workload of its namespace."""
    return [
        usage
        for kind in WORKLOADS
        for workload in inventory.modifying(kind, config.namespace)
        for usage in usages(workload)
        if usage.config == config.name
    ]


def usages(workload: LongRunning) -> Iterator[Usage]:
    """Every use of a ConfigMap by a workload."""
    for path, template in workload.templates():
        for at, container in template.spec.all_containers():
            place = path.join(at)
            for index, mount in enumerate(container.volume_mounts):
                for source in _sources(template.spec, mount):
                    way = "subPath" if mount.sub_path or mount.sub_path_expr else "volume"
                    at_mount = place / "volumeMounts" / index
                    yield Usage(source.name, workload, container, way, _keys(source, mount), at_mount)
            yield from _in_environment(workload, container, place)


def _sources(spec: PodSpec, mount: VolumeMount) -> Iterator[ConfigMapVolume]:
    for volume in spec.volumes:
        if volume.name != mount.name:
            continue
        if volume.config_map is not None:
            yield volume.config_map
        if volume.projected is not None:
            yield from (entry.config_map for entry in volume.projected.sources if entry.config_map is not None)


def _keys(source: ConfigMapVolume, mount: VolumeMount) -> frozenset[str] | None:
    paths = {item.path: item.key for item in source.items}
    if mount.sub_path_expr:
        return None
    if mount.sub_path:
        return frozenset({paths.get(mount.sub_path, "") if paths else mount.sub_path})
    return frozenset(paths.values()) if paths else None


def _in_environment(workload: LongRunning, container: Container, at: Path) -> Iterator[Usage]:
    for index, source in enumerate(container.env_from):
        if source.config_map_ref is not None:
            yield Usage(source.config_map_ref.name, workload, container, "env", None, at / "envFrom" / index)
    for index, entry in enumerate(container.env):
        selector = entry.value_from.config_map_key_ref if entry.value_from is not None else None
        if selector is not None:
            yield Usage(selector.name, workload, container, "env", frozenset({selector.key}), at / "env" / index)
