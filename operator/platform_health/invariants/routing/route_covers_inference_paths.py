"""RouteCoversInferencePaths."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.paths import covers
from platform_health.domain.routing import ROUTES, is_in_use, routes_to
from platform_health.domain.selection import pods_of_pool
from platform_health.domain.servers import Server, model_servers
from platform_health.invariant import WARNING, Inventory, Unknown, Violation, invariant
from platform_health.views.core import Pod
from platform_health.views.gateway import Gateway, HTTPRoute, Rule
from platform_health.views.inference import InferencePool, LegacyInferencePool, Pool
from platform_health.views.view import Path

PATHS = ("/v1/chat/completions", "/v1/completions", "/v1/models")
OTHER_PATHS = (
    "/v1/responses",
    "/v1/messages",
    "/v1/embeddings",
    "/v1/audio/transcriptions",
    "/v1/audio/speech",
    "/v1/images/generations",
    "/v1/rerank",
    "/v2/rerank",
    "/v1/score",
    "/v1/realtime",
    "/rerank",
    "/score",
    "/pooling",
    "/classify",
    "/generate",
    "/generate_stream",
    "/invocations",
)
"""Other paths that model servers answer: who routes these means something else than chat."""
PATHS_OF = {"triton": ("/v2/models",), "ollama": ("/api/chat", "/api/generate"), "tabby": ("/v1beta/chat/completions",)}
"""Paths that only this engine answers."""


@invariant(severity=WARNING, symptom="HTTP 404", needs=(*ROUTES, Gateway, Pod))
def route_covers_inference_paths(
    pool: InferencePool | LegacyInferencePool, inventory: Inventory
) -> Iterator[Violation]:
    """Some route sends a path that model servers answer to a pool of model servers.

    Why: a model server answers `/v1/chat/completions`, `/v1/completions` and `/v1/models`. Where no rule lets one of
    these through, or a prefix such as `/llama` is passed on without being rewritten, it answers 404 to everything.

    Remedy: match one of these paths or the prefix `/`, or add a URLRewrite filter with `replacePrefixMatch: /`.

    See: Gateway API, `HTTPPathMatch`, `HTTPURLRewriteFilter`; Gateway API Inference Extension, troubleshooting, 404.
    """
    rules = _rules(pool, inventory)
    if not rules:
        return
    servers = [server for pod in pods_of_pool(pool, inventory) for server in model_servers(pod)]
    if not servers:
        return
    own = {path for server in servers for path in PATHS_OF.get(server.engine, ())}
    wanted = [root + path for root in _roots(servers) for path in (*PATHS, *OTHER_PATHS, *sorted(own))]
    said = [covers(rule, path) for rule in rules for path in wanted]
    if True in said:
        return
    if None in said:
        raise Unknown("a route to the pool matches a regular expression")
    written = "; ".join(sorted({str(rule) for rule in rules})[:3])
    yield Violation(
        at=Path("metadata.name"),
        because=f"no route sends {', '.join(PATHS)} to this pool, only {written}",
        verify=f"kubectl get httproutes -A -o yaml | grep -B20 {pool.name}",
    )


def _rules(pool: Pool, inventory: Inventory) -> list[Rule]:
    """The HTTP rules that lead to the pool; none where another kind of route does, which has paths of its own."""
    found: list[Rule] = []
    for route in routes_to(pool, inventory):
        numbers = {
            backend.rule
            for backend in route.backends()
            if backend[:4] == (pool.kind.group, pool.kind.name, pool.namespace, pool.name) and backend.weight != 0
        }
        if not numbers or not is_in_use(route, inventory):
            continue
        if not isinstance(route, HTTPRoute):
            return []
        found += [route.spec.rules[number] for number in sorted(numbers)]
    return found


def _roots(servers: list[Server]) -> list[str]:
    """The prefixes under which the pool's servers answer."""
    given = {server.command.value("--root-path") for server in servers}
    return ["", *sorted(root.rstrip("/") for root in given if root)]
