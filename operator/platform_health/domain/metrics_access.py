"""Whether a scrape of a target would be answered, as far as the server itself decides it.

Facts: LiteLLM asks for a key from 1.84.0 on unless ``require_auth_for_metrics_endpoint: false``; the endpoint picker
unless ``--metrics-endpoint-auth=false``; llama.cpp where a key is set. Ollama has no ``/metrics``; SGLang needs
``--enable-metrics``, llama.cpp ``--metrics`` or LLAMA_ARG_ENDPOINT_METRICS.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from platform_health.domain.environment import is_set
from platform_health.domain.guarded import is_guarded, mounted_config
from platform_health.domain.images import image, program
from platform_health.domain.pickers import pickers_in
from platform_health.domain.servers import Server, servers
from platform_health.domain.targets import Target
from platform_health.inventory import Inventory, Unknown

_TOKEN = "add authorization.credentials with the key to the endpoint"  # noqa: S105 - words for people
_OPEN = re.compile(r"require_auth_for_metrics_endpoint[\"']?\s*:\s*(false|no|off)\b", re.IGNORECASE)


class Refused(NamedTuple):
    """Why a scrape is refused, with which status, and what would help."""

    because: str
    status: int
    remedy: str


def why_refused(target: Target, inventory: Inventory) -> Refused | None:
    """Why the scrape of a target is refused, None where it is answered or nothing is recognised; Unknown else."""
    for server in servers(target.pod):
        if server.ports is not None and target.address.port in server.ports:
            return _by_server(server, target, inventory)
    return _by_picker(target)


def _by_server(server: Server, target: Target, inventory: Inventory) -> Refused | None:
    bare = not target.endpoint.has_credentials
    if server.engine == "ollama":
        return Refused("Ollama has no /metrics", 404, "delete the endpoint")
    if server.engine == "sglang" and not server.command.has("--enable-metrics"):
        return Refused("SGLang serves /metrics only with --enable-metrics", 404, "start SGLang with --enable-metrics")
    if server.engine == "llama.cpp":
        return _by_llama(server, target, inventory, bare=bare)
    if server.engine == "litellm" and bare and _litellm_asks(server, target, inventory):
        return Refused("LiteLLM asks for a key from 1.84.0 on, the endpoint sends none", 401, _TOKEN)
    return None


def _by_llama(server: Server, target: Target, inventory: Inventory, *, bare: bool) -> Refused | None:
    asked = server.command.has("--metrics")
    if not asked and not is_set(server.container, "LLAMA_ARG_ENDPOINT_METRICS", target.pod.namespace, inventory):
        return Refused("llama.cpp serves /metrics only with --metrics", 404, "start llama.cpp with --metrics")
    if bare and is_guarded(server, "/metrics", target.pod, inventory):
        return Refused("llama.cpp asks for its API key, the endpoint sends none", 401, _TOKEN)
    return None


def _litellm_asks(server: Server, target: Target, inventory: Inventory) -> bool:
    reference = server.container.image
    found = re.search(r"v?(\d+)\.(\d+)\.(\d+)", image(reference).tag) if program(reference) == "litellm" else None
    if found is None:
        raise Unknown(f"the version of LiteLLM in {reference} is not known")
    if tuple(map(int, found.groups())) < (1, 84, 0):
        return False
    if not server.command.has("--config"):
        return True
    content = mounted_config(server, target.pod, inventory)
    if content is None:
        raise Unknown(f"the configuration of {target.pod.workload} is not in a ConfigMap that is known")
    return _OPEN.search(content) is None


def _by_picker(target: Target) -> Refused | None:
    if target.endpoint.has_credentials:
        return None
    for picker in pickers_in(target.pod):
        sure = picker.is_gie("1.0.0") or picker.is_router()
        asks = picker.flag("metrics-endpoint-auth") is not None or sure
        if asks and target.address.port == picker.metrics_port and picker.switch("metrics-endpoint-auth", True):
            return Refused("the endpoint picker asks for a token, the endpoint sends none", 401, _TOKEN)
    return None
