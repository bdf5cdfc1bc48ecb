"""Environment variables of a container, wherever they come from: literal values, ConfigMaps, Secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from platform_health.domain.command import expanded, is_literal
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import ConfigMap, Container, EnvFrom, EnvVar, Secret

SOURCES = (ConfigMap, Secret)
"""The kinds that variables come from; whoever asks here needs them."""


def is_set(container: Container, name: str, namespace: str, inventory: Inventory) -> bool:
    """Whether a variable is set to something; Unknown where only a source that cannot be read would tell."""
    entry = container.variable(name)
    if entry is not None:
        return bool(entry.value) or _comes(entry, namespace, inventory)
    return any(_gives(source, name, namespace, inventory) for source in container.env_from)


def text(container: Container, names: Iterable[str], namespace: str, inventory: Inventory) -> str | None:
    """The value of the first of these variables that is set, None where none is; Unknown where it is not literal."""
    for name in names:
        for value in _values(container, name, namespace, inventory):
            if not is_literal(value):
                raise Unknown(f"the value of {name} is not literal")
            return value
    return None


def _values(container: Container, name: str, namespace: str, inventory: Inventory) -> Iterator[str]:
    entry = container.variable(name)
    if entry is not None:
        yield _value(entry, container, namespace, inventory)
        return
    for source in reversed(container.env_from):
        if _gives(source, name, namespace, inventory):
            if source.config_map_ref is None:
                raise Unknown(f"{name} comes from a Secret")
            found = inventory.named(ConfigMap, namespace, source.config_map_ref.name)
            if found is not None:
                yield found.data[name.removeprefix(source.prefix)]
                return


def _value(entry: EnvVar, container: Container, namespace: str, inventory: Inventory) -> str:
    if entry.value_from is None:
        return expanded(entry.value, container.env)
    selector = entry.value_from.config_map_key_ref
    if selector is None:
        raise Unknown(f"the value of {entry.name} is not literal")
    found = inventory.named(ConfigMap, namespace, selector.name)
    if found is None or selector.key not in found.data:
        raise Unknown(f"the value of {entry.name} is not in ConfigMap {namespace}/{selector.name}")
    return found.data[selector.key]


def _comes(entry: EnvVar, namespace: str, inventory: Inventory) -> bool:
    """Whether a reference gives a value. One that is not optional does: without it the container would not start."""
    source = entry.value_from
    if source is None:
        return False
    secret, config = source.secret_key_ref, source.config_map_key_ref
    if secret is not None and secret.optional:
        found = inventory.named(Secret, namespace, secret.name)
        return found is not None and secret.key in found.keys
    if config is not None and config.optional:
        values = inventory.named(ConfigMap, namespace, config.name)
        return values is not None and config.key in values.data
    return True


def _gives(source: EnvFrom, name: str, namespace: str, inventory: Inventory) -> bool:
    """Whether all keys of a ConfigMap or Secret as variables include this one."""
    if not name.startswith(source.prefix):
        return False
    key = name.removeprefix(source.prefix)
    if source.config_map_ref is not None:
        values = inventory.named(ConfigMap, namespace, source.config_map_ref.name)
        return values is not None and key in values.data
    if source.secret_ref is not None:
        found = inventory.named(Secret, namespace, source.secret_ref.name)
        return found is not None and key in found.keys
    return False
