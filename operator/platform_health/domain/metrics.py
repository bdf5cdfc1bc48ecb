"""Which metrics nobody emits any more: names that engines and pickers retired, by version.

``data/retired_metrics.json`` holds the names, from the sources of vLLM 0.4.3–0.33, of SGLang 0.4.1–0.5.23 and of the
endpoint picker's tags: ``gone`` is the first version without the metric, ``hidden`` the first that emits it only with
``--show-hidden-metrics-for-version``; ``exact`` says that ``instead`` has the same samples.

A name is dead only if every known emitter has dropped it. Versions come from official images; any other image that may
emit the metric makes the question unanswerable. The production-stack router exports some of the engines' former names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from platform_health.documents.rules import rules
from platform_health.domain import promql
from platform_health.domain.images import Version, image, release
from platform_health.domain.production_stack import is_router
from platform_health.domain.promql import Selector
from platform_health.domain.selection import is_picker
from platform_health.domain.servers import Server, servers, servers_of
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import HOLDS_RULES, INFERENCE, ConfigMap, Pod, Service
from platform_health.views.monitoring import PodMonitor, PrometheusRule, Relabeling, ServiceMonitor
from platform_health.views.view import View

NEEDS: tuple[type[View], ...] = (Pod, Service, ConfigMap, PrometheusRule, ServiceMonitor, PodMonitor)
"""The kinds that are read to tell whether a query is dead."""

HIDDEN_FLAG = "--show-hidden-metrics-for-version"

_SUFFIXES = {
    "gauge": ("",),
    "counter": ("", "_total", "_created"),
    "histogram": ("_bucket", "_sum", "_count", "_created", ""),
}
_ROUTER_NAMES = frozenset(
    f"vllm:{name}"
    for name in (
        "gpu_prefix_cache_hit_rate",
        "gpu_prefix_cache_hits_total",
        "gpu_prefix_cache_queries_total",
        "num_requests_swapped",
    )
)
"""Retired names that the production-stack router exports, read from its services/metrics_service."""
_ENGINE_LABELS = ("model_name", "engine")


class Retired(NamedTuple):
    """One retired metric, without the suffix of its type."""

    name: str
    type: str
    program: str
    gone: Version
    hidden: Version
    instead: str
    exact: bool
    hint: str


class Drop(NamedTuple):
    """A metric name in a query that nobody emits any more."""

    name: str
    retired: Retired
    emitters: str

    @property
    def instead(self) -> str:
        """The full name that replaced it; empty where no single one did."""
        if not self.retired.instead:
            return ""
        suffix = self.name.removeprefix(self.retired.name)
        return self.retired.instead + ("_total" if self.retired.type == "counter" and not suffix else suffix)

    @property
    def because(self) -> str:
        """Who dropped it when, and what says it now."""
        since = ".".join(map(str, self.retired.hidden))
        now = f"it is {self.instead} now" if self.instead else self.retired.hint
        return f"which no {self.emitters} emits: dropped in {since}; {now}"


def retired(name: str) -> Retired | None:
    """The entry of a metric name, suffix included, None where it was never retired."""
    return _by_full_name().get(name)


@cache
def _by_full_name() -> dict[str, Retired]:
    rows = json.loads((FilePath(__file__).parent / "data" / "retired_metrics.json").read_text())
    table = {}
    for row in rows:
        gone = _version(row["gone"])
        entry = Retired(
            name=row["name"],
            type=row["type"],
            program=row["program"],
            gone=gone,
            hidden=_version(row["hidden"]) if "hidden" in row else gone,
            instead=row.get("instead", ""),
            exact=row.get("exact", False),
            hint=row.get("hint", ""),
        )
        for suffix in _SUFFIXES[entry.type]:
            table[entry.name + suffix] = entry
    return table


def _version(text: str) -> Version:
    major, minor, patch = (int(part) for part in text.split("."))
    return (major, minor, patch)


# --- who emits -------------------------------------------------------------------------------------------------------


class Emitter(NamedTuple):
    """A container that may emit a program's metrics. ``server`` is None where its command line is not understood."""

    pod: Pod
    image: str
    server: Server | None


