"""Writes the pages of the invariants: ``python -m docs.pages [--check]``, as part of ``make generate``.

What an invariant says of itself (docstring and declaration) comes from :mod:`platform_health.reporting.page`, which
``platform-health explain`` prints, too. Everything else is taken from its worlds: they are judged here, so a page
shows what platform-health really says about them. The pages in docs/invariants/ are the only copy; a link in the
package leads to them, and a wheel takes them along.

With ``--check`` nothing is written; the exit code is 1 where a file is not what it should be.
"""

from __future__ import annotations

import ast
import difflib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests import worlds
from tests.worlds import World

from platform_health.findings import Finding
from platform_health.invariant import Invariant, name_of
from platform_health.invariants import discover
from platform_health.reporting import page

PAGES = Path(__file__).parent / "invariants"

GUIDES = {
    "R": "Router and monitoring troubleshooting",
    "I": "Gateway API inference guide",
    "L": "Unified LLM backend guide",
    "O": "Operational notes",
}
OURS = "Our own"

NAMED_IN = {
    "AuthProxyMatchesIssuer": "O",
    "AutoscaledReplicasAreIgnored": "O",
    "CacheIsReachable": "L",
    "ConfigIsLoaded": "R",
    "ConfigIsValid": "L",
    "DashboardDatasourceResolves": "R",
    "DashboardIsLoaded": "R",
    "DashboardKeepsLegendLabels": "R",
    "DashboardQueriesParse": "R",
    "DashboardWindowShowsData": "R",
    "DebugIsOff": "L",
    "FallbackCoversRetries": "RL",
    "FallbacksAreDefined": "RL",
    "GatewayIsProgrammed": "I",
    "GatewayReachesPicker": "O",
    "GatewayReachesPods": "O",
    "GpuExporterCoversNodes": "R",
    "GpuExporterIsMonitored": "O",
    "GpuExporterIsNotDuplicated": "O",
    "GpuIsAllocatable": "R",
    "GpuRequestFits": "R",
    "IgnoreDifferencesMatch": "O",
    "LegacyPoolIsMigrated": "I",
    "MetricNamesAreCurrent": "O",
    "ModelFitsGpuMemory": "RL",
    "ModelIsPrestaged": "O",
    "ModelServerStarts": "R",
    "MonitorFindsService": "R",
    "MonitorHasTargets": "R",
    "MonitorIsSelected": "RO",
    "MonitorIsValid": "R",
    "MonitorPortExists": "R",
    "ObjectiveShedsKnowingly": "I",
    "ObjectiveTargetsItsPool": "I",
    "PickerConfigLoads": "I",
    "PickerIsReady": "I",
    "PickerLogsQuietly": "I",
    "PickerMayReadItsPool": "I",
    "PickerPortMatches": "I",
    "PickerProbesFit": "I",
    "PickerServesItsPool": "I",
    "PickerServiceResolves": "I",
    "PodFitsHostMemory": "RL",
    "PolicyNamesLiveNamespaces": "O",
    "PoolHasReadyPods": "I",
    "PoolIsAccepted": "I",
    "PoolIsRouted": "I",
    "PoolSelectsPods": "I",
    "PoolTargetsListeningPort": "I",
    "ProbeNeedsNoAuth": "O",
    "PrometheusReachesTargets": "R",
    "RouteBackendsExist": "I",
    "RouteBackendsGranted": "I",
    "RouteCoversInferencePaths": "I",
    "RouteIsAccepted": "I",
    "RouteNamesServedGroup": "I",
    "RouteParentsAdmit": "I",
    "RouteTimeoutIsExplicit": "R",
    "RouteTimeoutOutlastsBackend": "R",
    "RuleIsSelected": "R",
    "ScalerIsWorking": "O",
    "ScalerQueryCanMatch": "O",
    "ScalerTargetExists": "O",
    "ScorerWeightsAreExplicit": "I",
    "ScorersAreFed": "IO",
    "ServerListensWhereAsked": "RL",
    "SsoFitsLicence": "O",
    "ToolChoiceIsComplete": "O",
    "UpstreamServesModel": "L",
    "UpstreamsResolve": "RL",
    "WarmupCompletes": "R",
}
"""The guides that name what an invariant looks for, by their letters in :data:`GUIDES`; none means that it is ours."""

