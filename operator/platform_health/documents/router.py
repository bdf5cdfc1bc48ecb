"""The plain router's configuration: backends, routing rules, fallbacks, retries.

A platform's router of its own reads one or two YAML files and merges them: backends (or upstreams) with a URL each, and
rules that send requests to a backend by name, with a fallback per rule or for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from platform_health.documents.texts import Broken, Text, items, mapping, parsed, string, texts
from platform_health.views.view import Path, View

_LISTS = ("backends", "upstreams")
_DEBUG = ("debug", "debug_router", "set_verbose", "verbose")


class Name(NamedTuple):
    """A backend's name where it is referred to. ``says`` is the setting; an empty name promises nothing."""

    name: str
    at: Path
    says: str


class Backend(NamedTuple):
    """One backend. ``url`` is None where there is none or it is no string."""

    name: str
    url: str | None
    model: str
    at: Path
    url_at: Path


class Rule(NamedTuple):
    """One routing rule."""

    name: str
    backend: Name | None
    fallbacks: tuple[Name, ...]
    at: Path


class Retry(NamedTuple):
    """When a request is tried again. ``codes`` is None where they are not set or cannot be read as status codes."""

    attempts: int | None
    attempts_at: Path
    codes: frozenset[int] | None
    codes_at: Path
    are_codes_set: bool


class RouterConfig(NamedTuple):
    """One file of the router's configuration, with paths relative to its text."""

    backends: tuple[Backend, ...]
    rules: tuple[Rule, ...]
    default: Name | None
    fallbacks: tuple[Name, ...]
    retry: Retry
    ports: tuple[tuple[Any, Path], ...]
    debug: tuple[Path, ...]

    def promised(self) -> Iterator[Name]:
        """Every fallback, for all requests or of one rule."""
        yield from self.fallbacks
        for rule in self.rules:
            yield from rule.fallbacks

    def routed(self) -> Iterator[Name]:
        """Every backend that requests are sent to in the first place."""
        if self.default is not None:
            yield self.default
        for rule in self.rules:
            if rule.backend is not None:
                yield rule.backend


def router_configs(view: View) -> Iterator[tuple[Text, RouterConfig]]:
    """The router configurations that an object carries, each with its text."""
    for text in texts(view):
        if mentions_router(text.content):
            found = router_config(text.content)
            if found is not None:
                yield text, found


def mentions_router(content: str) -> bool:
    """Whether a text may be a router configuration, without parsing it."""
    return "backend" in content or "upstreams" in content


def is_router_config(value: Any) -> bool:
    """Whether data is a router configuration: backends with URLs, or rules that name a backend."""
    config = mapping(value)
    if any(isinstance(entry.get("url"), str) for field in _LISTS for _, _, entry in _entries(config, field)):
        return True
    rules = items(config.get("rules"))
    return any(isinstance(mapping(rule).get("backend"), str) for rule in rules)


@lru_cache(maxsize=64)
def router_config(content: str) -> RouterConfig | None:
    """The configuration that a text is, None where it is none."""
    value = parsed(content)
    if isinstance(value, Broken) or not is_router_config(value):
        return None
    config = mapping(value)
    server = mapping(config.get("server"))
    return RouterConfig(
        backends=tuple(_backends(config)),
        rules=tuple(_rules(config)),
        default=_name(config, "default_backend", Path("")),
        fallbacks=tuple(_fallbacks(config, Path(""))),
        retry=_retry(config),
        ports=tuple((server[key], Path("server") / key) for key in ("port",) if key in server),
        debug=tuple(_debug(config)),
    )


def _entries(config: dict[str, Any], field: str) -> Iterator[tuple[str, Path, dict[str, Any]]]:
    value = config.get(field)
    if isinstance(value, dict):
        for name, entry in value.items():
            yield name, Path(field) / name, mapping(entry)
    for index, entry in enumerate(items(value)):
        yield string(mapping(entry).get("name")), Path(field) / index, mapping(entry)


def _backends(config: dict[str, Any]) -> Iterator[Backend]:
    for field in _LISTS:
        for name, at, entry in _entries(config, field):
            url = entry.get("url")
            yield Backend(name, url if isinstance(url, str) else None, string(entry.get("model")), at, at / "url")


def _rules(config: dict[str, Any]) -> Iterator[Rule]:
    for index, value in enumerate(items(config.get("rules"))):
        rule, at = mapping(value), Path("rules") / index
        yield Rule(string(rule.get("name")), _name(rule, "backend", at), tuple(_fallbacks(rule, at)), at)


def _name(owner: dict[str, Any], field: str, at: Path) -> Name | None:
    value = owner.get(field)
    return Name(value, at / field, field) if isinstance(value, str) and value else None


def _fallbacks(owner: dict[str, Any], at: Path) -> Iterator[Name]:
    for field in ("fallback_backend", "fallback_backends"):
        value = owner.get(field)
        if field in owner and not value:
            yield Name("", at / field, field)
        elif isinstance(value, str):
            yield Name(value, at / field, field)
        for index, entry in enumerate(items(value)):
            if isinstance(entry, str):
                yield Name(entry, at / field / index, field)


def _retry(config: dict[str, Any]) -> Retry:
    inner, at = config.get("retry"), Path("retry")
    section = mapping(inner)
    attempts, attempts_at = _first(((section, at), (config, Path(""))), "max_attempts")
    codes, codes_at = _first(((section, at), (config, Path(""))), "retry_status_codes")
    return Retry(
        attempts=attempts if isinstance(attempts, int) and not isinstance(attempts, bool) else None,
        attempts_at=attempts_at,
        codes=_codes(codes),
        codes_at=codes_at,
        are_codes_set=codes is not None,
    )


def _first(places: Iterable[tuple[dict[str, Any], Path]], field: str) -> tuple[Any, Path]:
    found = [(section[field], at / field) for section, at in places if field in section]
    return found[0] if found else (None, Path("retry"))


def _codes(value: Any) -> frozenset[int] | None:
    if not isinstance(value, list):
        return None
    codes: set[int] = set()
    for entry in value:
        span = _span(entry)
        if span is None:
            return None
        codes |= span
    return frozenset(codes)


def _span(entry: Any) -> set[int] | None:
    """The codes of ``503``, ``"503"``, ``5xx`` or ``500-599``; None for anything else."""
    text = str(entry).strip().lower()
    if text.isdigit():
        return {int(text)}
    if found := re.fullmatch(r"([1-5])(?:xx|\*\*)", text):
        return set(range(int(found[1]) * 100, int(found[1]) * 100 + 100))
    if found := re.fullmatch(r"(\d{3})\s*-\s*(\d{3})", text):
        return set(range(int(found[1]), int(found[2]) + 1))
    return None


def _debug(config: dict[str, Any]) -> Iterator[Path]:
    for at, section in (
        (Path(""), config),
        *((Path(name), mapping(config.get(name))) for name in ("server", "logging")),
    ):
        for field in _DEBUG:
            if section.get(field) is True:
                yield at / field
        for field in ("log_level", "level"):
            if string(section.get(field)).lower() in ("debug", "trace"):
                yield at / field
