"""ProbeNeedsNoAuth."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.environment import SOURCES
from platform_health.domain.guarded import KEY_HEADERS, guard, is_guarded, may_be_guarded
from platform_health.domain.pods import states, template_of
from platform_health.domain.servers import Server, servers
from platform_health.invariant import ERROR, WARNING, Fix, Inventory, Operation, Unknown, Violation, invariant
from platform_health.views.core import HttpGet, Pod
from platform_health.views.view import Path


@invariant(severity=WARNING, symptom="HTTP 503: the probe gets 401, so that the pod never becomes Ready", needs=SOURCES)
def probe_needs_no_auth(pod: Pod, inventory: Inventory) -> Iterator[Violation]:
    """Probes ask a path that needs no key.

    Why: the kubelet sends no key. A readiness probe that is answered with 401 keeps the pod out of its Service; a
    liveness probe ends the container again and again. LiteLLM's `/health` also asks every configured model, each time.

    Remedy: vLLM, SGLang and llama.cpp answer `/health` to everyone, LiteLLM `/health/readiness` and
    `/health/liveliness`, Tabby `/metrics`. Do not put the key into the probe's headers: manifests are no place for it.

    See: vLLM, "Security"; LiteLLM, "Health Checks"; Tabby, "Configuration".
    """
    if pod.is_over:
        return
    for at, container in pod.spec.all_containers():
        for field, probe in container.probes():
            asked = probe.http_get
            if asked is None or any(header.name.lower() in KEY_HEADERS for header in asked.http_headers):
                continue
            number = container.port_number(asked.port)
            for server in servers(pod) if may_be_guarded(asked.path, pod) else ():
                with inventory.part():
                    if _is_asked(server, number, asked, pod, inventory):
                        yield _violation(pod, server, at / field / "httpGet" / "path", field, asked)


def _is_asked(server: Server, number: int | None, asked: HttpGet, pod: Pod, inventory: Inventory) -> bool:
    """Whether this server answers the probe, and wants a key for it."""
    if number is None or (server.ports is not None and number not in server.ports):
        return False
    if not is_guarded(server, asked.path, pod, inventory):
        return False
    if server.ports is None:
        raise Unknown(f"the port of container {server.container.name} is not literal")
    return True


def _violation(pod: Pod, server: Server, at: Path, field: str, asked: HttpGet) -> Violation:
    found = guard(server)
    assert found is not None
    better = found.open_for_liveness if field == "livenessProbe" and found.open_for_liveness else found.open_path
    name = server.container.name
    return Violation(
        at=at,
        about=f"{name} {field}",
        because=f"the {field} of container {name} asks {asked.path}, which needs a key; {better} needs none",
        severity=ERROR if _is_failing(pod, server) else WARNING,
        verify=f"kubectl get events -n {pod.namespace} --field-selector reason=Unhealthy",
        fix=_fix(pod, at, better),
    )


def _is_failing(pod: Pod, server: Server) -> bool:
    return not pod.is_stateless and any(
        state.container is server.container and not state.status.ready for state in states(pod)
    )


def _fix(pod: Pod, at: Path, better: str) -> Fix:
    title = f"ask {better} (its pods restart)"
    place = template_of(pod)
    if place is None:
        return Fix(title=title, safety="manual")
    target, template = place
    return Fix(
        title=title, safety="unsafe", target=target, patch=(Operation("replace", template.join(at).pointer, better),)
    )
