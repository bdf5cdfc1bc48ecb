"""LiteLLM's ``config.yaml``: models, fallbacks, caches, references to environment variables.

Read from LiteLLM 1.83: ``model_list``, ``router_settings``, ``litellm_settings``, ``general_settings``,
``environment_variables``. Values of settings that may be credentials are not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from platform_health.documents.texts import Broken, Text, items, mapping, parsed, string, texts
from platform_health.views.view import Path, View

ENVIRONMENT = "os.environ/"
_FALLBACKS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
_SECTIONS = ("router_settings", "litellm_settings", "general_settings")


class Name(NamedTuple):
    """A name that refers to something, and where it stands."""

    name: str
    at: Path


class Model(NamedTuple):
    """One deployment of ``model_list``: what clients call it, and what is called upstream."""

    name: str
    model: str
    base: str
    at: Path
    base_at: Path
    id: str = ""
    provider_field: str = ""

    @property
    def provider(self) -> str:
        """``openai``, ``hosted_vllm``, ``azure``, …; empty where the model names none."""
        return self.provider_field or (self.model.partition("/")[0] if "/" in self.model else "")

    @property
    def upstream_model(self) -> str:
        """The model's name as the upstream gets it."""
        prefix = f"{self.provider}/"
        return self.model.removeprefix(prefix)


class Fallback(NamedTuple):
    """What is tried when a model group fails; ``group`` is None for default fallbacks."""

    group: Name | None
    targets: tuple[Name, ...]


class Cache(NamedTuple):
    """Where a Redis is expected: a URL, or host and port. ``port`` is None where it is the default or not literal."""

    url: str
    host: str
    port: int | None
    at: Path
    purpose: str


class EnvReference(NamedTuple):
    """A setting that is read from an environment variable."""

    variable: str
    at: Path
    provider: str = ""

    @property
    def field(self) -> str:
        """The setting's own name."""
        return self.at.rpartition(".")[2]


class LiteLLMConfig(NamedTuple):
    """One configuration, with paths relative to its text."""

    models: tuple[Model, ...]
    aliases: frozenset[str]
    fallbacks: tuple[Fallback, ...]
    misshapen: tuple[Path, ...]
    """Fallbacks that are not one-key mappings, at which LiteLLM exits."""
    caches: tuple[Cache, ...]
    references: tuple[EnvReference, ...]
    environment: dict[str, str]
    debug: tuple[Path, ...]
    stores_models: bool
    """Whether further models come from a database."""
    has_includes: bool
    """Whether further files are included."""

    def is_defined(self, name: str) -> bool:
        """Whether requests for this model name would find a deployment."""
        return name in self.aliases or any(_matches(entry, name) for entry in self.models)

    def is_called(self, name: str) -> bool:
        """Whether requests can come for this model name; fallbacks also find ``b`` for a request for ``a/b``."""
        if name == "*" or self.is_defined(name):
            return True
        return any(model.name.partition("/")[2] in (name, "*") for model in self.models)


def litellm_configs(view: View) -> Iterator[tuple[Text, LiteLLMConfig]]:
    """The LiteLLM configurations that an object carries, each with its text."""
    for text in texts(view):
        if mentions_litellm(text.content):
            found = litellm_config(text.content)
            if found is not None:
                yield text, found


def mentions_litellm(content: str) -> bool:
    """Whether a text looks like a LiteLLM configuration, without parsing it."""
    return "model_list" in content or "litellm_settings" in content


def is_litellm_config(value: Any) -> bool:
    """Whether data is a LiteLLM configuration, by its content."""
    config = mapping(value)
    models = items(config.get("model_list"))
    if any("litellm_params" in mapping(entry) for entry in models):
        return True
    return "litellm_settings" in config and isinstance(config["litellm_settings"], dict)


@lru_cache(maxsize=64)
def litellm_config(content: str) -> LiteLLMConfig | None:
    """The configuration that a text is, None where it is none."""
    value = parsed(content)
    if isinstance(value, Broken) or not is_litellm_config(value):
        return None
    config = mapping(value)
    sections = {name: mapping(config.get(name)) for name in _SECTIONS}
    return LiteLLMConfig(
        models=tuple(_models(config)),
        aliases=frozenset(_aliases(sections)),
        fallbacks=tuple(_fallbacks(sections)),
        misshapen=tuple(_misshapen(sections)),
        caches=tuple(_caches(sections)),
        references=tuple(_references(config, Path(""), "")),
        environment=_environment(config),
        debug=tuple(_debug(config, sections)),
        stores_models=_is_true(sections["general_settings"].get("store_model_in_db")),
        has_includes=bool(config.get("include")),
    )


