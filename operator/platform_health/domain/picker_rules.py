"""Why an endpoint picker does not start: flags and configurations that its release refuses.

Read from ``pkg/epp/server/options.go``, ``pkg/epp/config/loader`` and ``cmd/epp/runner`` of Gateway API Inference
Extension and llm-d-router.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from platform_health.documents.picker_config import API_VERSION, KIND, LEGACY_API_VERSION, PickerConfig, Profile
from platform_health.documents.texts import items, mapping, string
from platform_health.domain.images import Release
from platform_health.domain.picker_plugins import experimental_types, has_field, has_gate, plugin_types
from platform_health.domain.pickers import Picker
from platform_health.invariant import WARNING, Severity, nearest
from platform_health.views.inference import InferencePool
from platform_health.views.view import Path

_METRIC_FLAGS = (
    "total-queued-requests-metric",
    "total-running-requests-metric",
    "kv-cache-usage-percentage-metric",
    "lora-info-metric",
    "cache-info-metric",
)
_SCRAPE_FLAGS = tuple(
    f"model-server-metrics-{name}" for name in ("port", "path", "scheme", "https-insecure-skip-verify")
)
_ESSENTIAL_FLAGS = (
    "cert-path",
    "config-file",
    "config-text",
    "grpc-health-port",
    "grpc-port",
    "health-checking",
    "metrics-port",
    "pool-group",
    "pool-name",
    "pool-namespace",
    "secure-serving",
    "zap-encoder",
    "zap-log-level",
)
"""Flags of every release since v1.0; what is almost one of these is a slip of the pen, and no flag of any release."""
_DETECTOR_VARIABLES = ("SD_QUEUE_DEPTH_THRESHOLD", "SD_KV_CACHE_UTIL_THRESHOLD", "SD_METRICS_STALENESS_THRESHOLD")
_PARSER_PROTOCOLS = {"vllmgrpc-parser": "kubernetes.io/h2c", "vertexai-parser": "kubernetes.io/h2c"}


class Problem(NamedTuple):
    """One thing that a picker refuses, or ignores (``severity``). ``about`` names it without indexes."""

    because: str
    at: Path
    about: str
    severity: Severity | None = None


def flag_problems(picker: Picker) -> Iterator[Problem]:
    """The flags and variables that end the picker, or that it ignores."""
    if picker.release is not None:
        yield from _removed(picker)
        yield from _misspelled(picker)
    given = {flag.name: flag.value for flag in picker.flags}
    if given.get("config-file") and given.get("config-text"):
        yield Problem(
            "--config-file and --config-text are both given, one is allowed", _at(picker, "config-text"), "config"
        )
    if picker.is_recognised and not picker.is_ancient:
        yield from _pool_flags(picker, given)
    if picker.is_gie("1.5.0") or picker.is_router():
        for name in _DETECTOR_VARIABLES:
            if picker.container.variable(name) is not None:
                because = f"{name} is ignored since v1.5; it is a parameter of plugin utilization-detector"
                yield Problem(because, picker.at / "env", name, WARNING)


def _removed(picker: Picker) -> Iterator[Problem]:
    for flag in picker.flags:
        if flag.name in _METRIC_FLAGS and (picker.is_gie("1.4.0") or picker.is_router("0.9.0")):
            because = f"--{flag.name} is deprecated and cannot be used: the picker exits"
            yield Problem(because, _at(picker, flag.name), flag.name)
        if flag.name in _SCRAPE_FLAGS and picker.is_router("0.10.0"):
            because = f"--{flag.name} was removed: the picker exits with an unknown flag"
            yield Problem(because, _at(picker, flag.name), flag.name)


def _misspelled(picker: Picker) -> Iterator[Problem]:
    for flag in picker.flags:
        written = flag.word.partition("=")[0]
        single = written.startswith("-") and not written.startswith("--") and len(written) > 2
        if flag.is_camel and not picker.is_gie(before="1.0.0"):
            yield Problem(f"{written} is unknown, it is --{flag.name} since v1.0", _at(picker, flag.name), flag.name)
        elif flag.name == "pool-name" and not flag.is_camel and picker.is_gie("0.3.0", before="1.0.0"):
            yield Problem(f"{written} is unknown, it is -poolName before v1.0", _at(picker, flag.name), flag.name)
        elif single and not written.startswith("-v") and (picker.is_gie("1.3.0") or picker.is_router()):
            yield Problem(f"{written} needs two dashes, --{flag.name}", _at(picker, flag.name), flag.name)
        elif not picker.is_ancient and (meant := _mistyped(flag.name)) is not None:
            because = f"{written} is unknown, the picker exits; did you mean --{meant}?"
            yield Problem(because, _at(picker, flag.name), flag.name)


def _mistyped(name: str) -> str | None:
    """The flag that was meant, None where the flag is one or where nothing shows which."""
    meant = None if name in _ESSENTIAL_FLAGS else nearest(name, _ESSENTIAL_FLAGS)
    return meant if meant is not None and abs(len(meant) - len(name)) <= 2 else None


def _pool_flags(picker: Picker, given: dict[str, str]) -> Iterator[Problem]:
    pool, selector = given.get("pool-name"), given.get("endpoint-selector")
    if pool and selector:
        because = "--pool-name and --endpoint-selector are both given, exactly one is allowed"
        yield Problem(because, _at(picker, "endpoint-selector"), "pool-name")
    if selector and not given.get("endpoint-target-ports"):
        because = "--endpoint-selector needs --endpoint-target-ports"
        yield Problem(because, _at(picker, "endpoint-selector"), "endpoint-target-ports")
    known = picker.is_gie("1.0.0") or (
        picker.is_router() and not given.get("config-file") and not given.get("config-text")
    )
    if not pool and not selector and known:
        because = "neither --pool-name nor --endpoint-selector is given, exactly one is needed"
        yield Problem(because, picker.at / "args", "pool-name")


def _at(picker: Picker, name: str) -> Path:
    return picker.path_of(name)


def problems(config: PickerConfig, release: Release | None, *, experimental: bool) -> Iterator[Problem]:
    """What of a configuration a release refuses; without a release, what every release refuses."""
    strict = release is None or release.program != "gie" or release.version >= (1, 0, 0)
    if release is not None:
        yield from _head(config, release)
        yield from _gates(config, release)
        yield from _types(config, release, experimental)
    if strict:
        yield from _names(config)
        yield from _fields(config, release)
        for profile in config.profiles:
            yield from _profile(config, profile, release)


def _head(config: PickerConfig, release: Release) -> Iterator[Problem]:
    if config.kind and config.kind != KIND:
        yield Problem(f"kind is {config.kind}, expected {KIND}", Path("kind"), "kind")
    if release.program == "gie" and config.api_version == API_VERSION:
        because = f"apiVersion {API_VERSION} is known to llm-d-router only, expected {LEGACY_API_VERSION}"
        yield Problem(because, Path("apiVersion"), "apiVersion")
    elif config.api_version not in (API_VERSION, LEGACY_API_VERSION):
        because = f"apiVersion is {config.api_version or 'missing'}, expected {LEGACY_API_VERSION}"
        yield Problem(because, Path("apiVersion"), "apiVersion")


def _gates(config: PickerConfig, release: Release) -> Iterator[Problem]:
    for index, gate in enumerate(config.gates):
        if has_gate(release, gate) is False:
            yield Problem(f"feature gate {gate} is unknown", Path("featureGates") / index, f"gate {gate}")


def _types(config: PickerConfig, release: Release, experimental: bool) -> Iterator[Problem]:
    known = plugin_types(release)
    for plugin in config.plugins if known is not None else ():
        assert known is not None
        if plugin.type not in known:
            near = nearest(plugin.type, known)
            hint = f"; did you mean {near}?" if near else ""
            because = f"plugin type {plugin.type or '(none)'} is not registered{hint}"
            yield Problem(because, plugin.at / "type", f"plugin {plugin.name}")
        elif plugin.type in experimental_types(release) and not experimental:
            because = f"plugin type {plugin.type} loads only with --allow-experimental-plugins"
            yield Problem(because, plugin.at / "type", f"plugin {plugin.name}")


def _names(config: PickerConfig) -> Iterator[Problem]:
    for name, count in Counter(plugin.name for plugin in config.plugins).items():
        if count > 1:
            yield Problem(f"{count} plugins are named {name}", Path("plugins"), f"plugin {name} twice")
    for name, count in Counter(profile.name for profile in config.profiles).items():
        if not name or count > 1:
            because = f"{count} profiles are named {name}" if name else "a profile has no name"
            yield Problem(because, Path("schedulingProfiles"), f"profile {name}")
    handlers = [plugin for plugin in config.plugins if plugin.type.endswith("profile-handler")]
    if len(handlers) > 1:
        names = ", ".join(plugin.name for plugin in handlers)
        yield Problem(f"there is more than one profile handler ({names})", handlers[1].at, "handlers")
    elif handlers and handlers[0].type == "single-profile-handler" and len(config.profiles) > 1:
        because = f"single-profile-handler takes one profile, there are {len(config.profiles)}"
        yield Problem(because, Path("schedulingProfiles"), "handlers")


def _fields(config: PickerConfig, release: Release | None) -> Iterator[Problem]:
    for field in config.value if release is not None else ():
        if release is not None and has_field(release, field) is False:
            yield Problem(f"field {field} is unknown to it", Path(field), f"field {field}")
    for index, plugin in enumerate(items(config.value.get("plugins"))):
        yield from _unknown_fields(plugin, {"name", "type", "parameters"}, Path("plugins") / index)
    for index, profile in enumerate(items(config.value.get("schedulingProfiles"))):
        at = Path("schedulingProfiles") / index
        yield from _unknown_fields(profile, {"name", "plugins"}, at)
        for number, use in enumerate(items(mapping(profile).get("plugins"))):
            yield from _unknown_fields(use, {"pluginRef", "weight"}, at / "plugins" / number)


def _unknown_fields(value: Any, known: set[str], at: Path) -> Iterator[Problem]:
    for field in mapping(value):
        if field not in known:
            yield Problem(f"field {field} is unknown", at / field, f"field {field} of {at.rpartition('[')[0]}")


def _profile(config: PickerConfig, profile: Profile, release: Release | None) -> Iterator[Problem]:
    for use in profile.plugins:
        if config.plugin(use.ref) is None:
            near = nearest(use.ref, (plugin.name for plugin in config.plugins))
            hint = f"; did you mean {near}?" if near else ""
            because = f"pluginRef {use.ref or '(none)'} is not declared in plugins{hint}"
            yield Problem(because, use.at / "pluginRef", f"ref {use.ref} of {profile.name}")
        yield from _weight(use.weight, use.at / "weight", f"weight of {use.ref} in {profile.name}", release)
    used = config.used(profile)
    choosers = [plugin.name for _, plugin in used if plugin.type.endswith("-picker")]
    if len(choosers) > 1:
        because = f"profile {profile.name} has more than one picker ({', '.join(choosers)})"
        yield Problem(because, profile.at / "plugins", f"pickers of {profile.name}")
    if release is not None and release.program == "gie" and (1, 0, 0) <= release.version < (1, 3, 0):
        yield from _picker_before_scorer(config, profile)


def _weight(weight: Any, at: Path, about: str, release: Release | None) -> Iterator[Problem]:
    if weight is None:
        return
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        yield Problem(f"weight is {weight!r}, expected a number", at, about)
    elif weight != int(weight) and release is not None and release.program == "gie" and release.version < (1, 4, 0):
        yield Problem(f"weight {weight} is no whole number, which only v1.4 and later read", at, about)


def _picker_before_scorer(config: PickerConfig, profile: Profile) -> Iterator[Problem]:
    seen = False
    for use, plugin in config.used(profile):
        seen = seen or plugin.type.endswith("-picker")
        if seen and plugin.type.endswith("-scorer") and use.weight is None:
            because = f"scorer {use.ref} without a weight stands behind a picker, which makes v1.2 and earlier panic"
            yield Problem(because, use.at, f"order of {use.ref} in {profile.name}")


def protocol_problem(config: PickerConfig, pool: InferencePool) -> Problem | None:
    """Why the one parser of a configuration does not fit the pool's protocol: the picker never serves then."""
    handler = mapping(config.value.get("requestHandler"))
    raw = items(handler.get("parsers")) or [handler.get("parser") or config.value.get("parser")]
    refs = [string(mapping(entry).get("pluginRef")) for entry in raw]
    plugin = config.plugin(refs[0]) if len(refs) == 1 else None
    wanted = _PARSER_PROTOCOLS.get(plugin.type) if plugin is not None else None
    if wanted is None or plugin is None or pool.app_protocol in ("", wanted):
        return None
    because = f"{plugin.type} reads {wanted} only, but {pool.ref} has appProtocol {pool.app_protocol}"
    return Problem(because, Path("requestHandler"), "parser")
