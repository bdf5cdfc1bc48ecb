"""Which paths of a model server want a key, and whether one is configured.

Facts: vLLM ``AuthenticationMiddleware`` (/v1; 0.22.1 adds /v2 and /inference, 0.28 adds /cohere), SGLang (everything
but /health*, /ready*, /metrics*), llama.cpp ``server.cpp`` (everything but its public list), LiteLLM
``user_api_key_auth`` (/health asks every model; /health/liveliness and /health/readiness are open), Tabby
``authorize_request`` (/v1 and /v1beta in webserver mode, which is the default since 0.11). A GET of TGI, Triton or
Ollama never wants a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from platform_health.domain.command import is_literal
from platform_health.domain.environment import is_set
from platform_health.domain.images import image, version
from platform_health.domain.servers import Server
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import ConfigMap, Pod

KEY_HEADERS = (
    "authorization",
    "x-api-key",
    "api-key",
    "x-litellm-api-key",
    "x-goog-api-key",
    "ocp-apim-subscription-key",
)
"""Headers that carry a key."""

_LLAMA_PUBLIC = ("/health", "/v1/health", "/models", "/v1/models", "/api/tags", "/")
_VARIABLE = re.compile(r"\$[({]?([A-Za-z_][A-Za-z0-9_]*)")
_MASTER_KEY = re.compile(r"^\s*\"?master_key\"?\s*:\s*\S", re.MULTILINE)


class Guard(NamedTuple):
    """What an engine guards, how a key is configured, and what can be asked without one."""

    wants_key: Callable[[Server, str], bool]
    has_key: Callable[[Server, Pod, Inventory], bool]
    open_path: str
    open_for_liveness: str = ""


def guard(server: Server) -> Guard | None:
    """The guard of a server; None where its engine has none."""
    return _GUARDS.get(server.engine)


def is_guarded(server: Server, path: str, pod: Pod, inventory: Inventory) -> bool:
    """Whether a GET of this path is answered with 401 for want of a key; Unknown where that cannot be told."""
    found = guard(server)
    return found is not None and found.wants_key(server, _bare(path)) and found.has_key(server, pod, inventory)


def may_be_guarded(path: str, pod: Pod) -> bool:
    """Whether it is worth while to look for servers: only LiteLLM guards /health."""
    bare = _bare(path)
    if not bare.startswith("/health"):
        return True
    return bare in ("/health", "/health/services") and any(
        "litellm" in word
        for _, container in pod.spec.long_running()
        for word in (container.image, *container.command, *container.args)
    )


def _bare(path: str) -> str:
    bare = path.partition("?")[0]
    return bare.rstrip("/") or "/"


def _by_flag(flags: Iterable[str], *variables: str) -> Callable[[Server, Pod, Inventory], bool]:
    def has_key(server: Server, pod: Pod, inventory: Inventory) -> bool:
        values = server.command.several(*flags)
        if any(is_literal(value) and value for value in values):
            return True
        for value in values:
            names = _VARIABLE.findall(value)
            if not names:
                raise Unknown(f"a key of container {server.container.name} is not literal")
            if any(is_set(server.container, name, pod.namespace, inventory) for name in names):
                return True
        return any(is_set(server.container, name, pod.namespace, inventory) for name in variables)

    return has_key


def _vllm(server: Server, path: str) -> bool:
    prefixes = ["/v1"]
    known = version(server.image, "vllm") or (0,)
    if known >= (0, 22, 1):
        prefixes += ["/v2", "/inference"]
    if known >= (0, 28, 0):
        prefixes.append("/cohere")
    return path.startswith(tuple(prefixes))


def _sglang(server: Server, path: str) -> bool:
    return not path.startswith(("/health", "/ready", "/metrics"))


def _llama(server: Server, path: str) -> bool:
    return path not in _LLAMA_PUBLIC and path.startswith(("/v1", "/props", "/slots", "/metrics", "/completion"))


def _litellm(server: Server, path: str) -> bool:
    return path in ("/health", "/models", "/model/info", "/health/services") or path.startswith("/v1/")


def _litellm_key(server: Server, pod: Pod, inventory: Inventory) -> bool:
    entry = server.container.variable("LITELLM_MASTER_KEY")
    if entry is not None or not server.command.has("--config"):
        return is_set(server.container, "LITELLM_MASTER_KEY", pod.namespace, inventory)
    content = mounted_config(server, pod, inventory)
    if content is None:
        raise Unknown(f"the configuration of container {server.container.name} is not in a ConfigMap that is known")
    if _MASTER_KEY.search(content):
        return True
    return is_set(server.container, "LITELLM_MASTER_KEY", pod.namespace, inventory)


def mounted_config(server: Server, pod: Pod, inventory: Inventory) -> str | None:
    """The text of the file that ``--config`` names, where a mounted ConfigMap holds it."""
    path = server.command.value("--config") or ""
    for mount in server.container.volume_mounts:
        volume = next((entry for entry in pod.spec.volumes if entry.name == mount.name), None)
        if volume is None or volume.config_map is None or not path.startswith(mount.mount_path):
            continue
        rest = path.removeprefix(mount.mount_path).strip("/")
        file = "/".join(part for part in (mount.sub_path, rest) if part)
        key = next((item.key for item in volume.config_map.items if item.path == file), file)
        found = inventory.named(ConfigMap, pod.namespace, volume.config_map.name)
        return found.data.get(key) if found is not None else None
    return None


def _tabby(server: Server, path: str) -> bool:
    return path.startswith(("/v1/", "/v1beta/"))


def _tabby_key(server: Server, pod: Pod, inventory: Inventory) -> bool:
    known = image(server.image).version
    return not server.command.has("--no-webserver") and (known is None or known >= (0, 11, 0))


_GUARDS = {
    "vllm": Guard(_vllm, _by_flag(("--api-key",), "VLLM_API_KEY"), "/health"),
    "sglang": Guard(_sglang, _by_flag(("--api-key",)), "/health"),
    "llama.cpp": Guard(_llama, _by_flag(("--api-key", "--api-key-file"), "LLAMA_API_KEY"), "/health"),
    "litellm": Guard(_litellm, _litellm_key, "/health/readiness", "/health/liveliness"),
    "tabby": Guard(_tabby, _tabby_key, "/metrics"),
}
