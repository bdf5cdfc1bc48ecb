"""What is wrong with a router's configuration in itself: texts that do not parse, URLs, ports, names, variables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from platform_health.documents.litellm import ENVIRONMENT, EnvReference, LiteLLMConfig
from platform_health.documents.router import RouterConfig
from platform_health.documents.texts import Broken, Text, texts
from platform_health.domain import environment
from platform_health.domain.command import commands
from platform_health.domain.config_users import Usage
from platform_health.domain.routers import readers
from platform_health.domain.upstreams import BadUrl, address
from platform_health.invariant import ERROR, WARNING, Severity
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import ConfigMap, Container, Secret
from platform_health.views.view import View

_LITELLM = re.compile(r"^model_list:", re.MULTILINE)
_ROUTER = re.compile(r"^(backends|upstreams):\s*$", re.MULTILINE)
_URL = re.compile(r"^\s*(- )?url:", re.MULTILINE)
_OWN_VARIABLES = {
    "openai": ("OPENAI_API_KEY",),
    "anthropic": ("ANTHROPIC_API_KEY",),
    "azure": ("AZURE_API_KEY", "AZURE_OPENAI_API_KEY", "AZURE_AD_TOKEN", "AZURE_CLIENT_ID", "AZURE_USERNAME"),
}
"""Where LiteLLM looks for a provider's key when the configuration gives none; other providers are not listed here."""


class Fault(NamedTuple):
    """One thing that is wrong. ``about`` tells it from others of the same text."""

    at: str
    about: str
    because: str
    severity: Severity = ERROR
    symptom: str | None = None


def unparsable(subject: View) -> Iterator[Fault]:
    """Texts that are meant as a router's configuration and cannot be read."""
    for text in texts(subject):
        if not text.key.endswith((".yaml", ".yml")) or not _is_meant(text.content):
            continue
        value = text.value
        if isinstance(value, Broken):
            because = f"{text.key} cannot be read, line {value.line}: {value.because}"
            yield Fault(str(text.at), f"{text.key}: syntax", because, symptom="the router exits at its start")


def _is_meant(content: str) -> bool:
    return bool(_LITELLM.search(content)) or bool(_ROUTER.search(content) and _URL.search(content))


def of_litellm(text: Text, config: LiteLLMConfig) -> Iterator[Fault]:
    """URLs and fallbacks that LiteLLM cannot use."""
    for model in config.models:
        if model.base and not model.base.startswith(ENVIRONMENT) and (bad := _bad(model.base)) is not None:
            because = f"api_base of model {model.name} cannot be called: {bad.because}"
            yield Fault(text.within(model.base_at), f"{text.key}: {model.name} {model.model}", because)
    for at in config.misshapen:
        because = f"{at} is no mapping of one model to its fallbacks"
        yield Fault(text.within(at), f"{text.key}: shape", because, symptom="LiteLLM exits at its start")


def of_router(text: Text, config: RouterConfig, known: frozenset[str]) -> Iterator[Fault]:
    """URLs, ports and names that a plain router cannot use; ``known`` are the backends of all its files."""
    is_http = bool(config.rules or config.default) or any(
        _bad(backend.url or "") is None for backend in config.backends
    )
    for backend in config.backends:
        if backend.url and (bad := _bad(backend.url)) is not None and (is_http or "://" not in backend.url):
            because = f"the URL of backend {backend.name} cannot be called: {bad.because}"
            yield Fault(text.within(backend.url_at), f"{text.key}: {backend.name} url", because)
    counted = Counter(backend.name for backend in config.backends if backend.name)
    for backend in reversed(config.backends):
        if counted.pop(backend.name, 1) > 1:
            because = f"two backends are named {backend.name}, of which only one can be reached"
            yield Fault(text.within(backend.at / "name"), f"{text.key}: {backend.name} twice", because)
    for port, at in config.ports:
        if not _is_port(port):
            yield Fault(text.within(at), f"{text.key}: port", f"{at} is {port}, expected a number from 1 to 65535")
    for name in config.routed() if known else ():
        if name.name not in known:
            because = f"{name.says} is {name.name}, which is no backend of the router"
            yield Fault(text.within(name.at), f"{text.key}: {name.name}", because)


def _bad(url: str) -> BadUrl | None:
    """Why a URL cannot be called; None too where something is still to be filled in."""
    found = address(url)
    return found if isinstance(found, BadUrl) and not any(mark in url for mark in "${}<>%") else None


def _is_port(value: object) -> bool:
    if isinstance(value, str):
        return "$" in value or "{" in value or (value.isdigit() and 1 <= int(value) <= 65535)
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535


# --- variables -------------------------------------------------------------------------------------------------------


def of_variables(text: Text, config: LiteLLMConfig, subject: View, inventory: Inventory) -> Iterator[Fault]:
    """References to environment variables that no container which reads the text has."""
    wanted = [entry for entry in config.references if entry.variable not in config.environment]
    if not wanted:
        return
    found = readers(subject, text, inventory)
    if not found:
        raise Unknown(f"no container is known that reads {text.key}, so its environment is not known either")
    for reference in wanted:
        with inventory.part():
            lacking = next((usage for usage in found if not _has(reference.variable, usage, inventory)), None)
            if lacking is not None:
                yield from _unset(reference, lacking, text, inventory)


def _has(variable: str, usage: Usage, inventory: Inventory) -> bool:
    if is_set(usage.container, variable, usage.workload.namespace, inventory):
        return True
    if _may_set_more(usage.container):
        raise Unknown(f"{usage.workload.ref} may set {variable} in a script")
    return False


def is_set(container: Container, variable: str, namespace: str, inventory: Inventory) -> bool:
    """Whether a variable is set; Unknown where a source of all its keys is not shown, since an operator may make it."""
    if environment.is_set(container, variable, namespace, inventory):
        return True
    for source in container.env_from:
        reference = source.config_map_ref or source.secret_ref
        kind = ConfigMap if source.config_map_ref is not None else Secret
        if reference is not None and inventory.named(kind, namespace, reference.name) is None:
            raise Unknown(f"{kind.kind} {namespace}/{reference.name} is not shown")
    return False


def _may_set_more(container: Container) -> bool:
    """Whether a script may export variables before the server starts."""
    found = commands(container)
    return len(found) > 1 or any(command.program in ("doppler", "vault", "op", "infisical") for command in found)


def _unset(reference: EnvReference, usage: Usage, text: Text, inventory: Inventory) -> Iterator[Fault]:
    own = _OWN_VARIABLES.get(reference.provider, ()) if reference.field == "api_key" else ()
    if any(_has(name, usage, inventory) for name in own):
        return
    is_open = reference.field == "master_key"
    yield Fault(
        at=text.within(reference.at),
        about=f"{text.key}: {reference.variable}",
        because=f"{reference.field} comes from the environment variable {reference.variable}, "
        f"which {usage.workload.ref} does not set",
        severity=ERROR if is_open or own else WARNING,
        symptom="the proxy answers everybody: it has no master key" if is_open else "requests that need it fail",
    )
