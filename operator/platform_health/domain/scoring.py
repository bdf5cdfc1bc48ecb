"""What the scorers and filters of a picker ask of a pool's pods, and whether the pods answer.

Facts: metric names from ``core-metrics-extractor`` of llm-d-router; the default of the KV cache metric per tag of
Gateway API Inference Extension (``vllm:gpu_cache_usage_perc`` up to v1.2, ``vllm:kv_cache_usage_perc`` from v1.3); the
names of vLLM from its sources (the old one is gone in 0.12.0 and hidden in 0.11, the new one exists since 0.9.2 and not
in V0); role labels from ``bylabel/roles.go``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from platform_health.documents.picker_config import PickerConfig, Profile
from platform_health.documents.texts import items, mapping, string
from platform_health.domain.images import Version, version
from platform_health.domain.picker_configs import config_of
from platform_health.domain.pickers import Picker
from platform_health.domain.servers import Server, model_servers, servers
from platform_health.invariant import INFO, Severity
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import Pod
from platform_health.views.inference import Pool
from platform_health.views.view import Ref

_BUILT_IN = frozenset({"queue-scorer", "kv-cache-utilization-scorer", "prefix-cache-scorer"})
_READ_METRICS = frozenset(
    {
        "queue-scorer",
        "kv-cache-utilization-scorer",
        "kv-cache-scorer",
        "least-kv-cache-filter",
        "least-queue-filter",
        "load-aware-scorer",
        "low-queue-filter",
        "running-requests-size-scorer",
        "utilization-detector",
    }
)
_READ_KV = frozenset({"kv-cache-utilization-scorer", "kv-cache-scorer", "least-kv-cache-filter"})
_EXTRACTORS = ("core-metrics-extractor", "model-server-protocol-metrics")
_LABELS = ("llm-d.ai/engine-type", "inference.networking.k8s.io/engine-type")
_ENGINES = {
    "vllm": ("vllm",),
    "simulator": ("vllm",),
    "sglang": ("sglang",),
    "trtllm": ("trtllm-serve",),
    "triton": ("triton-tensorrt-llm", "triton"),
}
"""The names of the built-in engines that fit a recognised server."""
_KNOWN_ENGINES = frozenset(name for names in _ENGINES.values() for name in names)

_ROLE = "llm-d.ai/role"
_DECODES = frozenset({"decode", "prefill-decode", "both", "encode-prefill-decode"})
_PREFILLS = frozenset({"prefill", "encode-prefill", "prefill-decode", "both", "encode-prefill-decode"})
_ENCODES = frozenset({"encode", "encode-prefill", "encode-prefill-decode"})
_ROLES = _DECODES | _PREFILLS | _ENCODES


class Scoring(NamedTuple):
    """The plugins that a picker uses; ``config`` is None for the built-in configuration."""

    types: frozenset[str]
    config: PickerConfig | None


class Look(NamedTuple):
    """A pool seen by one picker."""

    pool: Pool
    picker: Picker
    scoring: Scoring
    pods: list[Pod]

    @property
    def reads_metrics(self) -> bool:
        """Whether some plugin decides by the engines' metrics."""
        return bool(self.scoring.types & _READ_METRICS)

    def engines(self, *names: str) -> list[tuple[Pod, Server]]:
        """The recognised servers of these engines that answer requests, with their pods."""
        return [
            (pod, server)
            for pod in self.pods
            for server in model_servers(pod)
            if server.engine in names and not server.is_headless
        ]


class Remark(NamedTuple):
    """One thing that a picker asks for and does not get."""

    about: str
    because: str
    related: tuple[Ref, ...] = ()
    of_pods: bool = True
    severity: Severity | None = None


def scoring(picker: Picker, inventory: Inventory) -> Scoring:
    """The plugins that a picker's profiles use; Unknown where its configuration is not known."""
    config = config_of(picker, inventory)
    if config is None:
        if not picker.is_recognised:
            raise Unknown(f"the built-in configuration of {picker.container.image} is not known")
        return Scoring(_BUILT_IN, None)
    if not config.has_profiles:
        return Scoring(frozenset(plugin.type for plugin in config.plugins), config)
    types = {plugin.type for profile in config.profiles for _, plugin in config.used(profile)}
    types |= {plugin.type for plugin in config.plugins if plugin.type == "utilization-detector"}
    types |= {plugin.type for plugin in config.plugins if plugin.name in config.mentioned}
    return Scoring(frozenset(types), config)


# --- metrics ---------------------------------------------------------------------------------------------------------


