"""Which Jobs warm models up, which words are hub ids, and where a pod can be reached."""

from __future__ import annotations

import msgspec
import pytest

from platform_health.domain.hub import is_hub_id
from platform_health.domain.reachable import is_local
from platform_health.domain.servers import servers_of
from platform_health.domain.warmup import warms_up
from platform_health.views.apps import Job
from platform_health.views.core import Container, EnvVar
from platform_health.views.view import Path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", True),
        ("unsloth/gemma-3-4b-it-GGUF:Q4_K_M", True),
        ("/models/llama", False),
        ("./llama", False),
        ("models/llama", False),
        ("s3://bucket/llama", False),
        ("llama", False),
        ("a/b/c", False),
    ],
)
def test_is_hub_id(name: str, expected: bool) -> None:
    assert is_hub_id(name) is expected


def job(name: str, image: str = "busybox:1", *command: str) -> Job:
    container = {"name": "main", "image": image, "command": list(command)}
    return msgspec.convert(
        {"metadata": {"name": name}, "spec": {"template": {"spec": {"containers": [container]}}}}, Job
    )


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (job("llama-warmup"), True),
        (job("model-download"), True),
        (job("ollama-pull-qwen"), True),
        (job("post-install", "curlimages/curl:8", "curl", "-f", "http://llama/v1/chat/completions"), True),
        (job("stage", "python:3.12", "sh", "-c", "hf download Qwen/Qwen3-8B"), True),
        (job("stage", "python:3.12", "python", "-c", "from huggingface_hub import snapshot_download"), True),
        (job("cache-warmup", "registry.example.com/shop/warmer:1"), False),
        (job("vault-init", "curlimages/curl:8", "curl", "http://vault:8200/v1/secret/data/x"), False),
        (job("model-migrate", "registry.example.com/shop/db:1"), False),
    ],
    ids=lambda value: value.name if isinstance(value, Job) else "",
)
def test_warms_up(subject: Job, expected: bool) -> None:
    assert warms_up(subject) is expected


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        (Container(image="ollama/ollama:0.12", env=(EnvVar(name="OLLAMA_HOST", value="127.0.0.1"),)), True),
        (
            Container(image="ollama/ollama:0.12", env=(EnvVar(name="OLLAMA_HOST", value="http://localhost:11434"),)),
            True,
        ),
        (Container(image="ollama/ollama:0.12", env=(EnvVar(name="OLLAMA_HOST", value="0.0.0.0:11434"),)), False),
        (Container(image="ollama/ollama:0.12", env=(EnvVar(name="OLLAMA_HOST", value=":11434"),)), False),
        (Container(image="ollama/ollama:0.12"), False),
        (Container(command=("vllm", "serve", "/m", "--host", "localhost")), True),
        (Container(command=("vllm", "serve", "/m", "--host", "::")), False),
        (Container(command=("vllm", "serve", "/m", "--host", "$(POD_IP)")), False),
        (Container(command=("python3", "-m", "sglang.launch_server", "--model-path", "/m")), False),
        (Container(command=("python3", "-m", "sglang.launch_server", "--model-path", "/m", "--config", "/c")), False),
        (Container(command=("sh", "-c", "python3 -m sglang.launch_server $ARGS")), False),
        (Container(command=("llama-server", "-m", "/m.gguf")), False),
    ],
)
def test_is_local(container: Container, expected: bool) -> None:
    assert [is_local(server) for server in servers_of(container, Path(""))] == [expected]
