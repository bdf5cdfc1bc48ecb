"""How long those who call a gateway, and those behind it, are declared to need for an answer.

Only what is written down counts: a timeout of LiteLLM or of the plain router for an upstream that is this gateway's
route, and the annotation of a backend.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from platform_health.documents.texts import items, mapping, string, texts
from platform_health.domain.gateways import GATEWAY_NAME
from platform_health.domain.hostnames import meet
from platform_health.domain.paths import is_below, matches
from platform_health.domain.routing import backend_view
from platform_health.domain.timeouts import duration
from platform_health.domain.upstreams import BadUrl, Place, address, place
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import HOLDS_CALLER, ConfigMap, Service
from platform_health.views.files import LiteLLMConfigFile, RouterConfigFile
from platform_health.views.gateway import Gateway, HTTPRoute, Rule
from platform_health.views.platform import GROUP
from platform_health.views.view import Ref, View

NEEDED_TIMEOUT = f"{GROUP}/request-timeout"
"""The annotation of a pool or Service that says how long a request may take, as a GEP-2257 duration."""

_FILES = (LiteLLMConfigFile, RouterConfigFile)
CALLERS: tuple[type[View], ...] = (ConfigMap, Service, *_FILES)
"""What is read to tell who calls."""


class Call(NamedTuple):
    """One upstream of a router, with how long the router waits for it."""

    url: str
    seconds: float
    says: str
    carrier: View


class Budget(NamedTuple):
    """How long a request of a rule is declared to need, and who says so."""

    seconds: float
    says: str
    by: Ref


def budgets(route: HTTPRoute, rule: Rule, gateway: Gateway, inventory: Inventory) -> Iterator[Budget]:
    """Every declaration that is about a rule of a route on a Gateway."""
    yield from _annotated(route, rule, inventory)
    for call in _calls(inventory):
        target = address(call.url)
        if isinstance(target, BadUrl) or not _means(target.host, target.port, call.carrier, route, gateway, inventory):
            continue
        if _taking(route, target.path.rstrip("/") + "/chat/completions") is rule:
            yield Budget(call.seconds, f"{call.says} of {call.carrier.ref}", call.carrier.ref)


def _annotated(route: HTTPRoute, rule: Rule, inventory: Inventory) -> Iterator[Budget]:
    number = route.spec.rules.index(rule)
    for backend in route.weighted_backends():
        view = backend_view(backend)
        if backend.rule != number or view is None:
            continue
        try:
            found = inventory.named(view, backend.namespace, backend.name)
        except Unknown:
            continue
        seconds = duration(found.annotations.get(NEEDED_TIMEOUT, "")) if found is not None else None
        if found is not None and seconds:
            yield Budget(seconds, f"annotation {NEEDED_TIMEOUT} of {found.ref}", found.ref)


def _calls(inventory: Inventory) -> Iterator[Call]:
    carriers: list[View] = list(inventory.modifying(ConfigMap, term=HOLDS_CALLER))
    for kind in _FILES:
        if inventory.is_known(kind):
            carriers += inventory.modifying(kind)
    for carrier in carriers:
        for text in texts(carrier):
            config = mapping(text.value)
            yield from _of_litellm(config, carrier)
            yield from _of_router(config, carrier)


def _of_litellm(config: dict[str, Any], carrier: View) -> Iterator[Call]:
    shared = _first(
        (mapping(config.get("router_settings")), "timeout", "router_settings.timeout"),
        (mapping(config.get("litellm_settings")), "request_timeout", "litellm_settings.request_timeout"),
    )
    for entry in items(config.get("model_list")):
        params = mapping(mapping(entry).get("litellm_params"))
        found = _first((params, "timeout", "timeout"), (params, "stream_timeout", "stream_timeout")) or shared
        url = string(params.get("api_base") or params.get("base_url"))
        if url and found is not None:
            name = string(mapping(entry).get("model_name"))
            yield Call(url, found[0], f"{found[1]} for model {name}", carrier)


def _of_router(config: dict[str, Any], carrier: View) -> Iterator[Call]:
    found = _first((config, "timeout_seconds", "timeout_seconds"))
    for entry in items(config.get("backends") or config.get("upstreams")) if found is not None else ():
        url = string(mapping(entry).get("url"))
        if url and found is not None:
            yield Call(url.rstrip("/") + "/v1", found[0], found[1], carrier)


def _first(*places: tuple[dict[str, Any], str, str]) -> tuple[float, str] | None:
    """The first of these settings that is a number above 0, with its name."""
    for section, key, name in places:
        value = section.get(key)
        if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value):
            value = float(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return float(value), name
    return None


def _means(host: str, port: int, carrier: View, route: HTTPRoute, gateway: Gateway, inventory: Inventory) -> bool:
    """Whether a host is one of the route's, or the Service of the Gateway's data plane."""
    if any(meet(name, host) for name in route.hosts):
        return True
    if route.hosts:
        return False
    try:
        wanted = place(host, port, carrier.namespace if isinstance(carrier, ConfigMap) else None)
    except Unknown:
        return False
    return wanted is not None and _is_service_of(wanted, gateway, inventory)


def _is_service_of(wanted: Place, gateway: Gateway, inventory: Inventory) -> bool:
    """Whether a Service carries the Gateway's label: one that implementations make is named in no file."""
    if wanted.namespace != gateway.namespace:
        return False
    found = next((entry for entry in inventory.near(Service, wanted.namespace) if entry.name == wanted.name), None)
    if found is not None:
        return found.labels.get(GATEWAY_NAME) == gateway.name
    return wanted.name in (gateway.name, f"{gateway.name}-{gateway.spec.gateway_class_name}")


def _taking(route: HTTPRoute, path: str) -> Rule | None:
    """The rule that takes requests for a path: exact before the longest prefix; None where something else decides."""
    best: tuple[tuple[bool, int], Rule] | None = None
    for rule in route.spec.rules:
        for match in matches(rule):
            if match.path.type == "RegularExpression":
                return None
            exact = match.path.type == "Exact"
            if not (match.path.value == path if exact else is_below(path, match.path.value)):
                continue
            if match.headers or match.query_params or match.method not in ("", "POST"):
                return None
            rank = (exact, len(match.path.value))
            if best is None or rank > best[0]:
                best = (rank, rule)
    return best[1] if best is not None else None
