"""CacheIsReachable."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.documents.litellm import Cache, LiteLLMConfig, litellm_configs
from platform_health.documents.texts import Text
from platform_health.domain import routers, upstreams
from platform_health.invariant import WARNING, Inventory, Unknown, Violation, invariant
from platform_health.views.core import ConfigMap
from platform_health.views.files import LiteLLMConfigFile


@invariant(
    severity=WARNING,
    symptom="slow answers and no caching: every request waits for a cache that does not answer",
    needs=(*routers.NEEDS, *upstreams.NEEDS),
)
def cache_is_reachable(subject: ConfigMap | LiteLLMConfigFile, inventory: Inventory) -> Iterator[Violation]:
    """A Redis that LiteLLM is configured to use is one that exists, with that port and endpoints.

    Why: LiteLLM goes on without its cache, but tries to reach it for each request; budgets and cooldowns are then no
    longer shared between replicas.

    Remedy: correct `redis_host` or `cache_params.host`, or deploy the Redis.

    See: LiteLLM, caching and `router_settings.redis_host`.
    """
    for text, config in litellm_configs(subject):
        for cache in config.caches:
            with inventory.part():
                problem, where = _problem(cache, config, text, subject, inventory)
                if problem is not None:
                    yield Violation(
                        at=text.within(cache.at),
                        about=f"{text.key}: {cache.purpose}",
                        because=f"{cache.purpose} is expected at {where}, but {problem.because}",
                        nearest=problem.nearest,
                        follows=problem.follows,
                        verify=problem.verify,
                    )


def _problem(
    cache: Cache, config: LiteLLMConfig, text: Text, subject: ConfigMap | LiteLLMConfigFile, inventory: Inventory
) -> tuple[upstreams.Problem | None, str]:
    if cache.url:
        url = routers.resolved(cache.url, config, text, subject, inventory)
        address = upstreams.address(url, ("redis", "rediss"))
        if isinstance(address, upstreams.BadUrl):
            return None, ""
        host, port = address.host, address.port
    else:
        host = routers.resolved(cache.host, config, text, subject, inventory)
        if cache.port is None:
            raise Unknown(f"the port of {cache.purpose} is not literal")
        port = cache.port
    place = upstreams.place(host, port, routers.namespace_of(subject))
    return (upstreams.problem(place, inventory) if place is not None else None), f"{host}:{port}"
