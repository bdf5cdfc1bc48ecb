"""Where recognised programs serve their own metrics, and whether they want credentials for them.

Facts: vLLM, SGLang, TGI and Triton never guard ``/metrics``; SGLang and llama.cpp serve it only when told to; LiteLLM
mounts it only with its prometheus callback; Ollama has none. The DCGM exporter listens on 9400 unless told otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from platform_health.domain.command import commands
from platform_health.domain.servers import Server, servers
from platform_health.inventory import Unknown
from platform_health.views.core import Container, Pod

_ALWAYS = ("vllm", "tgi", "simulator", "tabby")
_WHEN_ASKED = {"sglang": "--enable-metrics", "llama.cpp": "--metrics"}


def metrics_ports(pod: Pod) -> frozenset[int]:
    """The ports on which the pod certainly serves ``/metrics``; empty where nothing is recognised or literal."""
    found: set[int] = set()
    for server in servers(pod):
        found |= _of_server(server)
    for container in dcgm_exporters(pod):
        found |= _of_dcgm(container)
    return frozenset(found)


def _of_server(server: Server) -> frozenset[int]:
    if server.engine == "triton":
        try:
            return frozenset({server.command.number("--metrics-port") or 8002})
        except Unknown:
            return frozenset()
    flag = _WHEN_ASKED.get(server.engine)
    if server.engine in _ALWAYS or (flag is not None and server.command.has(flag)):
        return server.ports or frozenset()
    return frozenset()


def dcgm_exporters(pod: Pod) -> Iterator[Container]:
    """The containers that run a DCGM exporter."""
    for _, container in pod.spec.long_running():
        if "dcgm-exporter" in container.image:
            yield container


def _of_dcgm(container: Container) -> frozenset[int]:
    address: str | None = ":9400"
    entry = container.variable("DCGM_EXPORTER_LISTEN")
    if entry is not None:
        address = entry.value if entry.value_from is None else None
    try:
        for command in commands(container):
            address = command.value("--address", "-a") or address
    except Unknown:
        return frozenset()
    found = re.search(r":(\d+)\Z", address or "")
    return frozenset({int(found[1])}) if found else frozenset()


_PREFIXES = {"vllm": "vllm:", "simulator": "vllm:", "sglang": "sglang:", "tgi": "tgi_", "triton": "nv_"}


def metric_prefixes(pod: Pod) -> tuple[str, ...]:
    """How the names of the metrics start that the recognised programs of a pod serve."""
    found = [_PREFIXES[server.engine] for server in servers(pod) if server.engine in _PREFIXES]
    return tuple(found + ["DCGM_FI_" for _ in dcgm_exporters(pod)])
