"""Which server a container runs, on which ports it listens, and which models it serves.

Facts (sources and READMEs of vLLM 0.33, SGLang 0.5, TGI 3, Triton 25, TensorRT-LLM 1, LiteLLM 1.83, llm-d-router 0.10,
llm-d-inference-sim): vLLM ``--port`` 8000 (``VLLM_PORT`` is not the API's), SGLang 30000, TGI's images 80, llama.cpp
unknown without a flag (8080 in older builds, 9931 in newer), Ollama 11434, LiteLLM 4000, Triton 8000/8001/8002,
trtllm-serve 8000, NIM 8000, Tabby 8080, the llm-d routing sidecar and the llm-d simulator 8000.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from platform_health.domain.command import Command, commands, is_literal
from platform_health.domain.images import image
from platform_health.inventory import Unknown
from platform_health.views.core import Container, EnvFrom, EnvVar, Pod
from platform_health.views.view import Path


class Server(NamedTuple):
    """A recognised server in a container.

    ``engine``: vllm, sglang, tgi, tei, llama.cpp, ollama, triton, trtllm, nim, simulator, tabby, litellm or sidecar.
    ``ports``: where it listens; None where that is not literal, empty where it serves no HTTP.
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

    @property
    def is_headless(self) -> bool:
        """Whether it only computes for another pod and answers no request (a follower of several nodes)."""
        return self.engine == "vllm" and self.command.has("--headless")

    @property
    def image(self) -> str:
        """The reference of the container's image."""
        return self.container.image


def servers(pod: Pod) -> Iterator[Server]:
    """Every recognised server in the long-running containers of a pod."""
    for at, container in pod.spec.long_running():
        yield from servers_of(container, at)


def model_servers(pod: Pod) -> list[Server]:
    """The recognised servers of a pod that run a model themselves."""
    return [found for found in servers(pod) if found.serves_model]


def server(container: Container, at: Path) -> Server | None:
    """The first server that a container runs, None where none is recognised."""
    return next(servers_of(container, at), None)


def servers_of(container: Container, at: Path) -> Iterator[Server]:
    """Every recognised server that a container runs; a script may start several."""
    for engine, command, ports in _recognised(
        container.image, container.command, container.args, container.env, container.env_from
    ):
        yield Server(engine, container, at, command, ports)


@lru_cache(maxsize=4096)
def _recognised(
    reference: str,
    command_line: tuple[str, ...],
    arguments: tuple[str, ...],
    env: tuple[EnvVar, ...],
    env_from: tuple[EnvFrom, ...],
) -> tuple[tuple[str, Command, frozenset[int] | None], ...]:
    """The engines, commands and ports of a container; the pods of one template are all alike."""
    container = Container(image=reference, command=command_line, args=arguments, env=env, env_from=env_from)
    found = []
    for command in commands(container):
        engine = _engine_of_image(container, command) if command.from_image else engine_of(command)
        if engine is None and _is_sidecar(reference) and command == commands(container)[-1]:
            engine = "sidecar"
        if engine is not None:
            found.append((engine, command, _ports(engine, command, container)))
    return tuple(found)


def is_understood(container: Container) -> bool:
    """Whether everything the container runs is a recognised server with known ports, or harmless beside one."""
    found = {entry.command: entry.ports for entry in servers_of(container, Path(""))}
    return all(
        found[command] is not None if command in found else is_harmless(command) for command in commands(container)
    )


def served_models(server: Server) -> frozenset[str] | None:
    """The model names that a server answers to, adapters included; None where that is not known.

    A server that loads adapters while it runs (``loads_adapters``) may answer to more.
    """
    names = base_models(server)
    return None if names is None else names | _adapters(server)


def base_models(server: Server) -> frozenset[str] | None:
    """The names of the base model that a server answers to; None where they are not literal, or any name will do."""
    reader = _MODELS.get(server.engine)
    names = reader(server.command) if reader else None
    if not names or not all(is_literal(name) for name in names):
        return None
    return frozenset(names)