def _switched_off(look: Look) -> Iterator[Remark]:
    """Engines that emit no metrics, or not the ones that are scored."""
    if not look.reads_metrics:
        return
    silent = [pod.workload for pod, server in look.engines("sglang") if not server.command.has("--enable-metrics")]
    if silent:
        because = f"{silent[0]} emits no metrics without --enable-metrics, but the picker scores by metrics"
        yield Remark("sglang metrics", because, (silent[0],))
    silent = [pod.workload for pod, server in look.engines("vllm") if server.command.has("--disable-log-stats")]
    if silent:
        because = f"{silent[0]} counts nothing with --disable-log-stats, but the picker scores by metrics"
        yield Remark("vllm metrics", because, (silent[0],))


def _of_other_engine(look: Look) -> Iterator[Remark]:
    """Engines whose metrics have other names than those that the picker reads."""
    if not look.reads_metrics:
        return
    for workload, server, names in _named_engines(look):
        expected = _ENGINES[server.engine]
        if names is None or set(names) & set(expected) or not set(names) <= _KNOWN_ENGINES:
            continue
        because = f"{workload} runs {server.engine}, but the picker reads the metrics of {names[0]} from it"
        yield Remark(f"engine of {workload.name}", because, (workload,))


def _named_engines(look: Look) -> Iterator[tuple[Ref, Server, tuple[str, ...] | None]]:
    """Per workload, its server and the engine by whose names the picker reads it; None where flags name the metrics."""
    seen: set[Ref] = set()
    for pod, server in look.engines(*_ENGINES):
        if pod.workload in seen:
            continue
        seen.add(pod.workload)
        yield pod.workload, server, _read_as(look, pod, server)


def _read_as(look: Look, pod: Pod, server: Server) -> tuple[str, ...] | None:
    picker, config = look.picker, look.scoring.config
    if picker.is_gie(before="1.4.0"):
        return None if picker.flag("total-queued-requests-metric") else ("vllm",)
    extractor = next(iter(config.of_type(*_EXTRACTORS)), None) if config is not None else None
    if picker.release is None and extractor is None:
        if "vllm" in _ENGINES[server.engine]:
            return None
        raise Unknown(f"how {picker.container.image} tells engines apart is not known")
    parameters = extractor.parameters if extractor is not None else {}
    own = {string(mapping(entry).get("name")) for entry in items(parameters.get("engineConfigs"))}
    default = string(parameters.get("defaultEngine")) or "vllm"
    key = string(parameters.get("engineLabelKey"))
    label = next((pod.labels[name] for name in ((key,) if key else _LABELS) if name in pod.labels), "")
    name = label if label in own | _KNOWN_ENGINES else default
    return None if name in own else (name,)


def _by_former_name(look: Look) -> Iterator[Remark]:
    """A picker and a vLLM that call the usage of the KV cache by different names."""
    picker = look.picker
    if not look.scoring.types & _READ_KV or picker.flag("kv-cache-usage-percentage-metric"):
        return
    engines = look.engines("vllm")
    if not engines or picker.release is None or _has_own_engine(look, "vllm"):
        return
    reads_old = picker.is_gie(before="1.3.0")
    for _, server in engines:
        if not (_lacks_old_name(server) if reads_old else _lacks_new_name(server)):
            return
    old, new = "vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc"
    read, emitted = (old, new) if reads_old else (new, old)
    workload = engines[0][0].workload
    because = f"the picker ({picker.release}) reads {read}, {workload} ({engines[0][1].image}) emits {emitted}"
    yield Remark("KV cache metric", because, (workload,))


def _has_own_engine(look: Look, name: str) -> bool:
    config = look.scoring.config
    found = config.of_type(*_EXTRACTORS) if config is not None else []
    return any(
        string(mapping(entry).get("name")) == name
        for extractor in found
        for entry in items(extractor.parameters.get("engineConfigs"))
    )


def _lacks_old_name(server: Server) -> bool:
    found = _vllm_version(server)
    hidden = server.command.has("--show-hidden-metrics-for-version")
    return found >= (0, 12, 0) or (found >= (0, 11, 0) and not hidden)


def _lacks_new_name(server: Server) -> bool:
    found = _vllm_version(server)
    entry = server.container.variable("VLLM_USE_V1")
    is_v0 = entry is not None and entry.value_from is None and entry.value == "0" and found < (0, 11, 0)
    return found < (0, 9, 2) or is_v0


def _vllm_version(server: Server) -> Version:
    found = version(server.image, "vllm")
    if found is None:
        raise Unknown(f"the version of vLLM in {server.image} is not known")
    return found


