"""Which server a container runs, where it listens and what it serves."""

from __future__ import annotations

import pytest

from platform_health.domain.servers import (
    base_models,
    is_understood,
    loads_adapters,
    model_servers,
    served_models,
    server,
    servers,
)
from platform_health.views.core import Container, ContainerPort, EnvFrom, EnvVar, Pod, PodSpec
from platform_health.views.view import Path

AT = Path("spec.containers[0]")
VLLM = "vllm/vllm-openai:v0.15.1"
API_SERVER = "vllm.entrypoints.openai.api_server"


def container(image: str = "", command: str = "", args: str = "", env: dict[str, str] | None = None) -> Container:
    return Container(
        image=image,
        command=tuple(command.split()),
        args=tuple(args.split()),
        env=tuple(EnvVar(name=name, value=value) for name, value in (env or {}).items()),
    )


def script(text: str, image: str = VLLM) -> Container:
    return Container(image=image, command=("bash", "-c"), args=(text,))


@pytest.mark.parametrize(
    ("given", "engine", "ports"),
    [
        (container(VLLM), "vllm", {8000}),
        (container(VLLM, args="--model m --port 8001"), "vllm", {8001}),
        (container(VLLM, args="--model m", env={"VLLM_PORT": "9000"}), "vllm", {8000}),
        (container("x", "/opt/venv/bin/vllm serve", "m --port=8200"), "vllm", {8200}),
        (container("x", f"python3 -m {API_SERVER}"), "vllm", {8000}),
        (container("x", "uv run vllm serve m --port 8005"), "vllm", {8005}),
        (container("x", args="--model m --port 8100"), "vllm", {8100}),
        (container("x", "vllm serve m --uds /tmp/s"), "vllm", set()),
        (container("x", "vllm serve m --headless"), "vllm", set()),
        (container("x", "vllm serve m --config /c.yaml"), "vllm", None),
        (container("x", "vllm serve m --config /c.yaml --port 81"), "vllm", {81}),
        (container("x", "vllm serve m -dp 2 --data-parallel-multi-port-external-lb"), "vllm", {8000, 8001}),
        (container("x", "python3 /workspace/vllm/inference_api.py"), "vllm", {5000}),
        (script("export A=b\nexec vllm serve m --port 8200"), "vllm", {8200}),
        (script("vllm serve m --port $PORT"), "vllm", None),
        (container("lmsysorg/sglang:latest", "python3 -m sglang.launch_server"), "sglang", {30000}),
        (container("x", "python3 -m sglang.launch_server --port=8000"), "sglang", {8000}),
        (container("x", "python3 -m sglang.launch_server --node-rank 1"), "sglang", None),
        (container("ghcr.io/huggingface/text-generation-inference:3.3.4"), "tgi", {80}),
        (container("ghcr.io/huggingface/text-generation-inference:3", env={"PORT": "8080"}), "tgi", {8080}),
        (
            container("nvcr.io/nvidia/tritonserver:25.08-py3", "tritonserver --http-port=9000"),
            "triton",
            {9000, 8001, 8002},
        ),
        (container("x", "trtllm-serve m --port 8080"), "trtllm", {8080}),
        (container("ghcr.io/ggml-org/llama.cpp:server", args="-m x"), "llama.cpp", None),
        (container("ghcr.io/ggml-org/llama.cpp:server", args="-m x --port 8080"), "llama.cpp", {8080}),
        (container("ollama/ollama:0.12"), "ollama", {11434}),
        (container("ollama/ollama", env={"OLLAMA_HOST": "0.0.0.0:8080"}), "ollama", {8080}),
        (container("ghcr.io/berriai/litellm:main-v1.83.0", args="--config /c --port 4100"), "litellm", {4100}),
        (container("ghcr.io/llm-d/llm-d-inference-sim:v0.8", args="--data-parallel-size 2"), "simulator", {8000, 8001}),
        (container("ghcr.io/llm-d/llm-d-routing-sidecar:v0.6", args="--port=8000"), "sidecar", {8000}),
        (container("ghcr.io/llm-d/llm-d-router-disagg-sidecar:v0.10.0"), "sidecar", {8000}),
        (container("nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8"), "nim", {8000}),
        (container("ghcr.io/llm-d/llm-d-cuda:v0.9.0", args="m --port 8200"), "vllm", {8200}),
    ],
)
def test_recognised(given: Container, engine: str, ports: set[int] | None) -> None:
    found = server(given, AT)
    assert found is not None
    assert found.engine == engine
    assert found.ports == (None if ports is None else frozenset(ports))