EXAMPLES = {
    "AutoscaledReplicasAreIgnored": "self_heal_reverts_the_autoscaler",
    "ConfigIsLoaded": "config_was_written_later",
    "ConfigIsValid": "urls_and_ports_are_wrong",
    "DashboardDatasourceResolves": "uid_is_of_another_grafana",
    "DashboardKeepsLegendLabels": "label_is_aggregated_away",
    "FallbackCoversRetries": "codes_are_missing",
    "GatewayReachesPods": "the_port_of_the_service_is_admitted",
    "GpuExporterCoversNodes": "taint_is_not_tolerated",
    "GpuIsAllocatable": "gpu_node_offers_none",
    "IgnoreDifferencesMatch": "group_is_empty",
    "ModelFitsGpuMemory": "context_does_not_fit",
    "ModelServerStarts": "crash_loop_names_an_exception",
    "MonitorCarriesCredentials": "litellm_asks_for_a_key",
    "MonitorIsSelected": "release_label_is_missing",
    "MonitorPortExists": "port_name_differs",
    "ObjectiveTargetsItsPool": "pool_does_not_exist",
    "PickerLogsQuietly": "left_at_debug",
    "PickerMayReadItsPool": "pods_are_forbidden",
    "PickerPortMatches": "service_has_no_such_port",
    "PickerServesItsPool": "picker_serves_another_pool",
    "PickerServiceResolves": "service_is_missing",
    "PickerSpeaksGatewayTls": "istio_has_no_destination_rule",
    "PolicyNamesLiveNamespaces": "the_controllers_namespace_is_admitted",
    "PoolHasReadyPods": "pods_crash",
    "PoolSelectsServingPods": "headless_followers_are_selected",
    "PoolTargetsListeningPort": "server_has_another_port",
    "PrometheusReachesTargets": "only_the_gateway_is_admitted",
    "RouteBackendsExist": "pool_is_missing",
    "RouteIsAccepted": "it_is_not_accepted",
    "RouteParentsAdmit": "routes_of_the_same_namespace_only_are_admitted",
    "RouteTimeoutIsExplicit": "envoys_default_applies",
    "ServerListensWhereAsked": "target_port_is_not_the_servers",
    "TargetIsScrapedOnce": "pod_and_service_monitor_overlap",
    "ToolChoiceIsComplete": "parser_is_missing",
    "UpstreamsResolve": "namespace_is_wrong",
    "WarmupCompletes": "deadline_is_shorter_than_the_download",
}
"""The violated worlds to show where :func:`example` would choose an odd one, without ``violated_when_``."""

SYMPTOMS = {
    "Connection refused, TLS handshake fails": r"connection refused|handshake|certificate",
    "Crash loop, restarts, a server that ends at its start": r"crash|restart|exits|ends at start|never starts",
    "Doubled values in dashboards": r"doubled|double or",
    "Empty dashboards, no data": r"(^|or )no (GPU )?data|empty panel|panels? stays? empty|every panel|the panel|"
    r"dashboard is|legend|recorded series",
    "HTTP 401 or 403, login loop": r"\b40[13]\b|login|sign-in|signing in",
    "HTTP 404": r"\b404\b",
    "HTTP 429": r"\b429\b",
    "HTTP 500": r"\b500\b",
    "HTTP 502": r"\b502\b",
    "HTTP 503": r"\b503\b",
    "HTTP 504": r"\b504\b",
    "No alerts": r"alerts",
    "No scaling, replicas flap": r"no scaling|scaling stops|at its minimum|replicas (flap|jump)|autoscaler",
    "Pods Pending": r"Pending",
    "Scrape target DOWN": r"DOWN",
    "Slow answers, uneven load": r"slow(er)? answers|answers are slow|slow starts|latency|uneven|not spread|"
    r"without regard to load|default priority",
    "The change has no effect": r"no effect|inert|old routing",
    "The fallback does not answer": r"fallback",
    "Timeouts": r"timeout|deadline exceeded|\b504\b",
    "Wrong model, wrong backend": r"another route|old routing|model does not exist|another selection",
}
"""What a person says who has a problem, and how the symptoms that mean it are spelled."""

