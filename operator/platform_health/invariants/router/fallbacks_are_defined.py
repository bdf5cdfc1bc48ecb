"""FallbacksAreDefined."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.documents.litellm import LiteLLMConfig, litellm_configs
from platform_health.documents.router import router_configs
from platform_health.documents.texts import Text
from platform_health.domain import routers
from platform_health.domain.fallbacks import has_other_models, undefined, unread
from platform_health.invariant import ERROR, WARNING, Inventory, Unknown, Violation, invariant, nearest
from platform_health.views.core import ConfigMap
from platform_health.views.files import LiteLLMConfigFile, RouterConfigFile


@invariant(
    severity=ERROR,
    symptom="an error instead of the fallback's answer",
    needs=routers.NEEDS,
)
def fallbacks_are_defined(
    subject: ConfigMap | LiteLLMConfigFile | RouterConfigFile, inventory: Inventory
) -> Iterator[Violation]:
    """Every fallback names a model or backend that is defined, and the router reads the file that says so.

    Why: neither LiteLLM nor a plain router checks the names of fallbacks when it starts. A fallback that names nothing
    is only noticed when the first choice fails, as the error that the fallback was meant to prevent. Rules that stand
    in a key or ConfigMap which the router does not mount promise a fallback that nobody knows of.

    Remedy: name a `model_name` (LiteLLM) or a backend's `name`, or mount the file with the rules.

    See: LiteLLM, `router_settings.fallbacks`.
    """
    for text, config in litellm_configs(subject):
        with inventory.part():
            yield from _of_litellm(text, config, subject, inventory)
    if not isinstance(subject, LiteLLMConfigFile):
        yield from _of_router(subject, inventory)


def _of_litellm(
    text: Text, config: LiteLLMConfig, subject: ConfigMap | LiteLLMConfigFile | RouterConfigFile, inventory: Inventory
) -> Iterator[Violation]:
    missing = list(undefined(config))
    if missing and has_other_models(config, text, subject, inventory):
        raise Unknown(f"further models of {text.key} come from elsewhere")
    defined = {model.name for model in config.models} | config.aliases
    for name, group in missing:
        said = f"the fallback of {group}" if group else "a default fallback"
        part = said if name.name != group else "fallbacks are given for"
        yield Violation(
            at=text.within(name.at),
            about=f"{text.key}: {group} -> {name.name}",
            because=f"{part} {'is ' if part == said else ''}{name.name}, which is no model_name of {text.key}",
            nearest=nearest(name.name, defined),
        )


def _of_router(subject: ConfigMap | RouterConfigFile, inventory: Inventory) -> Iterator[Violation]:
    if not any(True for _, config in router_configs(subject) for _ in config.promised()):
        return
    if isinstance(subject, ConfigMap):
        for text, because in unread(subject, inventory):
            yield Violation(at=str(text.at), about=f"{text.key} is not read", because=because)
    known = {backend.name for piece in routers.merged(subject, inventory) for backend in piece.config.backends}
    for text, config in router_configs(subject):
        for name in config.promised():
            if not name.name:
                yield Violation(at=text.within(name.at), about=f"{text.key}: empty", because=f"{name.says} is empty")
            elif not known:
                raise Unknown(f"the backends that {text.key} names are not shown")
            elif name.name not in known:
                yield Violation(
                    at=text.within(name.at),
                    about=f"{text.key}: {name.name}",
                    because=f"{name.says} is {name.name}, which is no backend of the router",
                    nearest=nearest(name.name, known),
                )
        for rule in config.rules:
            for name in rule.fallbacks:
                if rule.backend is not None and name.name == rule.backend.name:
                    yield Violation(
                        at=text.within(name.at),
                        about=f"{text.key}: {rule.name} itself",
                        because=f"rule {rule.name} falls back to {name.name}, the backend that failed",
                        severity=WARNING,
                    )
