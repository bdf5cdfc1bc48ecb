"""Which models answer behind an upstream, where its pods are known to run vLLM and nothing in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from platform_health.domain import upstreams
from platform_health.domain.routers import Upstream
from platform_health.domain.selection import pods_of_service
from platform_health.domain.servers import Server, loads_adapters, served_models, servers
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import Pod, Service, ServicePort

_JUDGED = ("", "openai", "hosted_vllm", "text-completion-openai", "static")


class Answer(NamedTuple):
    """What answers. ``models`` is None where names cannot be told; ``needs_v1``: the upstream's path lacks ``/v1``."""

    service: Service
    models: frozenset[str] | None
    needs_v1: bool


def misplaced_path(upstream: Upstream) -> str | None:
    """Why the path cannot be right whoever answers: Ollama's own API under ``/v1``."""
    address = upstreams.address(upstream.url)
    if upstream.provider not in ("ollama", "ollama_chat") or isinstance(address, upstreams.BadUrl):
        return None
    if not address.path.rstrip("/").endswith("/v1"):
        return None
    return f"{upstream.title} speaks Ollama's own API, which is not under /v1; end api_base with the port"


def answers(upstream: Upstream, inventory: Inventory) -> Answer | None:
    """What answers, None where nothing is to be judged; Unknown where something else than vLLM may answer."""
    address = upstreams.address(upstream.url)
    if upstream.provider not in _JUDGED or "*" in upstream.model or isinstance(address, upstreams.BadUrl):
        return None
    place = upstreams.place(address.host, address.port, upstream.namespace)
    service = upstreams.service_at(place, inventory) if place is not None else None
    port = service.port(address.port) if service is not None else None
    if service is None or service.is_external_name or (port is None and not service.is_headless):
        return None
    found = [_answering(pod, port, address.port) for pod in pods_of_service(service, inventory)]
    if not found:
        return None
    engines = [server for server in found if server is not None]
    if len(engines) < len(found):
        raise Unknown(f"what answers behind {service.ref} is not known to be vLLM")
    is_rooted = any(server.command.has("--root-path", "--config") for server in engines)
    return Answer(service, _models(engines), "/v1" not in address.path and not is_rooted)


def _answering(pod: Pod, port: ServicePort | None, number: int) -> Server | None:
    """The vLLM that a request to this port of the Service reaches; None where it reaches something else."""
    target = pod.port_number(port.target if port is not None else number)
    listening = [server for server in servers(pod) if server.ports is None or target in server.ports]
    others = list(_other_declarers(pod, listening, target))
    if len(listening) != 1 or listening[0].engine != "vllm" or listening[0].ports is None or others:
        return None
    return listening[0]


def _other_declarers(pod: Pod, listening: list[Server], target: int | None) -> Iterator[str]:
    known = {server.container.name for server in listening}
    for _, container in pod.spec.long_running():
        if container.name not in known and any(port.container_port == target for port in container.ports):
            yield container.name


def _models(engines: list[Server]) -> frozenset[str] | None:
    names: set[str] = set()
    for server in engines:
        models = served_models(server)
        if models is None or _may_load_more(server):
            return None
        names |= models
    return frozenset(names)


def _may_load_more(server: Server) -> bool:
    """Whether adapters may come while it runs: by its API, or by a plugin where none is named at its start."""
    entry = server.container.variable("VLLM_ALLOW_RUNTIME_LORA_UPDATING")
    is_open = entry is not None and entry.value.lower() not in ("", "0", "false")
    return is_open or (loads_adapters(server) and not server.command.has("--lora-modules"))