_WORDS = """
API Antrea Argo Calico Cilium ConfigMap DaemonSet EPP Envoy Flux GKE GPU GPUs GRPC GatewayClass Grafana HPA HTTP Helm
InferencePool Istio KEDA KV Kubernetes LiteLLM Loki NGINX OOM Ollama PodMonitor PromQL Prometheus Redis SGLang SSO
Dex MetricsQL ServiceMonitor StatefulSet TGI TLS Tabby Triton UDP URL URLs VictoriaMetrics vLLM
"""
PROPER = {word.lower(): word for word in _WORDS.split()} | {
    "argocd": "Argo CD",
    "envoys": "Envoy's",
    "exporters": "exporters",
    "policys": "policy's",
    "prometheuses": "Prometheuses",
    "vllms": "vLLM's",
}
"""Words of a file's name that are written otherwise in a sentence."""

_EXPECTATION = re.compile(r"\s*#\s*(error|warning|info|unknown)\s+([A-Z][A-Za-z]+)(?::\s*.+?)?(?=\s+#|\s*$)")
_EXPECTED = re.compile(r"#\s*(?:expect:\s*)?(error|warning|info)\s+([A-Z][A-Za-z]+)")
_HEADER = re.compile(r"#\s*(expect:|closed-world\s*$|cluster\s*$|now:|forbidden:|absent:)")
_ALIKE = 0.75
"""From this similarity on, a holding world is shown by its difference to the violated one."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the pages, or checks them."""
    arguments = sys.argv[1:] if arguments is None else arguments
    wanted = generated()
    wrong = outdated(wanted)
    for path in wrong:
        if "--check" in arguments:
            sys.stderr.write(f"docs/invariants/{path.name} is not up to date; run make generate\n")
        elif path.name in wanted:
            path.write_text(wanted[path.name], encoding="utf-8")
            sys.stdout.write(f"docs/invariants/{path.name}\n")
        else:
            path.unlink()
            sys.stdout.write(f"docs/invariants/{path.name} removed\n")
    return int("--check" in arguments and bool(wrong))


def generated() -> dict[str, str]:
    """Every page by its file name, and the index."""
    return {"README.md": index()} | {f"{entry.name}.md": full_page(entry) for entry in discover()}


def outdated(wanted: dict[str, str] | None = None, folder: Path = PAGES) -> list[Path]:
    """The pages that are not what they should be, and those of no invariant."""
    wanted = generated() if wanted is None else wanted
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    return [folder / name for name in sorted({*wanted, *there}) if wanted.get(name) != there.get(name)]


# --- one page ---------------------------------------------------------------------------------------------------


def full_page(invariant: Invariant) -> str:
    """The page of an invariant: what it says of itself, an example, and when it is silent."""
    files = worlds_of(invariant)
    parts = [page.render(invariant), *_example(invariant, files), *_cases(files), _origin(invariant)]
    return "\n".join(parts)


def worlds_of(invariant: Invariant) -> list[Path]:
    """The world files of an invariant, without the fixed ones."""
    folder = worlds.ROOT / invariant.family / invariant.judge.__name__
    return sorted(path for path in folder.glob("*.yaml") if not path.name.endswith(".fixed.yaml"))


class Pair(NamedTuple):
    """A violated world, and the one to compare it with: its repaired twin, or the holding world that is most alike."""

    violated: Path
    other: Path | None
    likeness: float

    @property
    def is_repaired(self) -> bool:
        """Whether the other one is what the fix makes of the violated one."""
        return self.other is not None and self.other.name.endswith(".fixed.yaml")