def _by_other_scheme(look: Look) -> Iterator[Remark]:
    """A scheme of scraping that does not fit how vLLM serves."""
    config = look.scoring.config
    source = next(iter(config.of_type("metrics-data-source")), None) if config is not None else None
    scheme = string(source.parameters.get("scheme")) if source is not None else ""
    scheme = scheme or look.picker.flag("model-server-metrics-scheme") or "http"
    direct = [(pod, server) for pod, server in look.engines("vllm") if len(list(servers(pod))) == 1]
    if not look.reads_metrics or not direct or len(direct) != len(look.pods):
        return
    secure = [server.command.has("--ssl-keyfile", "--ssl-certfile") for _, server in direct]
    workload = direct[0][0].workload
    if scheme == "http" and all(secure):
        yield Remark("scheme", f"the picker scrapes http, but {workload} serves TLS (--ssl-certfile)", (workload,))
    elif scheme == "https" and not any(secure):
        yield Remark("scheme", f"the picker scrapes https, but {workload} serves no TLS", (workload,))


def _from_other_port(look: Look) -> Iterator[Remark]:
    """Triton serves its metrics on a port of their own."""
    config = look.scoring.config
    source = next(iter(config.of_type("metrics-data-source")), None) if config is not None else None
    given = source is not None and source.parameters.get("port")
    engines = look.engines("triton")
    if not engines or not look.reads_metrics or given or look.picker.flag("model-server-metrics-port"):
        return
    metrics = engines[0][1].command.number("--metrics-port") or 8002
    ports = [port for _, port in look.pool.target_ports()]
    if metrics not in ports:
        workload = engines[0][0].workload
        because = f"{workload} serves metrics on {metrics}, the picker scrapes target port {ports[0] if ports else '?'}"
        yield Remark("metrics port", because, (workload,))


# --- adapters, prefixes, roles ---------------------------------------------------------------------------------------


def _without_adapters(look: Look) -> Iterator[Remark]:
    engines = look.engines("vllm")
    if "lora-affinity-scorer" not in look.scoring.types or not engines or len(engines) < len(look.pods):
        return
    if not any(server.command.has("--enable-lora") for _, server in engines):
        because = f"lora-affinity-scorer has nothing to score: {engines[0][0].workload} runs without --enable-lora"
        yield Remark("adapters", because, (engines[0][0].workload,), severity=INFO)


def _without_events(look: Look) -> Iterator[Remark]:
    engines = look.engines("vllm")
    precise = {"precise-prefix-cache-scorer", "precise-prefix-cache-producer"} & look.scoring.types
    if precise and engines and not any(server.command.has("--kv-events-config") for _, server in engines):
        workload = engines[0][0].workload
        because = f"{min(precise)} needs the KV events of vLLM, but {workload} runs without --kv-events-config"
        yield Remark("KV events", because, (workload,))


def _without_role(look: Look) -> Iterator[Remark]:
    for pod in look.pods:
        role = pod.labels.get(_ROLE)
        if role is not None and role not in _ROLES:
            because = f"{pod.workload} has {_ROLE}={role}, which is none of {', '.join(sorted(_ROLES))}"
            yield Remark(f"role of {pod.workload.name}", because, (pod.workload,))
            return
    roles = {pod.labels.get(_ROLE) for pod in look.pods}
    for profile in look.scoring.config.profiles if look.scoring.config is not None and look.pods else ():
        for kind, accepted in (("prefill-filter", _PREFILLS), ("encode-filter", _ENCODES)):
            if _filters_by(look, profile, kind) and not roles & accepted:
                because = f"profile {profile.name} filters by {kind}, and no Ready pod has such a role"
                yield Remark(f"profile {profile.name}", because)


def cannot_pick(look: Look) -> str:
    """Why the decode filter leaves no pod at all, empty where it does not; pods without a role pass it."""
    config = look.scoring.config
    if config is None or not look.pods:
        return ""
    primary = config.profiles if len(config.profiles) == 1 else [p for p in config.profiles if p.name == "decode"]
    roles = {pod.labels.get(_ROLE) for pod in look.pods}
    if any(_filters_by(look, profile, "decode-filter") for profile in primary) and not roles & {None, *_DECODES}:
        found = ", ".join(sorted(role for role in roles if role))
        return f"decode-filter takes none of the pods: their {_ROLE} is {found}"
    return ""


def _filters_by(look: Look, profile: Profile, kind: str) -> bool:
    config = look.scoring.config
    return config is not None and any(plugin.type == kind for _, plugin in config.used(profile))


remarks: tuple[Callable[[Look], Iterator[Remark]], ...] = (
    _switched_off,
    _of_other_engine,
    _by_former_name,
    _by_other_scheme,
    _from_other_port,
    _without_adapters,
    _without_events,
    _without_role,
)
"""Every question about what a picker asks of the pods; each is judged independently."""
