"""Router configurations wherever they stand: ConfigMaps, files, and the arguments of production-stack's router.

The plain router merges every file of its directory, so that backends and rules of one configuration may stand in two
keys, or in two ConfigMaps that the same workload mounts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from platform_health.documents.litellm import ENVIRONMENT, LiteLLMConfig, litellm_configs
from platform_health.documents.router import RouterConfig, router_configs
from platform_health.documents.texts import Text
from platform_health.domain import environment, production_stack
from platform_health.domain.config_users import NEEDS as USER_KINDS
from platform_health.domain.config_users import LongRunning, Usage, usages, users
from platform_health.inventory import Inventory, Unknown
from platform_health.views.apps import Deployment, StatefulSet
from platform_health.views.core import ConfigMap, Secret
from platform_health.views.files import FileView, LiteLLMConfigFile, RouterConfigFile
from platform_health.views.view import View

NEEDS: tuple[type[View], ...] = (*USER_KINDS, ConfigMap, Secret, RouterConfigFile)
"""The kinds that are read to tell what a router's configuration says."""

Carrier = ConfigMap | LiteLLMConfigFile | RouterConfigFile
"""Whatever holds a router's configuration as text."""


class Upstream(NamedTuple):
    """One server that a router sends requests to. ``namespace`` is None where short names cannot be resolved."""

    title: str
    url: str
    at: str
    namespace: str | None
    model: str = ""
    provider: str = ""
    model_at: str = ""


def namespace_of(carrier: View) -> str | None:
    """The namespace in which a configuration's short host names are looked up; None for a file."""
    return None if isinstance(carrier, FileView) else carrier.namespace


def upstreams(subject: View, inventory: Inventory) -> Iterator[Upstream]:
    """Every upstream of the configurations that an object carries, or of its arguments."""
    namespace = namespace_of(subject)
    if isinstance(subject, Deployment | StatefulSet):
        yield from _of_arguments(subject)
        return
    for text, config in litellm_configs(subject):
        yield from _of_litellm(text, config, subject, inventory)
    for text, router in router_configs(subject):
        for backend in router.backends:
            if backend.url is not None:
                title = f"backend {backend.name}"
                at = text.within(backend.url_at)
                yield Upstream(title, backend.url, at, namespace, backend.model, "", text.within(backend.at / "model"))


def _of_litellm(text: Text, config: LiteLLMConfig, subject: View, inventory: Inventory) -> Iterator[Upstream]:
    for model in config.models:
        if not model.base:
            continue
        with inventory.part():
            yield Upstream(
                title=f"model {model.name}",
                url=resolved(model.base, config, text, subject, inventory),
                at=text.within(model.base_at),
                namespace=namespace_of(subject),
                model=model.upstream_model,
                provider=model.provider,
                model_at=text.within(model.at / "litellm_params" / "model"),
            )


def resolved(value: str, config: LiteLLMConfig, text: Text, subject: View, inventory: Inventory) -> str:
    """A value, looked up where it is ``os.environ/NAME``; Unknown where the variable is not literal."""
    if not value.startswith(ENVIRONMENT):
        return value
    name = value.removeprefix(ENVIRONMENT)
    if name in config.environment:
        return config.environment[name]
    for usage in readers(subject, text, inventory):
        found = environment.text(usage.container, (name,), usage.workload.namespace, inventory)
        if found is not None:
            return found
    raise Unknown(f"the environment variable {name} is not known")


def readers(subject: View, text: Text, inventory: Inventory) -> list[Usage]:
    """The containers that read one text of a ConfigMap as a file; none for a file of its own."""
    if not isinstance(subject, ConfigMap):
        return []
    return [usage for usage in users(subject, inventory) if usage.way != "env" and usage.sees(text.key)]


def _of_arguments(workload: Deployment | StatefulSet) -> Iterator[Upstream]:
    for router in production_stack.routers(workload):
        urls, models = router.listed("--static-backends"), router.listed("--static-models")
        for index, url in enumerate(urls):
            model = models[index] if len(models) == len(urls) else ""
            yield Upstream(
                title=f"backend {model}" if model else "a static backend",
                url=url,
                at=router.place("--static-backends"),
                namespace=workload.namespace,
                model=model,
                provider="static",
                model_at=router.place("--static-models"),
            )


# --- the plain router ------------------------------------------------------------------------------------------------


class Piece(NamedTuple):
    """One file of a plain router's configuration and the object that carries it."""

    carrier: View
    text: Text
    config: RouterConfig


def merged(carrier: ConfigMap | RouterConfigFile, inventory: Inventory) -> list[Piece]:
    """Every file that the router reads together with those of ``carrier``."""
    if isinstance(carrier, RouterConfigFile):
        files = inventory.modifying(RouterConfigFile) if inventory.is_known(RouterConfigFile) else [carrier]
        return [Piece(file, text, config) for file in files for text, config in router_configs(file)]
    pieces = {(carrier.name, text.key): Piece(carrier, text, config) for text, config in router_configs(carrier)}
    for workload in {usage.workload.ref: usage.workload for usage in users(carrier, inventory)}.values():
        for piece in mounted(workload, inventory):
            pieces[piece.carrier.name, piece.text.key] = piece
    return list(pieces.values())


def mounted(workload: LongRunning, inventory: Inventory) -> list[Piece]:
    """The files of a plain router's configuration that a workload mounts; Unknown where one is not shown."""
    pieces = []
    for usage in usages(workload):
        if usage.way == "env":
            continue
        config = inventory.named(ConfigMap, workload.namespace, usage.config)
        for text, found in router_configs(config) if config is not None else ():
            if usage.sees(text.key):
                pieces.append(Piece(config or workload, text, found))
    return pieces
