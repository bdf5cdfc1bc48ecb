"""On which ports a pod can be reached, and which of its servers listen on the loopback address alone.

Facts: only an address that is written down counts; vLLM, TGI, LiteLLM and Tabby listen everywhere; the official
images of Ollama and llama.cpp set OLLAMA_HOST and LLAMA_ARG_HOST to 0.0.0.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from platform_health.domain.command import is_literal
from platform_health.domain.images import program
from platform_health.domain.meshes import is_meshed
from platform_health.domain.servers import Server, is_understood, servers_of
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import Container, Pod

_LOOPBACK = re.compile(r"(?:https?://)?(?:127\.\d+\.\d+\.\d+|localhost|\[::1\]|::1\Z)(?::\d+)?/?\Z")
_KNOWN_IMAGES = re.compile(
    r"(^|/)(ollama/ollama|tabbyml/tabby|ghcr\.io/llm-d/[a-z0-9-]+|nvcr\.io/nim/.+|nvcr\.io/nvidia/tritonserver"
    r"|ghcr\.io/huggingface/text-embeddings-inference)(:|@|$)"
)
"""Images that start their server on its default port, beside the official ones."""
_REVISIONS = (
    "pod-template-hash",
    "rollouts-pod-template-hash",
    "controller-revision-hash",
    "leaderworkerset.sigs.k8s.io/template-revision-hash",
    "leaderworkerset.sigs.k8s.io/worker-index",
)
_HOST_VARIABLES = {"ollama": "OLLAMA_HOST", "llama.cpp": "LLAMA_ARG_HOST", "trtllm": ""}
_HOST_FLAGS = {"tgi": "--hostname", "tei": "--hostname"}
_FLAGGED = ("vllm", "sglang", "tgi", "tei", "llama.cpp", "litellm", "tabby", "trtllm", "simulator")


class Listening(NamedTuple):
    """What is known of a pod's ports. ``local`` are the servers that only the pod itself can reach."""

    pod: Pod
    servers: tuple[Server, ...]
    local: tuple[Server, ...]
    ports: frozenset[int]
    """Every TCP port on which something can be reached from outside."""
    opaque: str
    """Why more ports may be open, empty where these are all."""

    @property
    def server_ports(self) -> frozenset[int]:
        """The ports of the reachable servers."""
        return frozenset(port for server in self.servers if server not in self.local for port in server.ports or ())

    def may_reach(self, port: int) -> bool:
        """Whether something listens on this port; Unknown where something that is not understood may."""
        if port in self.ports:
            return True
        if self.opaque:
            raise Unknown(self.opaque)
        own = any(port in (server.ports or ()) for server in self.local)
        if not own and _is_mentioned(port, self.pod):
            raise Unknown(f"port {port} stands in the arguments or variables of {self.pod.workload}")
        return False


def listening(pod: Pod, inventory: Inventory) -> Listening:
    """On which ports the containers of a pod listen."""
    found: list[Server] = []
    ports: set[int] = set()
    opaque = ""
    for at, container in pod.spec.long_running():
        servers = list(servers_of(container, at))
        found += servers
        if not servers:
            ports |= _declared(container)
            opaque = opaque or _why_opaque(container)
        elif not is_understood(container) or not all(_is_sure(server) for server in servers):
            opaque = opaque or f"it is not known on which ports container {container.name} listens"
    local = tuple(server for server in found if is_local(server))
    for server in found:
        if server not in local:
            ports |= server.ports or frozenset()
    if local and is_meshed(pod, inventory):
        opaque = opaque or f"the mesh proxy of {pod.workload} may pass traffic on to the loopback address"
    return Listening(pod, tuple(found), local, frozenset(ports | _answering(pod)), opaque)


def one_per_template(pods: Iterable[Pod]) -> list[Pod]:
    """One pod for each revision of each template, a Ready one where there is any: the others listen as it does."""
    found: dict[tuple[object, ...], Pod] = {}
    for pod in pods:
        key = (pod.workload, pod.origin_path, *(pod.labels.get(label) for label in _REVISIONS))
        if key not in found or (pod.is_ready and not found[key].is_ready):
            found[key] = pod
    return list(found.values())


def _is_sure(server: Server) -> bool:
    """Whether the port is the server's own choice, and not that of an image that is not known."""
    command, official = server.command, program(server.image) is not None
    if official or command.has("--port", "-p", "--http-port") or _KNOWN_IMAGES.search(server.image):
        return True
    return not command.from_image and server.engine not in ("tgi", "tei")


def _declared(container: Container) -> set[int]:
    return {entry.container_port for entry in container.ports if entry.protocol == "TCP"}


def _why_opaque(container: Container) -> str:
    if container.ports or (container.command and is_understood(container)):
        return ""
    return f"it is not known on which ports container {container.name} listens"


def _answering(pod: Pod) -> set[int]:
    """The ports that probes of ready containers ask: something answers there."""
    ready = {status.name for status in pod.status.container_statuses if status.ready}
    asked: set[int] = set()
    for _, container in pod.spec.long_running():
        probe = container.readiness_probe
        port = probe.port if probe is not None else None
        number = container.port_number(port) if port is not None else None
        if container.name in ready and number is not None:
            asked.add(number)
    return asked


def _is_mentioned(port: int, pod: Pod) -> bool:
    """Whether a number stands in some argument or variable, so that something may listen there after all."""
    pattern = re.compile(rf"(?<![\d.]){port}(?![\d.]*\d)")
    return any(
        pattern.search(word)
        for _, container in pod.spec.long_running()
        for word in (*container.command, *container.args, *(entry.value for entry in container.env))
    )


def is_local(server: Server) -> bool:
    """Whether a server certainly listens on the loopback address alone."""
    host = _host(server)
    return host is not None and is_literal(host) and _LOOPBACK.match(host.strip()) is not None


def _host(server: Server) -> str | None:
    """The address that a server is told to listen on, None where it is not told one."""
    if server.engine in _FLAGGED:
        values = server.command.values(_HOST_FLAGS.get(server.engine, "--host"))
        if values:
            return values[-1]
    variable = _HOST_VARIABLES.get(server.engine, "")
    entry = server.container.variable(variable) if variable else None
    if entry is not None:
        return entry.value if entry.value_from is None else None
    return None
