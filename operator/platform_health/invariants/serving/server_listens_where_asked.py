"""ServerListensWhereAsked."""

from __future__ import annotations

import re
from collections.abc import Iterator

from platform_health.domain.reachable import Listening, listening, one_per_template
from platform_health.domain.selection import pods_of_service
from platform_health.invariant import ERROR, Fix, Inventory, Operation, Path, Violation, invariant, pointer
from platform_health.views.core import Namespace, Pod, Service, ServicePort

_AUXILIARY = re.compile(
    r"(^|-)(zmq|kv|events?|nixl|ucx|lmcache|bootstrap|rpc|grpc|dist|nccl|gloo|ray|metrics?|p2p|debug)(-|$)"
    r"|^(5556|5557|5600)$"
)
"""Ports that are not for the requests of clients, by their names or well-known numbers."""


@invariant(severity=ERROR, symptom="HTTP 502 or 503: connection refused", needs=(Pod, Namespace), fixes=(Service,))
def server_listens_where_asked(service: Service, inventory: Inventory) -> Iterator[Violation]:
    """A Service of model servers leads to a port on which they listen, and so do their probes.

    Why: `targetPort` and the probes' ports are only numbers; what counts is the `--port` of the server, or its default.
    Where they differ, connections are refused. A server that is bound to 127.0.0.1 (`--host 127.0.0.1`, an
    `OLLAMA_HOST` of localhost) can be reached by nobody outside of its pod. One port of the Service that leads to the
    server is enough; `containerPort` opens nothing and is never wrong.

    Remedy: set `targetPort` to the port of the server, or `--port` to the port that is asked. Bind to 0.0.0.0.

    See: Kubernetes, "Service"; vLLM, "vllm serve"; Ollama, "How do I configure Ollama server?".
    """
    if service.selector is None or service.is_external_name or service.is_headless or service.is_shadow:
        return
    found = [listening(pod, inventory) for pod in one_per_template(pods_of_service(service, inventory))]
    found = [entry for entry in found if not _computes_only(entry)]
    if not found or not all(entry.servers for entry in found):
        return
    probes: list[Violation] = []
    for entry in found:
        with inventory.part():
            probes.extend(_probes(entry))
    yield from probes
    ports = [(at, port) for at, port in service.ports() if port.protocol == "TCP" and not _AUXILIARY.search(port.name)]
    ports = [(at, port) for at, port in ports if not _AUXILIARY.search(str(port.target))]
    if ports and not any(_leads(port, entry) for _, port in ports for entry in found):
        yield _violation(service, ports[0][0], [port for _, port in ports], found, fixable=not probes)


def _computes_only(entry: Listening) -> bool:
    """Whether a pod's servers serve no HTTP at all: followers of several nodes."""
    return bool(entry.servers) and all(server.ports == frozenset() for server in entry.servers)


def _leads(port: ServicePort, entry: Listening) -> bool:
    number = entry.pod.port_number(port.target)
    return number is not None and number != 0 and entry.may_reach(number)


def _violation(
    service: Service, at: Path, ports: list[ServicePort], found: list[Listening], *, fixable: bool
) -> Violation:
    entry = found[0]
    asked = " or ".join(str(port.target) for port in ports)
    local = ", ".join(sorted({server.container.name for server in entry.local}))
    if local:
        why = f"container {local} listens on the loopback address alone"
    else:
        listens = ", ".join(map(str, sorted(entry.server_ports)))
        why = f"container {entry.servers[0].container.name} listens on {listens}"
    return Violation(
        at=at / "targetPort",
        because=f"nothing listens on targetPort {asked} in the pods of {entry.pod.workload}: {why}",
        related=tuple(dict.fromkeys(entry.pod.workload for entry in found)),
        verify=f"kubectl get endpoints -n {service.namespace} {service.name}",
        fix=_fix(service, found) if fixable else None,
    )


def _fix(service: Service, found: list[Listening]) -> Fix | None:
    """The one port on which every pod's one server listens, where the Service has one port."""
    listens = {entry.server_ports for entry in found}
    alone = len(listens) == 1 and all(len(entry.servers) == 1 and not entry.local for entry in found)
    numbers = next(iter(listens)) if alone else frozenset()
    if len(numbers) != 1 or len(service.spec.ports) != 1:
        return None
    number = next(iter(numbers))
    path = pointer("spec", "ports", 0, "targetPort")
    is_new = service.spec.ports[0].target_port is None
    operation = Operation("add", path, number) if is_new else Operation("replace", path, number)
    return Fix(title=f"set targetPort to {number}", safety="safe", target=service.ref, patch=(operation,))


def _probes(entry: Listening) -> Iterator[Violation]:
    """Probes of a server's container that ask a port on which nothing listens."""
    for server in entry.servers:
        if server in entry.local or not server.ports:
            continue
        container = server.container
        for field, probe in container.probes():
            port = probe.port
            if port is None:
                continue
            number = container.port_number(port)
            if number is not None and entry.may_reach(number):
                continue
            because = (
                f"asks port {port}, on which nothing listens" if number else f"asks port {port}, which is not declared"
            )
            yield Violation(
                at="spec.selector",
                about=f"{entry.pod.workload.name} {container.name} {field}",
                because=f"the {field} of container {container.name} of {entry.pod.workload} {because}: the server "
                f"listens on {', '.join(map(str, sorted(server.ports)))}",
                symptom="HTTP 503: the pods never become Ready, or restart",
                related=(entry.pod.workload,),
            )