def model_argument(server: Server) -> str | None:
    """The model that a server is told to load, a hub id or a path as it stands there; None where it is not told one."""
    flags = ("--model-path", "--model") if server.engine == "sglang" else ("--model", "--model-id")
    found = server.command.values(*flags)[-1:]
    if not found and server.engine in ("vllm", "simulator"):
        found = _positional(server.command)
    return found[0] if found else None


def loads_adapters(server: Server) -> bool:
    """Whether LoRA adapters may be loaded while the server runs."""
    entry = server.container.variable("VLLM_ALLOW_RUNTIME_LORA_UPDATING")
    asked = entry is not None and entry.value.lower() in ("true", "1")
    return asked or server.command.has("--enable-lora") or server.engine == "simulator"


# --- which program ---------------------------------------------------------------------------------------------------

_MODULES = {
    "vllm.entrypoints.openai.api_server": "vllm",
    "vllm.entrypoints.api_server": "vllm",
    "sglang.launch_server": "sglang",
    "tensorrt_llm.commands.serve": "trtllm",
    "llama_cpp.server": "llama.cpp",
}
_PROGRAMS = {
    "text-generation-launcher": "tgi",
    "text-embeddings-router": "tei",
    "llama-server": "llama.cpp",
    "litellm": "litellm",
    "tritonserver": "triton",
    "trtllm-serve": "trtllm",
    "llm-d-inference-sim": "simulator",
    "pd-sidecar": "sidecar",
    "tabby": "tabby",
    "tabby-cpu": "tabby",
}
_SUBCOMMANDS = {"vllm": "vllm", "sglang": "sglang", "ollama": "ollama"}
_LAUNCHERS = {"uv", "uvx", "conda", "mamba", "micromamba", "poetry", "mpirun", "numactl", "nsys", "ddtrace-run"}
_LAUNCHERS |= {"trtllm-llmapi-launch", "opentelemetry-instrument", "gosu", "su-exec", "unbuffer", "taskset", "nice"}
_HARMLESS = {
    "cd",
    "echo",
    "printf",
    "export",
    "set",
    "unset",
    "source",
    ".",
    "sleep",
    "wait",
    "mkdir",
    "cp",
    "mv",
    "ln",
}
_HARMLESS |= {
    "rm",
    "chmod",
    "chown",
    "ulimit",
    "trap",
    "test",
    "[",
    "[[",
    "true",
    "false",
    "exit",
    "return",
    "ls",
    "cat",
}
_HARMLESS |= {
    "env",
    "find",
    "nvidia-smi",
    "pip",
    "pip3",
    "apt-get",
    "apt",
    "git",
    "curl",
    "wget",
    "hf",
    "huggingface-cli",
}
_HARMLESS |= {
    "tail",
    "touch",
    "date",
    "for",
    "case",
    "id",
    "whoami",
    "hostname",
    "tee",
    "local",
    "shift",
    "read",
    "kill",
}


def engine_of(command: Command) -> str | None:
    """The engine that a command line starts, None where it starts none that is known."""
    if command.module in _MODULES:
        return _MODULES[command.module]
    if command.script.endswith("vllm/inference_api.py"):
        return "vllm"
    if command.program in _SUBCOMMANDS:
        return _SUBCOMMANDS[command.program] if command.arguments[:1] == ("serve",) else None
    if command.program in _LAUNCHERS:
        return _engine_behind(command)
    return _PROGRAMS.get(command.program)


def _engine_behind(command: Command) -> str | None:
    """The engine in a command line that begins with a launcher, such as ``uv run vllm serve``."""
    for index in range(1, len(command.words)):
        inner = Command(command.words[index:])
        if inner.program in _LAUNCHERS or inner.program.startswith("-"):
            continue
        engine = engine_of(inner)
        if engine is not None:
            return engine
    return None


def is_harmless(command: Command) -> bool:
    """Whether a command prepares or waits, and serves nothing."""
    return command.program in _HARMLESS


