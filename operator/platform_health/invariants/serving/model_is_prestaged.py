"""ModelIsPrestaged."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.environment import SOURCES
from platform_health.domain.hub import (
    TOKENS,
    Source,
    has_cache,
    has_token,
    is_offline,
    may_ask_hub,
    source,
    uses_mirror,
)
from platform_health.domain.pods import states
from platform_health.domain.replicas import runs_several
from platform_health.domain.selection import SERVING_WORKLOADS
from platform_health.domain.servers import model_servers
from platform_health.invariant import ERROR, INFO, WARNING, Inventory, Unknown, Violation, invariant, nearest
from platform_health.views.core import Container, EnvVar, KeySelector, Pod, Secret
from platform_health.views.view import Path


@invariant(
    severity=ERROR,
    symptom="HTTP 503: the server never starts",
    needs=(*SOURCES, *SERVING_WORKLOADS),
)
def model_is_prestaged(pod: Pod, inventory: Inventory) -> Iterator[Violation]:
    """A model server finds its model: in a mounted cache, or at the hub with a token that exists.

    Why: with `HF_HUB_OFFLINE` the hub is not asked, so that a model named by its hub id must be in a mounted cache. A
    token that comes from a Secret or key that does not exist keeps the container in CreateContainerConfigError.
    Replicas that each download from the hub without a token share one address, and its limit (HTTP 429).

    Remedy: mount a volume at `HF_HOME` (or `HF_HUB_CACHE`, `--download-dir`) that a Job or init container fills; create
    the Secret in the namespace of the pod, with the key that is asked for.

    See: Hugging Face Hub, "Environment variables" and "Rate limits"; Kubernetes, "Secrets".
    """
    if pod.is_over:
        return
    for at, container in pod.spec.all_containers():
        for index, entry in enumerate(container.env):
            if entry.name not in TOKENS:
                continue
            with inventory.part():
                yield from _missing_token(pod, container, entry, at / "env" / index, inventory)
    for server in model_servers(pod) if may_ask_hub(pod) else ():
        with inventory.part():
            found = source(server)
            if found is not None:
                yield from _unstaged(found, pod, inventory)


def _missing_token(
    pod: Pod, container: Container, entry: EnvVar, at: Path, inventory: Inventory
) -> Iterator[Violation]:
    key = entry.value_from.secret_key_ref if entry.value_from is not None else None
    if key is None or key.optional or container.variable(entry.name) is not entry:
        return
    because = _refused(pod, container, key)
    if because is None and not _has_started(pod, container):
        because = _absent(pod.namespace, key, inventory)
    if because is not None:
        others = inventory.near(Secret, pod.namespace)
        yield Violation(
            at=at / "valueFrom" / "secretKeyRef",
            about=f"{container.name} {entry.name}",
            because=f"container {container.name} takes {entry.name} from {because}",
            nearest=nearest(key.name, [other.name for other in others]),
            symptom="HTTP 503: the pod stays in CreateContainerConfigError",
            verify=f"kubectl get secret -n {pod.namespace} {key.name}",
        )


def _absent(namespace: str, key: KeySelector, inventory: Inventory) -> str | None:
    secret = inventory.named(Secret, namespace, key.name)
    if secret is None:
        return f"Secret {namespace}/{key.name}, which does not exist"
    if not secret.keys:
        raise Unknown(f"the keys of Secret {namespace}/{key.name} are filled in elsewhere")
    if key.key in secret.keys:
        return None
    return f"key {key.key} of Secret {namespace}/{key.name}, which has only {', '.join(sorted(secret.keys))}"


def _refused(pod: Pod, container: Container, key: KeySelector) -> str | None:
    """What the kubelet says about this very Secret."""
    for state in states(pod):
        waiting = state.status.state.waiting
        if state.container is not container or waiting is None or waiting.reason != "CreateContainerConfigError":
            continue
        if f'secret "{key.name}" not found' in waiting.message:
            return f"Secret {pod.namespace}/{key.name}, which does not exist"
        if f"couldn't find key {key.key} in Secret {pod.namespace}/{key.name}" in waiting.message:
            return f"key {key.key} of Secret {pod.namespace}/{key.name}, which does not exist"
    return None


def _has_started(pod: Pod, container: Container) -> bool:
    """Whether the container has run, which it could not have without its Secrets."""
    return any(
        state.container is container
        and (state.status.state.running or state.status.state.terminated or state.status.last_state.terminated)
        for state in states(pod)
    )


def _unstaged(found: Source, pod: Pod, inventory: Inventory) -> Iterator[Violation]:
    container, namespace = found.server.container, pod.namespace
    if has_cache(found, pod, inventory) or uses_mirror(container, namespace, inventory):
        return
    if is_offline(container, namespace, inventory):
        if pod.is_ready and not pod.is_stateless:
            return
        yield Violation(
            at=found.server.at,
            about=container.name,
            because=f"container {container.name} may not ask the hub (offline mode), and no volume that could hold "
            f"{found.model} is mounted at its cache" + ("" if found.is_official else "; its image may hold the model"),
            severity=None if found.is_official else WARNING,
        )
    elif found.is_official and runs_several(pod, inventory) and not has_token(found.server, pod, inventory):
        yield Violation(
            at=found.server.at,
            about=f"{container.name} download",
            because=f"every replica downloads {found.model} at each start, without a token and without a cache: "
            "together they may reach the hub's limit (HTTP 429)",
            severity=INFO,
            symptom="slow starts; HTTP 429 from the hub when many replicas start together",
        )
