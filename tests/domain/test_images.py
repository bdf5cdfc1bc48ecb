"""Versions count in official images only."""

from __future__ import annotations

import pytest

from platform_health.domain.images import image, release, version


@pytest.mark.parametrize(
    ("reference", "repository", "tag"),
    [
        ("vllm/vllm-openai", "vllm/vllm-openai", "latest"),
        ("registry:5000/vllm/vllm-openai:v0.15.1", "registry:5000/vllm/vllm-openai", "v0.15.1"),
        ("vllm/vllm-openai:v0.15.1@sha256:12", "vllm/vllm-openai", "v0.15.1"),
        ("vllm/vllm-openai@sha256:12", "vllm/vllm-openai", ""),
        ("registry:5000/vllm", "registry:5000/vllm", "latest"),
    ],
)
def test_taken_apart(reference: str, repository: str, tag: str) -> None:
    assert image(reference) == (repository, tag)


@pytest.mark.parametrize(
    ("reference", "program", "number"),
    [
        ("vllm/vllm-openai:v0.15.1", "vllm", (0, 15, 1)),
        ("docker.io/vllm/vllm-openai-cpu:v0.23.0@sha256:1", "vllm", (0, 23, 0)),
        ("registry.example.com/mirror/vllm/vllm-openai:0.8.5.post1", "vllm", (0, 8, 5)),
        ("intel/vllm:0.10.0-xpu", "vllm", (0, 10, 0)),
        ("vllm/vllm-openai:v0.19.0-cu130", "vllm", (0, 19, 0)),
        ("registry.k8s.io/gateway-api-inference-extension/epp:v1.5.0", "gie", (1, 5, 0)),
        ("ghcr.io/llm-d/llm-d-router-endpoint-picker:v0.10.0", "llm-d-router", (0, 10, 0)),
    ],
)
def test_official(reference: str, program: str, number: tuple[int, int, int]) -> None:
    assert release(reference) == (program, number)
    assert version(reference, program) == number
    assert version(reference, "other") is None


@pytest.mark.parametrize(
    "reference",
    [
        "vllm/vllm-openai:latest",
        "vllm/vllm-openai:nightly-0.15.1",
        "vllm/vllm-openai:v0.12.0rc1",
        "vllm/vllm-openai:v0.12.0-rc.1",
        "lmcache/vllm-openai:v0.3.9",
        "opea/vllm-gaudi:1.22.0",
        "ghcr.io/llm-d/llm-d-cuda:v0.9.0",
        "ghcr.io/llm-d/llm-d-inference-scheduler:v0.4.0",
        "registry.k8s.io/gateway-api-inference-extension/epp:main",
        "registry.k8s.io/gateway-api-inference-extension/lwepp:v1.6.0",
        "example.com/epp:v1.5.0",
    ],
)
def test_no_release(reference: str) -> None:
    assert release(reference) is None