_NO_ENGINE = re.compile(
    r"scheduler|endpoint-picker|epp\b|router|gateway|sidecar|processor|autoscaler|modelservice|exporter|benchmark|"
    r"operator|controller|proxy|syncer|semantic|predictor|requester|cache|storage|agent|ui\b|metrics|launcher-populator"
)
_LLM_D = re.compile(r"llm-d(-(cuda|xpu|rocm|hpu|cpu|gaudi|tpu|aws|gcp|gb200|spyre|dev)[a-z0-9.-]*)?\Z")
_ENGINES_BY_IMAGE = (
    ("sglang", re.compile(r"sglang\Z|sglang-")),
    ("tgi", re.compile(r"text-generation-inference")),
    ("tei", re.compile(r"text-embeddings-inference")),
    ("ollama", re.compile(r"ollama\Z")),
    ("litellm", re.compile(r"litellm")),
    ("triton", re.compile(r"tritonserver")),
    ("llama.cpp", re.compile(r"llama\.cpp\Z")),
    ("tabby", re.compile(r"tabby\Z")),
    ("vllm", re.compile(r"vllm")),
    ("vllm", _LLM_D),
)


def _engine_of_image(container: Container, command: Command) -> str | None:
    """The engine that an image starts by itself; arguments that name another program are not the engine's."""
    reference = image(container.image)
    name = reference.name.lower()
    if "inference-sim" in name:
        return "simulator"
    if _is_sidecar(container.image):
        return "sidecar"
    if _NO_ENGINE.search(name) or command.has("--service-discovery", "--pool-name"):
        return None
    if "/nim/" in f"/{reference.repository}" and "riva" not in reference.repository:
        return "nim"
    if not _is_for_server(name, reference.tag, command):
        return None
    for engine, pattern in _ENGINES_BY_IMAGE:
        if pattern.search(name):
            return engine
    return "vllm" if command.has("--model") and command.has("--port") else None


def _is_for_server(name: str, tag: str, command: Command) -> bool:
    """Whether arguments without a command can be a server's: images with several entry points say which."""
    first = command.arguments[:1]
    if "llama.cpp" in name:
        return tag.startswith("server") or first == ("--server",)
    if "ollama" in name or "tabby" in name:
        return first in ((), ("serve",))
    return not first or not re.search(r"\.(sh|py)\Z", first[0])


def _is_sidecar(reference: str) -> bool:
    name = image(reference).name.lower()
    return any(mark in name for mark in ("routing-sidecar", "pd-sidecar", "routing-proxy", "disagg-sidecar"))


# --- which ports -----------------------------------------------------------------------------------------------------

PortReader = Callable[[Command, Container], frozenset[int] | None]


def _ports(engine: str, command: Command, container: Container) -> frozenset[int] | None:
    try:
        return _PORTS[engine](command, container)
    except Unknown:
        return None


def _by_flag(default: int | None, *variables: str, flags: Iterable[str] = ("--port",)) -> PortReader:
    def read(command: Command, container: Container) -> frozenset[int] | None:
        values = command.values(*flags)
        if values:
            return _numbers(values)
        for variable in variables:
            entry = container.variable(variable)
            if entry is not None:
                return _numbers([entry.value]) if entry.value_from is None else None
        if container.env_from and variables:
            return None
        return None if default is None else frozenset({default})

    return read


def _numbers(values: list[str]) -> frozenset[int] | None:
    return frozenset(map(int, values)) if all(value.isdigit() for value in values) else None


def _vllm(command: Command, container: Container) -> frozenset[int] | None:
    if command.has("--uds", "--headless"):
        return frozenset()
    if command.has("--config") and not command.values("--port"):
        return None
    default = 5000 if command.script.endswith("inference_api.py") else 8000
    ports = _by_flag(default)(command, container)
    if ports and command.has("--data-parallel-multi-port-external-lb"):
        return frozenset(port + rank for port in ports for rank in range(_ranks(command)))
    return ports


def _ranks(command: Command) -> int:
    local = command.number("--data-parallel-size-local", "-dpl")
    return local or command.number("--data-parallel-size", "-dp") or 1


