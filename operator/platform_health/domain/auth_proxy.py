"""oauth2-proxy: its options wherever they stand, and the Dex it asks.

Facts: oauth2-proxy 7 takes an option from its flag, else from ``OAUTH2_PROXY_<NAME>``, else from the file of
``--config``; an empty path of ``--redirect-url`` becomes ``<proxy-prefix>/callback``; the cookie secret must have 16,
24 or 32 bytes, as it is or decoded as URL-safe base64 (``pkg/encryption``, SecretBytes). Dex compares redirect URIs
exactly.
"""

from __future__ import annotations

import base64
import binascii
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from platform_health.documents.dex import DexConfig, dex_configs
from platform_health.documents.texts import Text
from platform_health.domain import environment, upstreams
from platform_health.domain.command import Command, commands
from platform_health.domain.config_users import LongRunning, usages
from platform_health.domain.images import image
from platform_health.domain.selection import pods_of_service
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import HOLDS_DEX, ConfigMap, Container
from platform_health.views.view import Path

_LENGTHS = (16, 24, 32)


class Option(NamedTuple):
    """One option: its value and where it stands in the workload."""

    value: str
    at: str


class AuthProxy(NamedTuple):
    """One oauth2-proxy container of a workload."""

    workload: LongRunning
    container: Container
    command: Command
    at: Path

    def option(self, name: str, inventory: Inventory) -> Option | None:
        """An option by the name of its flag, None where it is not set; Unknown where it is not literal."""
        flag = self._flag(name)
        if flag is not None:
            return flag
        variable = "OAUTH2_PROXY_" + name.upper().replace("-", "_")
        value = environment.text(self.container, (variable,), self.workload.namespace, inventory)
        if value is not None:
            return Option(value, self._variable_at(variable))
        value = self._file(inventory).get(name.replace("-", "_"))
        return Option(str(value), self.at / "args") if isinstance(value, str) else None

    def several(self, name: str, inventory: Inventory) -> list[Option]:
        """Every value of an option that may be given more than once."""
        values = self.command.values(f"--{name}", f"-{name}")
        if values:
            return [Option(value, self._argument_at(value)) for value in values]
        variables = tuple("OAUTH2_PROXY_" + word.upper().replace("-", "_") for word in (f"{name}s", name))
        value = environment.text(self.container, variables, self.workload.namespace, inventory)
        if value is not None:
            return [Option(part.strip(), self._variable_at(variables[0])) for part in value.split(",")]
        listed = self._file(inventory).get(f"{name}s".replace("-", "_"))
        return [Option(entry, self.at / "args") for entry in listed or () if isinstance(entry, str)]

    def _flag(self, name: str) -> Option | None:
        value = self.command.value(f"--{name}", f"-{name}")
        return Option(value, self._argument_at(value)) if value is not None else None

    def _argument_at(self, value: str) -> str:
        for field, words in (("args", self.container.args), ("command", self.container.command)):
            for index, word in enumerate(words):
                if word == value or word.endswith(f"={value}"):
                    return self.at / field / index
        return self.at / "args"

    def _variable_at(self, name: str) -> str:
        for index, entry in enumerate(self.container.env):
            if entry.name == name:
                return self.at / "env" / index
        return self.at / "envFrom"

    def _file(self, inventory: Inventory) -> dict[str, Any]:
        """The options of the file that ``--config`` names; Unknown where no ConfigMap that is known holds it."""
        path = self.command.value("--config", "-config")
        if path is None:
            return {}
        key = path.rpartition("/")[2]
        for usage in usages(self.workload):
            if usage.container is self.container and usage.way != "env" and usage.sees(key):
                config = inventory.named(ConfigMap, self.workload.namespace, usage.config)
                if config is not None and key in config.data:
                    return _toml(config.data[key])
        raise Unknown(f"the file {path} is not in a ConfigMap that is known")


@lru_cache(maxsize=16)
def _toml(content: str) -> dict[str, Any]:
    try:
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError:
        raise Unknown("the configuration file is no TOML") from None


def auth_proxies(workload: LongRunning) -> Iterator[AuthProxy]:
    """Every oauth2-proxy in the containers of a workload."""
    for path, template in workload.templates():
        for at, container in template.spec.long_running():
            for command in commands(container):
                is_its_image = command.from_image and "oauth2-proxy" in image(container.image).name
                if is_its_image or command.program == "oauth2-proxy":
                    yield AuthProxy(workload, container, command, path.join(at))


def issuer_of(proxy: AuthProxy, inventory: Inventory) -> Option | None:
    """The issuer that a proxy trusts, None where it does not ask an OpenID Connect issuer or does not compare it."""
    provider = proxy.option("provider", inventory)
    skips = proxy.command.has("--insecure-oidc-skip-issuer-verification", "--alpha-config")
    if skips or provider is None or provider.value != "oidc":
        return None
    return proxy.option("oidc-issuer-url", inventory)


def dex_of(issuer: str, namespace: str, inventory: Inventory) -> tuple[ConfigMap, Text, DexConfig] | None:
    """The Dex behind an issuer's URL: the one with this host, or the one whose pods its Service leads to."""
    host = urlsplit(issuer).hostname or ""
    found = [
        (config, text, dex)
        for config in inventory.modifying(ConfigMap, term=HOLDS_DEX)
        for text, dex in dex_configs(config)
    ]
    for entry in found:
        if host and urlsplit(entry[2].issuer).hostname == host:
            return entry
    mounted = _mounted_behind(issuer, namespace, inventory) if found else set()
    return next((entry for entry in found if (entry[0].namespace, entry[0].name) in mounted), None)


def _mounted_behind(issuer: str, namespace: str, inventory: Inventory) -> set[tuple[str, str]]:
    address = upstreams.address(issuer)
    if isinstance(address, upstreams.BadUrl):
        return set()
    place = upstreams.place(address.host, address.port, namespace)
    service = upstreams.service_at(place, inventory) if place is not None else None
    if service is None or service.is_external_name or service.selector is None:
        return set()
    return {
        (pod.namespace, volume.config_map.name)
        for pod in pods_of_service(service, inventory)
        for volume in pod.spec.volumes
        if volume.config_map is not None
    }


def redirect_of(proxy: AuthProxy, inventory: Inventory) -> Option | None:
    """The redirect URI that a proxy sends, None where it follows the request's host."""
    found = proxy.option("redirect-url", inventory)
    if found is None or urlsplit(found.value).path:
        return found
    prefix = proxy.option("proxy-prefix", inventory)
    return Option(f"{found.value}{prefix.value if prefix is not None else '/oauth2'}/callback", found.at)


def cookie_secret_length(secret: str) -> int | None:
    """How many bytes a cookie secret has, None where it has a length that the proxy takes."""
    text = secret.rstrip("=")
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if len(decoded) in _LENGTHS or len(secret.encode()) in _LENGTHS:
        return None
    return len(secret.encode())