def _models(config: dict[str, Any]) -> Iterator[Model]:
    for index, value in enumerate(items(config.get("model_list"))):
        entry, at = mapping(value), Path("model_list") / index
        params = mapping(entry.get("litellm_params"))
        field = "api_base" if "api_base" in params or "base_url" not in params else "base_url"
        yield Model(
            name=string(entry.get("model_name")),
            model=string(params.get("model")),
            base=string(params.get(field)),
            at=at,
            base_at=at / "litellm_params" / field,
            id=string(mapping(entry.get("model_info")).get("id")),
            provider_field=string(params.get("custom_llm_provider")),
        )


def _aliases(sections: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield from mapping(sections["router_settings"].get("model_group_alias"))
    yield from mapping(sections["litellm_settings"].get("model_alias_map"))


def _fallbacks(sections: dict[str, dict[str, Any]]) -> Iterator[Fallback]:
    for field in (*_FALLBACKS, "default_fallbacks"):
        for section in ("router_settings", "litellm_settings"):
            value = sections[section].get(field)
            if value:
                at = Path(section) / field
                yield from _defaults(value, at) if field == "default_fallbacks" else _groups(value, at)
                break


def _misshapen(sections: dict[str, dict[str, Any]]) -> Iterator[Path]:
    for section in ("router_settings", "litellm_settings"):
        for field in _FALLBACKS:
            value, at = sections[section].get(field), Path(section) / field
            if value and not isinstance(value, list):
                yield at
            for index, entry in enumerate(items(value)):
                if not isinstance(entry, dict) or len(entry) != 1:
                    yield at / index


def _groups(value: Any, at: Path) -> Iterator[Fallback]:
    for index, entry in enumerate(items(value)):
        for group, targets in mapping(entry).items():
            place = at / index / group
            yield Fallback(Name(group, place), _names(targets, place))


def _defaults(value: Any, at: Path) -> Iterator[Fallback]:
    yield Fallback(None, _names(value, at))


def _names(value: Any, at: Path) -> tuple[Name, ...]:
    return tuple(Name(entry, at / index) for index, entry in enumerate(items(value)) if isinstance(entry, str))


def _caches(sections: dict[str, dict[str, Any]]) -> Iterator[Cache]:
    router = sections["router_settings"]
    if any(router.get(f"redis_{field}") for field in ("host", "url")):
        field = "redis_url" if router.get("redis_url") else "redis_host"
        yield Cache(
            url=string(router.get("redis_url")),
            host=string(router.get("redis_host")),
            port=_port(router.get("redis_port")),
            at=Path("router_settings") / field,
            purpose="the router's state",
        )
    settings = sections["litellm_settings"]
    params = mapping(settings.get("cache_params"))
    is_redis = string(params.get("type")) in ("", "redis", "redis-semantic", "valkey-semantic")
    if _is_true(settings.get("cache")) and is_redis and any(params.get(field) for field in ("host", "url")):
        field = "url" if params.get("url") else "host"
        yield Cache(
            url=string(params.get("url")),
            host=string(params.get("host")),
            port=_port(params.get("port")),
            at=Path("litellm_settings.cache_params") / field,
            purpose="the response cache",
        )


def _port(value: Any) -> int | None:
    if value is None:
        return 6379
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and value.isdigit() else None


def _references(value: Any, at: Path, provider: str) -> Iterator[EnvReference]:
    if isinstance(value, dict):
        model = value.get("model")
        inner = model.partition("/")[0] if isinstance(model, str) and "/" in model else provider
        for key, entry in value.items():
            yield from _references(entry, at / key, inner)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _references(entry, at / index, provider)
    elif isinstance(value, str) and value.startswith(ENVIRONMENT):
        yield EnvReference(value.removeprefix(ENVIRONMENT), at, provider)


def _environment(config: dict[str, Any]) -> dict[str, str]:
    """Literal variables; credentials stay in the text, only names and addresses are ever shown."""
    variables = mapping(config.get("environment_variables"))
    return {name: str(value) for name, value in variables.items() if isinstance(value, str | int | float)}


def _debug(config: dict[str, Any], sections: dict[str, dict[str, Any]]) -> Iterator[Path]:
    places: list[tuple[Path, dict[str, Any]]] = [(Path(""), config)]
    places += [(Path(name), section) for name, section in sections.items()]
    for at, section in places:
        for field in ("set_verbose", "debug", "detailed_debug", "debug_router"):
            if _is_true(section.get(field)):
                yield at / field
    if string(sections["router_settings"].get("debug_level")).upper() == "DEBUG":
        yield Path("router_settings.debug_level")


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _matches(model: Model, name: str) -> bool:
    """Model names, also with wildcards; deployments answer to their id and their upstream name too."""
    if name in (model.name, model.model, model.id):
        return True
    if "*" not in model.name:
        return False
    head, _, tail = model.name.partition("*")
    return name.startswith(head) and name.endswith(tail)