def _sglang(command: Command, container: Container) -> frozenset[int] | None:
    if (command.number("--node-rank") or 0) > 0 or (command.has("--config") and not command.values("--port")):
        return None
    return _by_flag(30000)(command, container)


def _ranged(command: Command, container: Container) -> frozenset[int] | None:
    """A port, and one more for each further rank of data parallelism."""
    if command.has("--config") and not command.values("--port"):
        return None
    ports = _by_flag(8000)(command, container)
    count = command.number("--data-parallel-size") or 1
    return ports and frozenset(port + rank for port in ports for rank in range(count))


def _llama(command: Command, container: Container) -> frozenset[int] | None:
    return _by_flag(8000 if command.module else None, "LLAMA_ARG_PORT")(command, container)


def _ollama(command: Command, container: Container) -> frozenset[int] | None:
    entry = container.variable("OLLAMA_HOST")
    if entry is None:
        return None if container.env_from else frozenset({11434})
    if entry.value_from is not None or not is_literal(entry.value):
        return None
    found = re.search(r":(\d+)/?\Z", entry.value)
    return frozenset({int(found[1]) if found else 11434})


def _hugging_face(command: Command, container: Container) -> frozenset[int] | None:
    """The published images set PORT to 80; the launchers themselves have other defaults."""
    published = "/text-" in image(container.image).repository
    return _by_flag(80 if published else None, "PORT", flags=("--port", "-p"))(command, container)


def _triton(command: Command, container: Container) -> frozenset[int] | None:
    flags = (("--http-port", 8000, "--allow-http"), ("--grpc-port", 8001, "--allow-grpc"))
    listening = {
        command.number(flag) or default
        for flag, default, allowed in (*flags, ("--metrics-port", 8002, "--allow-metrics"))
        if (command.value(allowed) or "true").lower() not in ("false", "0")
    }
    return frozenset(listening)


_PORTS: dict[str, PortReader] = {
    "vllm": _vllm,
    "sglang": _sglang,
    "tgi": _hugging_face,
    "tei": _hugging_face,
    "llama.cpp": _llama,
    "ollama": _ollama,
    "litellm": _by_flag(4000, "PORT"),
    "triton": _triton,
    "trtllm": _by_flag(8000),
    "nim": _by_flag(8000, "NIM_SERVER_PORT", "NIM_HTTP_API_PORT"),
    "simulator": _ranged,
    "sidecar": _ranged,
    "tabby": _by_flag(8080),
}


# --- which models ----------------------------------------------------------------------------------------------------


def _vllm_models(command: Command) -> list[str]:
    names = command.several("--served-model-name")
    if names or command.has("--config"):
        return names
    return command.values("--model")[-1:] or _positional(command)


def _positional(command: Command) -> list[str]:
    """The model of ``vllm serve MODEL``: only where nothing stands before it that could take it as a value."""
    words = command.arguments
    if "serve" in words:
        words = words[words.index("serve") + 1 :]
    elif not command.from_image:
        return []
    return [words[0]] if words and not words[0].startswith("-") else []


def _sglang_models(command: Command) -> list[str]:
    return command.values("--served-model-name")[-1:] or command.values("--model-path", "--model")[-1:]


def _trtllm_models(command: Command) -> list[str]:
    return command.values("--served-model-name")[-1:]


_MODELS: dict[str, Callable[[Command], list[str]]] = {
    "vllm": _vllm_models,
    "simulator": _vllm_models,
    "sglang": _sglang_models,
    "trtllm": _trtllm_models,
}


def _adapters(server: Server) -> frozenset[str]:
    """The names of ``--lora-modules``: ``name=path`` or JSON with a ``name``."""
    names = set()
    for word in server.command.several("--lora-modules", "--lora-paths"):
        if word.startswith("{"):
            try:
                names.add(str(json.loads(word).get("name", "")))
            except ValueError:
                continue
        else:
            names.add(word.partition("=")[0])
    return frozenset(names - {""})
