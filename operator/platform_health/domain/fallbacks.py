"""Fallbacks of routers: which name nothing, and which nobody reads."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.documents.litellm import LiteLLMConfig, Name
from platform_health.documents.router import router_configs
from platform_health.documents.texts import Text
from platform_health.domain import environment
from platform_health.domain.config_users import WORKLOADS, users
from platform_health.domain.routers import mounted, readers
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import ConfigMap
from platform_health.views.view import View

_BUCKET = "LITELLM_CONFIG_BUCKET_NAME"
_STORE = "STORE_MODEL_IN_DB"


def undefined(config: LiteLLMConfig) -> Iterator[tuple[Name, str]]:
    """The names in fallbacks that no model answers to, each with the model group it is a fallback of.

    The group is empty for a default fallback, and the name itself where nobody can ask for the group.
    """
    for fallback in config.fallbacks:
        group = fallback.group
        if group is not None and not config.is_called(group.name):
            yield group, group.name
        for target in fallback.targets:
            if not config.is_defined(target.name):
                yield target, group.name if group is not None else ""


def has_other_models(config: LiteLLMConfig, text: Text, subject: View, inventory: Inventory) -> bool:
    """Whether models may be defined elsewhere too: in a database, a bucket or an included file."""
    if config.stores_models or config.has_includes or not config.models:
        return True
    for usage in readers(subject, text, inventory):
        namespace = usage.workload.namespace
        if environment.is_set(usage.container, _BUCKET, namespace, inventory):
            return True
        try:
            stored = environment.text(usage.container, (_STORE,), namespace, inventory)
        except Unknown:
            return True
        if stored is not None and stored.lower() == "true":
            return True
    return config.environment.get(_STORE, "").lower() == "true"


def unread(config: ConfigMap, inventory: Inventory) -> Iterator[tuple[Text, str]]:
    """The texts with fallbacks that no router reads, and why: a key that is not mounted, or a whole ConfigMap."""
    found = users(config, inventory)
    pieces = list(router_configs(config))
    for text, router in pieces:
        if not any(True for _ in router.promised()) or any(usage.sees(text.key) for usage in found):
            continue
        reader = next((usage for usage in found for other, _ in pieces if usage.sees(other.key)), None)
        if reader is not None:
            yield text, f"{reader.workload.ref} does not mount key {text.key}, which defines the fallback"
        elif not found and not router.backends and (owner := _reader_of_backends(config, inventory)):
            yield text, f"{owner} reads its backends elsewhere and does not mount this ConfigMap with the fallback"


def _reader_of_backends(config: ConfigMap, inventory: Inventory) -> str | None:
    """The one workload whose router has backends and no rules at all, so that these rules were meant for it."""
    owners = []
    for kind in WORKLOADS:
        for workload in inventory.modifying(kind, config.namespace):
            pieces = mounted(workload, inventory)
            if any(piece.config.backends for piece in pieces):
                owners.append((str(workload.ref), any(piece.config.rules for piece in pieces)))
    return owners[0][0] if len(owners) == 1 and not owners[0][1] else None
