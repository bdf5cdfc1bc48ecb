"""Which server a container runs, and on which ports it listens.

Facts: vLLM ``--port`` 8000 (``VLLM_PORT`` is not the API's), SGLang 30000, TGI images 80, llama.cpp unknown without a
flag (8080 in older builds, 9931 in newer), Ollama 11434, LiteLLM 4000, Triton 8000/8001/8002, the llm-d routing sidecar
8000, the llm-d simulator 8000 (their sources and READMEs; vLLM 0.33, SGLang 0.5, TGI 3, LiteLLM 1.83, Triton 25).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from platform_health.domain.command import Command, commands, is_literal
from platform_health.domain.images import image
from platform_health.inventory import Unknown
from platform_health.views.core import Container, Pod
from platform_health.views.view import Path


class Server(NamedTuple):
    """A recognised server in a container.

    ``engine``: vllm, sglang, tgi, llama.cpp, ollama, litellm, triton, trtllm, simulator, sidecar or tabby.
    ``ports``: where it listens; None where that is not literal.
    """

    engine: str
    container: Container
    at: Path
    command: Command
    ports: frozenset[int] | None

    @property
    def serves_model(self) -> bool:
        """Whether it runs a model itself (a sidecar and LiteLLM only pass requests on)."""
        return self.engine not in ("sidecar", "litellm")


_NOT_ENGINES = (
    "scheduler",
    "endpoint-picker",
    "epp",
    "router",
    "sidecar",
    "payload-processor",
    "autoscaler",
    "modelservice",
)
_VLLM_MODULES = (
    "vllm.entrypoints.openai.api_server",
    "vllm.entrypoints.api_server",
    "vllm.entrypoints.openai.run_batch",
)


def servers(pod: Pod) -> Iterator[Server]:
    """Every recognised server in the long-running containers of a pod."""
    for at, container in pod.spec.long_running():
        found = server(container, at)
        if found is not None:
            yield found


def model_servers(pod: Pod) -> list[Server]:
    """The recognised servers of a pod that run a model themselves."""
    return [found for found in servers(pod) if found.serves_model]


def server(container: Container, at: Path) -> Server | None:
    """The server that a container runs, None where it is not recognised."""
    for command in commands(container):
        engine = _engine_of_image(container, command) if command.from_image else _engine_of_program(command)
        if engine is not None:
            return Server(engine, container, at, command, _ports(engine, command, container))
    if _is_sidecar(container.image):
        command = commands(container)[0]
        return Server("sidecar", container, at, command, _ports("sidecar", command, container))
    return None


def _engine_of_program(command: Command) -> str | None:
    program, module, words = command.program, command.module, command.arguments
    if (program == "vllm" and words[:1] == ("serve",)) or module in _VLLM_MODULES:
        return "vllm"
    if module == "sglang.launch_server" or (program == "sglang" and words[:1] == ("serve",)):
        return "sglang"
    by_program = {
        "text-generation-launcher": "tgi",
        "llama-server": "llama.cpp",
        "litellm": "litellm",
        "tritonserver": "triton",
        "trtllm-serve": "trtllm",
        "llm-d-inference-sim": "simulator",
        "pd-sidecar": "sidecar",
        "tabby": "tabby",
    }
    if program == "ollama":
        return "ollama" if words[:1] == ("serve",) else None
    return by_program.get(program)


def _engine_of_image(container: Container, command: Command) -> str | None:
    repository = image(container.image).repository.lower()
    name = repository.rpartition("/")[2]
    if "inference-sim" in name:
        return "simulator"
    if _is_sidecar(container.image):
        return "sidecar"
    if any(word in name for word in _NOT_ENGINES):
        return None
    for engine, mark in (
        ("sglang", "sglang"),
        ("tgi", "text-generation-inference"),
        ("ollama", "ollama"),
        ("litellm", "litellm"),
        ("triton", "tritonserver"),
        ("llama.cpp", "llama.cpp"),
        ("tabby", "tabby"),
    ):
        if mark in name:
            return engine
    if "vllm" in repository or "llm-d" in name or (command.has("--model") and command.has("--port")):
        return "vllm"
    return None


def _is_sidecar(reference: str) -> bool:
    name = image(reference).name.lower()
    return "routing-sidecar" in name or "pd-sidecar" in name or "routing-proxy" in name or "disagg-sidecar" in name


def _ports(engine: str, command: Command, container: Container) -> frozenset[int] | None:
    try:
        return _PORTS.get(engine, _by_flag(8000))(command, container)
    except Unknown:
        return None


PortReader = Callable[[Command, Container], frozenset[int] | None]


def _by_flag(default: int | None, variable: str | None = None) -> PortReader:
    def read(command: Command, container: Container) -> frozenset[int] | None:
        values = command.values("--port", "-p")
        if any(not is_literal(value) or not value.isdigit() for value in values):
            return None
        if values:
            return frozenset(int(value) for value in values)
        entry = container.variable(variable) if variable else None
        if entry is not None:
            return frozenset({int(entry.value)}) if entry.value_from is None and entry.value.isdigit() else None
        return None if default is None else frozenset({default})

    return read


def _vllm(command: Command, container: Container) -> frozenset[int] | None:
    if command.has("--uds", "--headless"):
        return frozenset()
    if command.has("--config"):
        return None
    ports = _by_flag(8000)(command, container)
    if ports and command.has("--data-parallel-multi-port-external-lb"):
        count = (
            command.number("--data-parallel-size-local", "-dpl") or command.number("--data-parallel-size", "-dp") or 1
        )
        return frozenset(port + rank for port in ports for rank in range(count))
    return ports


def _sidecar(command: Command, container: Container) -> frozenset[int] | None:
    port = command.number("--port") or 8000
    return frozenset(range(port, port + (command.number("--data-parallel-size") or 1)))


def _ollama(command: Command, container: Container) -> frozenset[int] | None:
    entry = container.variable("OLLAMA_HOST")
    if entry is None:
        return frozenset({11434})
    if entry.value_from is not None:
        return None
    found = re.search(r":(\d+)\Z", entry.value)
    return frozenset({int(found[1])}) if found else frozenset({11434})


def _triton(command: Command, container: Container) -> frozenset[int] | None:
    return frozenset(
        command.number(flag) or default
        for flag, default in (("--http-port", 8000), ("--grpc-port", 8001), ("--metrics-port", 8002))
    )


_PORTS: dict[str, PortReader] = {
    "vllm": _vllm,
    "sglang": _by_flag(30000),
    "tgi": _by_flag(80, "PORT"),
    "llama.cpp": _by_flag(None, "LLAMA_ARG_PORT"),
    "ollama": _ollama,
    "litellm": _by_flag(4000, "PORT"),
    "triton": _triton,
    "sidecar": _sidecar,
    "tabby": _by_flag(8080),
}