def example(files: Sequence[Path], invariant: Invariant) -> Pair | None:
    """The pair to show: the shortest that a fix repairs, else the shortest whose two worlds are much alike.

    Worlds in which the violation is as bad as declared are the typical ones, unless :data:`EXAMPLES` names one.
    """
    violated = [path for path in files if path.name.startswith("violated_when")]
    holding = [path for path in files if path.name.startswith("holds_when")]
    chosen = f"violated_when_{EXAMPLES.get(invariant.name)}.yaml"
    typical = (
        [path for path in violated if path.name == chosen]
        or [path for path in violated if expected(path) == invariant.severity]
        or violated
    )
    repaired = [path for path in typical if path.with_suffix(".fixed.yaml").exists()]
    if repaired:
        shortest = min(repaired, key=_length)
        return Pair(shortest, shortest.with_suffix(".fixed.yaml"), 1.0)
    pairs = [Pair(one, other, _likeness(one, other)) for one in typical for other in holding]
    alike = [pair for pair in pairs if pair.likeness >= _ALIKE]
    if alike:
        return min(alike, key=lambda pair: (_length(pair.violated), -pair.likeness, pair.other))
    if pairs:
        return max(pairs, key=lambda pair: (pair.likeness, pair.violated, pair.other))
    return Pair(typical[0], None, 0.0) if typical else None


def expected(path: Path) -> str:
    """How bad a world says that the violation of its own invariant is."""
    own = name_of(path.parent.name)
    return next((found[1] for found in _EXPECTED.finditer(path.read_text(encoding="utf-8")) if found[2] == own), "")


def _length(path: Path) -> tuple[int, str]:
    return len(shown(path)), path.name


def _likeness(one: Path, other: Path) -> float:
    return difflib.SequenceMatcher(None, _plain(one), _plain(other), autojunk=False).ratio()


@cache
def shown(path: Path) -> tuple[str, ...]:
    """The lines of a world as a reader wants them: an arrow where the expectation of its own invariant stands."""
    own = name_of(path.parent.name)

    def arrow(found: re.Match[str]) -> str:
        if found[1] == "unknown":
            return ""
        return f"  # <- {found[1]}" + (f" {found[2]}" if found[2] != own else "")

    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if _HEADER.match(line):
            continue
        text = _EXPECTATION.sub(arrow, line).rstrip()
        if text or not line.strip():
            lines.append(text)
    while lines and not lines[0].strip("-"):
        del lines[0]
    return tuple(lines)


@cache
def _plain(path: Path) -> list[str]:
    """The lines of a world without comments."""
    lines = (_EXPECTATION.sub("", line).rstrip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.lstrip().startswith("#")]


def _example(invariant: Invariant, files: Sequence[Path]) -> Iterator[str]:
    pair = example(files, invariant)
    if pair is None:
        return
    world = World(pair.violated)
    yield f"## Violated when {sentence(pair.violated)}\n"
    if "cluster" in world.headers:
        yield "In a cluster:\n"
    elif "closed-world" in world.headers:
        yield "With `--closed-world`:\n"
    yield _block("yaml", shown(pair.violated))
    yield from _said([finding for finding in world.findings if finding.invariant == world.invariant])
    if pair.other is not None:
        yield f"## {'Repaired' if pair.is_repaired else f'Holds when {sentence(pair.other)}'}\n"
        if pair.is_repaired or pair.likeness >= _ALIKE:
            yield _block("diff", _difference(pair.violated, pair.other))
        else:
            yield _block("yaml", shown(pair.other))


def _said(found: Sequence[Finding]) -> Iterator[str]:
    yield "platform-health says:\n"
    lines = []
    for finding in found:
        lines += [f"{finding.severity} {finding.subject}", f"    {finding.message}", f"    at      {finding.at}"]
        lines += [f"    seen as {finding.symptom}"] if finding.symptom else []
        lines += [f"    verify  {finding.verify}"] if finding.verify else []
        lines += [f"    fix     {finding.fix.title} ({finding.fix.safety})"] if finding.fix else []
    yield _block("text", lines)


def _difference(one: Path, other: Path) -> Iterator[str]:
    lines = difflib.unified_diff(_plain(one), _plain(other), n=4, lineterm="")
    for line in list(lines)[2:]:
        yield "@@" if line.startswith("@@") else line


