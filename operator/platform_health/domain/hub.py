"""Where a model server takes its model from: the Hugging Face hub, its cache, and the token for it.

Facts: huggingface_hub 1.x (``constants.py``: HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, offline mode), vLLM ``--model`` and
``--download-dir``, SGLang ``--model-path``, TGI ``--model-id`` and ``MODEL_ID``. The official images hold no weights.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from platform_health.domain.command import is_literal
from platform_health.domain.environment import is_set, text
from platform_health.domain.images import program
from platform_health.domain.servers import Server, model_argument
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import Container, Pod, Volume, VolumeMount

TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN")
_TRUE = ("1", "on", "yes", "true")
_MIRRORS = ("HF_ENDPOINT", "VLLM_USE_MODELSCOPE", "SGLANG_USE_MODELSCOPE")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(:[\w.-]+)?\Z")
_MAY_BE_ID = re.compile(r"(?<![\w./-])[A-Za-z0-9][\w.-]*/[A-Za-z0-9]")
_LOOKS_LIKE_A_FOLDER = re.compile(
    r"(models?|data|weights|mnt|cache|checkpoints?|opt|srv|home|root|workspace)/", re.IGNORECASE
)
_DEFAULT_CACHE = "/root/.cache/huggingface/hub"
_ELSEWHERE = re.compile(r"/(root|home(/[^/]+)?)?\Z|\.cache|huggingface")


class Source(NamedTuple):
    """What a server loads from the hub, and where the hub's cache is."""

    server: Server
    model: str
    is_official: bool
    """Whether the image is known to hold no weights of its own."""


def may_ask_hub(pod: Pod) -> bool:
    """Whether it is worth while to look for servers: something in a command reads ``organisation/name``."""
    return any(
        _MAY_BE_ID.search(word)
        for _, container in pod.spec.long_running()
        for word in (*container.command, *container.args, *(entry.value for entry in container.env))
    )


def source(server: Server) -> Source | None:
    """What a server loads from the hub, None where it loads something else or its arguments do not say what."""
    if server.engine not in ("vllm", "sglang", "tgi") or "dummy" in server.command.values("--load-format"):
        return None
    entry = server.container.variable("MODEL_ID") if server.engine == "tgi" else None
    model = model_argument(server) or (entry.value if entry is not None else None)
    if model is None or not is_literal(model) or not is_hub_id(model):
        return None
    return Source(server, model, program(server.image) == server.engine)


def is_hub_id(model: str) -> bool:
    """Whether a model is named as ``organisation/name``, and not as a folder or a URL."""
    return _HUB_ID.match(model) is not None and _LOOKS_LIKE_A_FOLDER.match(model) is None


def is_offline(container: Container, namespace: str, inventory: Inventory) -> bool:
    """Whether the hub may not be asked; Unknown where only a source that cannot be read would tell."""
    values = [text(container, (name,), namespace, inventory) for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")]
    return any(value is not None and value.strip().lower() in _TRUE for value in values)


def uses_mirror(container: Container, namespace: str, inventory: Inventory) -> bool:
    """Whether the model comes from another hub."""
    return any(is_set(container, name, namespace, inventory) for name in _MIRRORS)


def has_token(server: Server, pod: Pod, inventory: Inventory) -> bool:
    """Whether the hub is asked with a token: from a variable, an argument, or a mounted Secret."""
    mounted = {mount.name for mount in server.container.volume_mounts}
    return (
        server.command.has("--hf-token")
        or any(volume.secret is not None or volume.csi for volume in pod.spec.volumes if volume.name in mounted)
        or any(is_set(server.container, name, pod.namespace, inventory) for name in (*TOKENS, "HF_TOKEN_PATH"))
    )


def has_cache(found: Source, pod: Pod, inventory: Inventory) -> bool:
    """Whether a volume that can hold the model at start is mounted at the cache, or at the working directory."""
    container = found.server.container
    mounts = [mount for mount in container.volume_mounts if _can_hold_model(mount, container, pod)]
    if not mounts:
        return False
    if container.working_dir and any(_overlap(mount.mount_path, container.working_dir) for mount in mounts):
        return True
    place = _cache(found, pod.namespace, inventory)
    if place is not None:
        return any(_overlap(mount.mount_path, place) for mount in mounts)
    if not found.is_official or found.server.engine == "tgi":
        return True
    return any(
        _overlap(mount.mount_path, _DEFAULT_CACHE) or _ELSEWHERE.search(mount.mount_path.rstrip("/"))
        for mount in mounts
    )


def _cache(found: Source, namespace: str, inventory: Inventory) -> str | None:
    """Where the cache is, None where the image decides it."""
    folders = found.server.command.values("--download-dir", "--huggingface-hub-cache")
    if folders:
        if not is_literal(folders[-1]):
            raise Unknown(f"the value of --download-dir is {folders[-1]!r}, which is not literal")
        return folders[-1]
    for names, below in (
        (("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE"), ""),
        (("HF_HOME",), "/hub"),
        (("XDG_CACHE_HOME",), "/huggingface/hub"),
        (("HOME",), "/.cache/huggingface/hub"),
    ):
        value = text(found.server.container, names, namespace, inventory)
        if value:
            return value.rstrip("/") + below
    return None


def _overlap(one: str, other: str) -> bool:
    left, right = one.rstrip("/") + "/", other.rstrip("/") + "/"
    return left.startswith(right) or right.startswith(left)


def _can_hold_model(mount: VolumeMount, container: Container, pod: Pod) -> bool:
    """Whether a mount may hold a model at start: every volume but configuration and an emptyDir that nobody fills."""
    volume = next((volume for volume in pod.spec.volumes if volume.name == mount.name), None)
    if volume is None:
        return True
    if volume.empty_dir is not None:
        return _others_mount(volume, container, pod)
    return volume.config_map is None and volume.secret is None and volume.projected is None


def _others_mount(volume: Volume, container: Container, pod: Pod) -> bool:
    return any(
        mount.name == volume.name
        for _, other in pod.spec.all_containers()
        if other is not container
        for mount in other.volume_mounts
    )
