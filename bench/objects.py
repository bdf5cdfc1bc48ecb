"""Synthetic platforms of any size, as plain objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]


def pods(count: int, namespace: str = "load") -> Iterator[Object]:
    """Model server pods in groups of ten, with the bulk that real ones have."""
    for number in range(count):
        group = f"model-{number // 10}"
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{group}-{number}",
                "namespace": namespace,
                "labels": {"app": group, "pod-template-hash": "5d4f8c7b9", "team": f"team-{number % 7}"},
                "annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z", "note": "x" * 800},
            },
            "spec": {
                "containers": [
                    {
                        "name": "vllm",
                        "image": "vllm/vllm-openai:v0.20.2",
                        "args": [
                            "--model",
                            f"/models/{group}",
                            "--port",
                            "8000",
                            *(f"--option-{i}=v" for i in range(20)),
                        ],
                        "env": [{"name": f"VARIABLE_{i}", "value": f"value-{i}"} for i in range(25)],
                        "ports": [{"name": "http", "containerPort": 8000}],
                        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
                    }
                ]
            },
        }


def services(count: int, namespace: str = "load") -> Iterator[Object]:
    """One Service per group of pods, as far as there are groups."""
    for number in range(count):
        yield {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": f"model-{number}", "namespace": namespace, "labels": {"app": f"model-{number}"}},
            "spec": {
                "selector": {"app": f"model-{number}"},
                "ports": [{"name": "http", "port": 80, "targetPort": 8000}],
            },
        }


def pools(count: int, namespace: str = "load") -> Iterator[Object]:
    """One pool per group of pods."""
    for number in range(count):
        yield {
            "apiVersion": "inference.networking.k8s.io/v1",
            "kind": "InferencePool",
            "metadata": {"name": f"model-{number}", "namespace": namespace},
            "spec": {
                "selector": {"matchLabels": {"app": f"model-{number}"}},
                "targetPorts": [{"number": 8000}],
                "endpointPickerRef": {"name": f"model-{number}", "port": {"number": 80}},
            },
        }


def routes(count: int, namespace: str = "load") -> Iterator[Object]:
    """One route per Service."""
    for number in range(count):
        yield {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": f"route-{number}", "namespace": namespace},
            "spec": {
                "parentRefs": [{"name": "gateway"}],
                "hostnames": [f"model-{number}.example.com"],
                "rules": [{"timeouts": {"request": "300s"}, "backendRefs": [{"name": f"model-{number}", "port": 80}]}],
            },
        }


def platform(pod_count: int, service_count: int, route_count: int, pool_count: int) -> Iterator[Object]:
    """Everything together."""
    yield from services(service_count)
    yield from pools(pool_count)
    yield from routes(route_count)
    yield from pods(pod_count)
