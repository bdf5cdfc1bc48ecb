"""ServiceLinksDoNotCollide."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from platform_health.domain.environment import SOURCES, is_set
from platform_health.domain.pods import states, template_of
from platform_health.domain.servers import Server, model_servers
from platform_health.invariant import ERROR, WARNING, Fix, Inventory, Operation, Severity, Violation, invariant
from platform_health.inventory import parse_time
from platform_health.views.core import BREAKS_VLLM, Pod, Service

_VARIABLE = "VLLM_PORT"


@invariant(severity=ERROR, symptom="HTTP 503: the server exits at start", needs=(Service, *SOURCES))
def service_links_do_not_collide(pod: Pod, inventory: Inventory) -> Iterator[Violation]:
    """No Service named vllm stands in the namespace of a vLLM server that takes service links.

    Why: the kubelet gives every container variables about the Services of its namespace. A Service named `vllm` with a
    cluster IP becomes `VLLM_PORT=tcp://10.0.0.1:8000`, and vLLM, for which VLLM_PORT is a number, exits at start.

    Remedy: set `enableServiceLinks: false` in the pod template, or give the Service another name. A server that runs
    since before the Service was created fails at its next start.

    See: Kubernetes, "Accessing the Service"; vllm#34199, vllm#15613.
    """
    if pod.is_over or not pod.spec.enable_service_links:
        return
    found = [entry for entry in inventory.modifying(Service, pod.namespace, BREAKS_VLLM) if _links(entry)]
    for service, server in product(found, model_servers(pod) if found else ()):
        if server.engine != "vllm" or _mentions_variable(server):
            continue
        with inventory.part():
            if is_set(server.container, _VARIABLE, pod.namespace, inventory):
                continue
            severity = _severity(pod, server, service)
            if severity is None:
                continue
            waits = severity == WARNING
            yield Violation(
                at="spec.enableServiceLinks",
                about=server.container.name,
                because=f"{service.ref} gives container {server.container.name} a URL as {_VARIABLE}"
                + (", at its next start: it started before the Service was there" if waits else ""),
                severity=severity,
                symptom="HTTP 503 after the next restart: the server exits at start" if waits else None,
                related=(service.ref,),
                fix=_fix(pod),
            )


def _links(service: Service) -> bool:
    return not service.is_headless and not service.is_external_name and not service.is_going


def _mentions_variable(server: Server) -> bool:
    """Whether the command sets or unsets the variable itself."""
    return any(_VARIABLE in word for word in (*server.container.command, *server.container.args))


def _severity(pod: Pod, server: Server, service: Service) -> Severity | None:
    """Error where the server cannot start, warning where its next start fails, None where it runs in spite of it."""
    if pod.is_stateless:
        return ERROR
    running = [state.status for state in states(pod) if state.container is server.container]
    status = next((entry for entry in running if entry.state.running is not None), None)
    started = parse_time(status.state.running.started_at) if status and status.state.running else None
    created = parse_time(service.metadata.creation_timestamp)
    is_older = None if started is None or created is None else created < started
    if is_older is False:
        return WARNING
    is_ready = status.ready if status is not None else not running and pod.is_ready
    if not is_ready:
        return ERROR
    return None if is_older else WARNING


def _fix(pod: Pod) -> Fix:
    title = "set enableServiceLinks: false in the pod template (its pods restart)"
    place = template_of(pod)
    if place is None:
        return Fix(title=title, safety="manual")
    target, template = place
    path = template.join("spec.enableServiceLinks").pointer
    return Fix(title=title, safety="unsafe", target=target, patch=(Operation("add", path, False),))
