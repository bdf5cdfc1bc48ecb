"""EndpointPickerConfig: the plugins of an endpoint picker and the profiles that use them.

It stands in a ConfigMap, in the picker's ``--config-text``, or in a file of its own. The decoder is strict: whatever it
does not know ends the picker.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from platform_health.documents.texts import Broken, items, mapping, parsed, string
from platform_health.views.view import Path

KIND = "EndpointPickerConfig"
LEGACY_API_VERSION = "inference.networking.x-k8s.io/v1alpha1"
API_VERSION = "llm-d.ai/v1alpha1"


class Plugin(NamedTuple):
    """One declared plugin; its name defaults to its type."""

    name: str
    type: str
    parameters: dict[str, Any]
    at: Path


class ProfilePlugin(NamedTuple):
    """A plugin as a profile uses it. ``weight`` is as written; None where it is left out."""

    ref: str
    weight: Any
    at: Path


class Profile(NamedTuple):
    """One scheduling profile."""

    name: str
    plugins: tuple[ProfilePlugin, ...]
    at: Path


class PickerConfig(NamedTuple):
    """A whole configuration, with paths relative to its text."""

    api_version: str
    kind: str
    plugins: tuple[Plugin, ...]
    profiles: tuple[Profile, ...]
    gates: tuple[str, ...]
    value: dict[str, Any]
    has_profiles: bool

    def plugin(self, name: str) -> Plugin | None:
        """The declared plugin of this name, None where there is none."""
        return next((entry for entry in self.plugins if entry.name == name), None)

    def of_type(self, *types: str) -> list[Plugin]:
        """The declared plugins of these types."""
        return [entry for entry in self.plugins if entry.type in types]

    def used(self, profile: Profile) -> list[tuple[ProfilePlugin, Plugin]]:
        """The declared plugins that a profile uses, with its way of using them."""
        found = ((entry, self.plugin(entry.ref)) for entry in profile.plugins)
        return [(entry, plugin) for entry, plugin in found if plugin is not None]

    @property
    def mentioned(self) -> frozenset[str]:
        """Every plugin name that something refers to: a profile, a detector, or the parameters of another plugin."""
        rest = {key: value for key, value in self.value.items() if key != "plugins"}
        return frozenset(_strings([rest, *(plugin.parameters for plugin in self.plugins)]))

    @property
    def is_discovering(self) -> bool:
        """Whether it finds its endpoints without Kubernetes, so that it needs no pool and no permissions."""
        places = (mapping(self.value.get("dataLayer")), self.value)
        return any(string(mapping(place.get("discovery")).get("pluginRef")) for place in places)


@lru_cache(maxsize=256)
def picker_config(content: str) -> PickerConfig | Broken:
    """The configuration in a text; :class:`Broken` where the text is no YAML or no mapping."""
    value = parsed(content)
    if isinstance(value, Broken):
        return value
    if not isinstance(value, dict):
        return Broken(1, "it is no mapping")
    return PickerConfig(
        api_version=string(value.get("apiVersion")),
        kind=string(value.get("kind")),
        plugins=tuple(_plugins(value)),
        profiles=tuple(_profiles(value)),
        gates=tuple(string(gate) for gate in items(value.get("featureGates"))),
        value=value,
        has_profiles=bool(value.get("schedulingProfiles")),
    )


def _plugins(value: dict[str, Any]) -> list[Plugin]:
    found = []
    for index, raw in enumerate(items(value.get("plugins"))):
        entry = mapping(raw)
        kind = string(entry.get("type"))
        found.append(
            Plugin(string(entry.get("name")) or kind, kind, mapping(entry.get("parameters")), Path("plugins") / index)
        )
    return found


def _profiles(value: dict[str, Any]) -> list[Profile]:
    found = []
    for index, raw in enumerate(items(value.get("schedulingProfiles"))):
        entry, at = mapping(raw), Path("schedulingProfiles") / index
        plugins = tuple(
            ProfilePlugin(string(mapping(use).get("pluginRef")), mapping(use).get("weight"), at / "plugins" / number)
            for number, use in enumerate(items(entry.get("plugins")))
        )
        found.append(Profile(string(entry.get("name")), plugins, at))
    return found


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else items(value):
        yield from _strings(item)