@pytest.mark.parametrize(
    "given",
    [
        container("lmcache/lmstack-router:latest", args="--port 8000 --service-discovery k8s --routing-logic session"),
        container("example.com/router:1", args="--port 8000 --model m --service-discovery static"),
        container("lmcache/vllm-openai:latest", "/opt/venv/bin/lmcache_server 0.0.0.0 8080"),
        container(VLLM, "python3 /workspace/health_probe.py"),
        container(VLLM, "ray start --head"),
        container(VLLM, "sleep infinity"),
        container("ghcr.io/llm-d/llm-d-inference-scheduler:v0.4", args="--pool-name p"),
        container("ghcr.io/llm-d/llm-d-latency-predictor-training-server:0.9.0"),
        container("ghcr.io/llm-d-incubation/llm-d-fast-model-actuation/requester:latest", "/app/requester"),
        container("ghcr.io/ggml-org/llama.cpp:full", args="--convert"),
        container("ollama/ollama", "ollama pull llama3"),
        container("busybox", "sh -c sleep"),
        container("lmcache/lmstack-lora-controller:latest", args="--leader-elect"),
    ],
)
def test_not_a_server(given: Container) -> None:
    assert server(given, AT) is None


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (container("x", "vllm serve org/m --port 1"), {"org/m"}),
        (container("x", "vllm serve --port 1 org/m"), None),
        (container(VLLM, args="--model org/m"), {"org/m"}),
        (container(VLLM, args="org/m --max-model-len 10"), {"org/m"}),
        (container(VLLM, args="--model org/m --served-model-name a b --port 1"), {"a", "b"}),
        (container(VLLM, args="--model org/m --enable-lora --lora-modules one=/a two=/b"), {"org/m", "one", "two"}),
        (container(VLLM, args="--model $(MODEL)"), None),
        (container(VLLM, args="--model $(MODEL)", env={"MODEL": "org/m"}), {"org/m"}),
        (container("x", "python3 -m sglang.launch_server --model-path org/m"), {"org/m"}),
        (container("ollama/ollama"), None),
        (container("ghcr.io/huggingface/text-generation-inference:3", args="--model-id org/m"), None),
    ],
)
def test_served_models(given: Container, names: set[str] | None) -> None:
    found = server(given, AT)
    assert found is not None
    assert served_models(found) == (None if names is None else frozenset(names))


def test_adapters_are_no_base_models() -> None:
    modules = '{"name": "one", "path": "/a", "base_model_name": "org/m"}'
    found = server(Container(image=VLLM, args=("--model", "org/m", "--enable-lora", "--lora-modules", modules)), AT)
    assert found is not None
    assert base_models(found) == {"org/m"}
    assert served_models(found) == {"org/m", "one"}
    assert loads_adapters(found)


def test_pod_with_a_sidecar() -> None:
    sidecar = Container(
        image="ghcr.io/llm-d/llm-d-routing-sidecar:v0.6", args=("--port=8000",), restart_policy="Always"
    )
    pod = Pod(spec=PodSpec(containers=(container("x", "vllm serve m --port 8200"),), init_containers=(sidecar,)))
    assert [entry.engine for entry in servers(pod)] == ["vllm", "sidecar"]
    assert [entry.engine for entry in model_servers(pod)] == ["vllm"]


def test_understood() -> None:
    assert is_understood(script("cd /x; export A=b; vllm serve m --port 1"))
    assert is_understood(container("busybox", "sleep infinity"))
    assert not is_understood(script("python proxy.py & vllm serve m --port 1"))
    assert not is_understood(script("vllm serve m --port $PORT"))
    assert not is_understood(Container(image="example.com/server", ports=(ContainerPort(container_port=1),)))
    assert server(Container(image="ollama/ollama", env_from=(EnvFrom(),)), AT).ports is None  # type: ignore[union-attr]