def _block(language: str, lines: Iterable[str]) -> str:
    return "\n".join((f"```{language}", *lines, "```\n"))


def _cases(files: Sequence[Path]) -> Iterator[str]:
    for prefix, heading in (
        ("violated_when", "It is violated when"),
        ("holds_when", "It stays silent when"),
        ("unknown_when", "It is unknown when"),
    ):
        cases = [f"- {sentence(path)}" for path in files if path.name.startswith(prefix)]
        if cases:
            yield "\n".join((f"## {heading}\n", *cases, ""))


def sentence(path: Path) -> str:
    """The name of a world in words, without what it begins with: ``holds_when_gpu_is_free`` is ``GPU is free``."""
    words = path.name.partition(".")[0].split("_")[2:]
    return " ".join(PROPER.get(word, word) for word in words)


def _origin(invariant: Invariant) -> str:
    guides = ", ".join(GUIDES[letter] for letter in NAMED_IN.get(invariant.name, "")) or OURS
    folder = f"tests/invariants/{invariant.family}/{invariant.judge.__name__}"
    return f"## Where it comes from\n\nGuide: {guides}. Each case above is a file in `{folder}/`.\n"


# --- the index --------------------------------------------------------------------------------------------------


def index() -> str:
    """The index: by family, by symptom, by guide."""
    everything = discover()
    lines = [
        "# Invariants\n",
        "What must hold, one page each: why, what to do, an example, and when nothing is said.",
        "`platform-health explain NAME` prints a page. [By family](#by-family), [by symptom](#by-symptom),",
        "[by guide](#by-guide). Generated by `make generate` from the invariants and their worlds.\n",
        "## By family\n",
    ]
    for family in dict.fromkeys(entry.family for entry in everything):
        lines += [f"### {family}\n", "| invariant | severity | what must hold |", "|---|---|---|"]
        members = [entry for entry in everything if entry.family == family]
        lines += [f"| {_link(entry)} | {entry.severity} | {entry.title} |" for entry in members]
        lines.append("")
    lines += ["## By symptom\n", *_by_symptom(everything), "## By guide\n", *_by_guide(everything)]
    return "\n".join(lines).rstrip() + "\n"


def _by_symptom(everything: Sequence[Invariant]) -> Iterator[str]:
    said = {entry.name: symptoms(entry) for entry in everything}
    left = {entry.name: entry for entry in everything}
    for heading, pattern in sorted(SYMPTOMS.items()):
        yield f"### {heading}\n"
        for entry in sorted(everything, key=lambda entry: (entry.severity.rank, entry.name)):
            fitting = next((text for text in said[entry.name] if re.search(pattern, text)), None)
            if fitting is not None:
                left.pop(entry.name, None)
                yield f"- {_link(entry)} ({entry.severity}): {fitting}"
        yield ""
    if left:
        yield "### Something else\n"
        yield from (f"- {_link(entry)} ({entry.severity}): {entry.symptom}" for entry in left.values())
        yield ""


def symptoms(invariant: Invariant) -> list[str]:
    """What an invariant says that a client sees: the declared symptom first, then those of its special cases."""
    source = Path(sys.modules[invariant.judge.__module__].__file__ or "").read_text(encoding="utf-8")
    said = [invariant.symptom]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg == "symptom":
            choices = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
            said += [text.value for text in choices if isinstance(text, ast.Constant) and isinstance(text.value, str)]
    return list(dict.fromkeys(said))


def _by_guide(everything: Sequence[Invariant]) -> Iterator[str]:
    for letter, title in {**GUIDES, "": OURS}.items():
        yield f"### {title}\n"
        for entry in everything:
            named = NAMED_IN.get(entry.name, "")
            if letter in named if letter else not named:
                yield f"- {_link(entry)}: {entry.title}"
        yield ""


def _link(invariant: Invariant) -> str:
    return f"[{invariant.name}]({invariant.name}.md)"


if __name__ == "__main__":
    sys.exit(main())