class Emitters:
    """Who may emit metrics, read once for all queries of one judgement."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._found: dict[str, list[Emitter]] = {}

    @cached_property
    def pods(self) -> list[Pod]:
        """One pod of each kind: pods of one workload that run the same are not told apart."""
        found: dict[object, Pod] = {}
        for pod in self._inventory.modifying(Pod, term=INFERENCE):
            if not pod.is_over:
                key = (pod.workload, *(container.words for _, container in pod.spec.long_running()))
                found.setdefault(key, pod)
        return list(found.values())

    def of(self, program: str) -> list[Emitter]:
        """The containers that may emit the metrics of a program."""
        if program not in self._found:
            self._found[program] = [entry for pod in self.pods for entry in _emitters(program, pod)]
        return self._found[program]

    def versions(self, program: str) -> str:
        """The versions that run, for people."""
        found = {release(emitter.image) for emitter in self.of(program)}
        return ", ".join(sorted({".".join(map(str, entry.version)) for entry in found if entry is not None}))

    def make(self, selector: Selector) -> bool:
        """Whether a recording rule, a relabeling, the router or a simulator may make series for a selector."""
        if selector.name in self._recorded or any(_makes(entry, selector.name) for entry in self._relabelings):
            return True
        return any(_may_emit(pod, selector, self._inventory) for pod in self.pods)

    @cached_property
    def _recorded(self) -> set[str]:
        found = {rule.record for view in self._inventory.modifying(PrometheusRule) for _, rule in view.rules()}
        configs = self._inventory.modifying(ConfigMap, term=HOLDS_RULES)
        return found | {rule.record for config in configs for _, rule in rules(config)}

    @cached_property
    def _relabelings(self) -> list[Relabeling]:
        monitors: list[ServiceMonitor | PodMonitor] = [*self._inventory.modifying(ServiceMonitor)]
        monitors += self._inventory.modifying(PodMonitor)
        return [
            relabeling
            for monitor in monitors
            for _, endpoint in monitor.endpoints()
            for relabeling in endpoint.metric_relabelings
            if relabeling.target_label == "__name__"
        ]


def _emitters(program: str, pod: Pod) -> Iterator[Emitter]:
    if program == "gie":
        if is_picker(pod):
            yield from (Emitter(pod, container.image, None) for _, container in pod.spec.long_running())
        return
    for at, container in pod.spec.long_running():
        found = list(servers_of(container, at))
        yield from (Emitter(pod, server.image, server) for server in found if server.engine in (program, "nim"))
        if not found and program in image(container.image).name and not is_router(container):
            yield Emitter(pod, container.image, None)


def _makes(relabeling: Relabeling, name: str) -> bool:
    if relabeling.action.lower() != "replace":
        return False
    made = "$1" if relabeling.replacement is None else relabeling.replacement
    pattern = "".join(".*" if part.startswith("$") else re.escape(part) for part in re.split(r"(\$\{?\w+\}?)", made))
    return re.fullmatch(pattern, name) is not None


def _may_emit(pod: Pod, selector: Selector, inventory: Inventory) -> bool:
    if selector.name.startswith("vllm:") and any(server.engine == "simulator" for server in servers(pod)):
        return True
    if selector.name not in _ROUTER_NAMES or not any(is_router(container) for _, container in pod.spec.long_running()):
        return False
    if any(entry.name in _ENGINE_LABELS and entry.op == "=" and entry.value for entry in selector.matchers):
        return False
    endpoint = selector.value("endpoint")
    return endpoint is None or endpoint in _port_names(pod, inventory)


def _port_names(pod: Pod, inventory: Inventory) -> set[str]:
    """The port names under which a monitor may scrape a pod: its own, and those of the Services in front of it."""
    names = {port.name for port in pod.ports()}
    for service in inventory.referring(Service, namespace=pod.namespace):
        if service.selector is not None and service.selector.matches(pod.labels):
            names |= {port.name for port in service.spec.ports}
    return names


# --- is a metric emitted? --------------------------------------------------------------------------------------------

_CALLED = {"vllm": "vLLM", "sglang": "SGLang", "gie": "endpoint picker"}


def dropped(selector: Selector, emitters: Emitters) -> Drop | None:
    """Why a selector matches nothing any more, None where something may emit it; Unknown without versions."""
    entry = retired(selector.name)
    if entry is None or emitters.make(selector):
        return None
    verdicts = [_verdict(entry, emitter) for emitter in emitters.of(entry.program)]
    if True in verdicts:
        return None
    gap = next((verdict for verdict in verdicts if isinstance(verdict, str)), None)
    if gap is not None:
        raise Unknown(gap)
    called = _CALLED[entry.program]
    if not verdicts:
        raise Unknown(f"no {called} is known that could emit {selector.name}")
    return Drop(selector.name, entry, f"{called} here ({emitters.versions(entry.program)})")


def _verdict(entry: Retired, emitter: Emitter) -> bool | str:
    """Whether it emits the metric, or why that cannot be known."""
    found = release(emitter.image)
    if entry.program == "gie" and found is not None and found.program == "llm-d-router":
        return False
    if found is None or found.program != entry.program:
        return f"the version of {_CALLED[entry.program]} in {emitter.image} ({emitter.pod.workload}) is not known"
    if found.version >= entry.gone:
        return False
    if found.version < entry.hidden:
        return True
    if emitter.server is None or emitter.server.command.has("--config"):
        return f"the flags of {emitter.pod.workload} are not known"
    return emitter.server.command.has(HIDDEN_FLAG)


# --- is a query dead? ------------------------------------------------------------------------------------------------


class _Result(NamedTuple):
    """What an expression can return: ``data``, ``empty``, ``constant``, or ``default``: a constant for lack of data."""

    says: str
    drops: tuple[Drop, ...] = ()


def dead(query: str, emitters: Emitters) -> tuple[Drop, ...]:
    """The retired metrics because of which a query never returns data; none where it may. Unknown where not known."""
    tree = promql.parse(query)
    if isinstance(tree, promql.Invalid) or not any(retired(entry.name) for entry in promql.selectors(query)):
        return ()
    gaps: list[Unknown] = []
    result = _result(tree, emitters, gaps)
    if result.says in ("empty", "default"):
        return tuple(dict.fromkeys(result.drops))
    if gaps:
        raise gaps[0]
    return ()


def _result(node: Any, emitters: Emitters, gaps: list[Unknown]) -> _Result:
    kind = type(node).__name__
    if kind == "VectorSelector":
        return _selected(promql.selector(node), emitters, gaps)
    if kind == "BinaryExpr":
        left, right = _result(node.lhs, emitters, gaps), _result(node.rhs, emitters, gaps)
        return _combined(str(node.op), left, right)
    if kind == "Call" and node.func.name in ("absent", "absent_over_time"):
        return _Result("data")
    results = [_result(child, emitters, gaps) for child in promql.children(node)]
    return next((entry for entry in results if entry.says != "constant"), _Result("constant"))


def _selected(selector: Selector, emitters: Emitters, gaps: list[Unknown]) -> _Result:
    try:
        drop = dropped(selector, emitters)
    except Unknown as unknown:
        gaps.append(unknown)
        return _Result("data")
    return _Result("data") if drop is None else _Result("empty", (drop,))


def _combined(operation: str, left: _Result, right: _Result) -> _Result:
    both, drops = {left.says, right.says}, left.drops + right.drops
    if operation == "unless":
        return left
    if operation == "or":
        if "data" in both:
            return _Result("data")
        if both == {"empty"}:
            return _Result("empty", drops)
        return _Result("default" if both & {"empty", "default"} else "constant", drops)
    for says in ("empty", "data", "default"):
        if says in both:
            return _Result(says, drops if says != "data" else ())
    return _Result("constant")
