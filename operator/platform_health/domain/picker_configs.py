"""Where the configuration of an endpoint picker stands, and what it means."""

from __future__ import annotations

from typing import NamedTuple

from platform_health.documents.picker_config import PickerConfig, picker_config
from platform_health.documents.texts import Broken
from platform_health.domain.pickers import Picker
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import ConfigMap, ConfigMapVolume, Pod, Volume, VolumeMount
from platform_health.views.view import Path, Ref

STATEFUL = frozenset(
    {
        "prefix-cache-scorer",
        "precise-prefix-cache-scorer",
        "approx-prefix-cache-producer",
        "precise-prefix-cache-producer",
        "active-request-scorer",
        "no-hit-lru-scorer",
        "token-load-scorer",
        "inflight-load-producer",
        "session-affinity-scorer",
    }
)
"""Plugins that remember what their own picker decided before."""


class Source(NamedTuple):
    """The configuration of one picker. ``config`` is None where it runs with the built-in default."""

    config: PickerConfig | Broken | None
    text: str
    """Where it stands, for people."""
    at: Path
    """The flag that names it, in the pod."""
    carrier: Ref | None = None
    path: str = ""
    """The path of the text in its carrier; empty where the carrier is the picker itself."""

    def where(self, path: str) -> str:
        """A place in the configuration, for people."""
        return f"{self.text}#{path}" if path else self.text


class Missing(NamedTuple):
    """Why the configuration cannot be read by the picker, so that it does not start."""

    because: str
    at: Path


def source(picker: Picker, inventory: Inventory) -> Source | Missing:
    """The configuration that a picker loads; Unknown where it comes from somewhere that we do not see."""
    text, file = picker.flag("config-text"), picker.flag("config-file")
    if text:
        return Source(picker_config(text), "--config-text", picker.path_of("config-text"))
    if not file:
        return Source(None, "the built-in configuration", picker.at)
    at = picker.path_of("config-file")
    found = _mount(picker, file)
    if found is None:
        raise Unknown(f"{file} of {picker.pod.workload} is mounted from nothing that is read")
    mount, relative = found
    volume = next((entry for entry in picker.pod.spec.volumes if entry.name == mount.name), None)
    maps = _config_maps(volume) if volume is not None else []
    if not maps:
        raise Unknown(f"volume {mount.name} of {picker.pod.workload} is no ConfigMap")
    return _in_maps(maps, relative, picker.pod, at, inventory)


def config_of(picker: Picker, inventory: Inventory) -> PickerConfig | None:
    """The configuration of a picker, None for the built-in one; Unknown where it cannot be read."""
    found = source(picker, inventory)
    if isinstance(found, Missing):
        raise Unknown(found.because)
    if isinstance(found.config, Broken):
        raise Unknown(f"{found.text} cannot be parsed")
    return found.config


def runs_without_kubernetes(picker: Picker, inventory: Inventory) -> bool:
    """Whether the picker discovers its endpoints by itself, so that it needs neither pool nor permissions."""
    if picker.is_gie():
        return False
    config = config_of(picker, inventory)
    return config is not None and config.is_discovering


def _mount(picker: Picker, file: str) -> tuple[VolumeMount, str] | None:
    """The mount that a file is in, with the file's path inside of the volume."""
    best: tuple[VolumeMount, str] | None = None
    for mount in picker.container.volume_mounts:
        base = mount.mount_path.rstrip("/")
        if mount.sub_path_expr or not (file == base or file.startswith(base + "/")):
            continue
        relative = "/".join(part for part in (mount.sub_path.strip("/"), file[len(base) :].strip("/")) if part)
        if best is None or len(base) > len(best[0].mount_path.rstrip("/")):
            best = mount, relative
    return best


def _config_maps(volume: Volume) -> list[ConfigMapVolume]:
    if volume.config_map is not None:
        return [volume.config_map]
    sources = volume.projected.sources if volume.projected is not None else ()
    return [entry.config_map for entry in sources if entry.config_map is not None]


def _in_maps(maps: list[ConfigMapVolume], relative: str, pod: Pod, at: Path, inventory: Inventory) -> Source | Missing:
    missing: Missing | None = None
    for volume in maps:
        item = next((entry.key for entry in volume.items if entry.path == relative), None)
        key = item if volume.items else relative
        found = inventory.named(ConfigMap, pod.namespace, volume.name)
        if found is None:
            missing = missing or Missing(f"ConfigMap {pod.namespace}/{volume.name} does not exist", at)
        elif key is None or key not in found.data:
            keys = ", ".join(sorted(found.data)) or "none"
            because = f"{found.ref} has no key {key or relative} to be mounted, it has {keys}"
            missing = missing or Missing(because, at)
        else:
            path = str(Path("data") / key)
            return Source(picker_config(found.data[key]), f"{found.ref} {path}", at, found.ref, path)
    assert missing is not None
    return missing
