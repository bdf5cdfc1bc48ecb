"""On which ports of a pod something answers, and what shows it."""

from __future__ import annotations

from collections.abc import Iterable

from platform_health.domain.command import commands
from platform_health.domain.meshes import is_meshed
from platform_health.domain.selection import is_worker, services_selecting
from platform_health.domain.servers import Server, is_harmless, is_understood, servers, servers_of
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import Container, Pod
from platform_health.views.view import Path


def evidence(pod: Pod, inventory: Inventory) -> frozenset[int]:
    """Every port for which something speaks: listened on, declared, probed, or targeted by a Service.

    A server whose command says where it listens listens nowhere else, whatever its container declares; only a probe
    that a running pod passes says more.
    """
    open_ = [container for _, container in pod.spec.long_running() if not _says_its_port(container)]
    probed = open_ if pod.is_stateless else [container for _, container in pod.spec.long_running()]
    targeted = _targeted(pod, inventory) if open_ else frozenset[int]()
    return listening(pod) | _declared(open_) | _probed(probed) | targeted


def declared(pod: Pod) -> frozenset[int]:
    """The TCP ports that long-running containers declare."""
    return _declared(container for _, container in pod.spec.long_running())


def _declared(containers: Iterable[Container]) -> frozenset[int]:
    return frozenset(
        port.container_port for container in containers for port in container.ports if port.protocol == "TCP"
    )


def _says_its_port(container: Container) -> bool:
    found = list(servers_of(container, Path("")))
    return bool(found) and is_understood(container) and all(entry.command.has("--port") for entry in found)


def listening(pod: Pod) -> frozenset[int]:
    """The ports that recognised servers listen on or may listen on (each rank of data parallelism has one)."""
    return frozenset(port for server in servers(pod) for port in _may_listen(server))


def _may_listen(server: Server) -> frozenset[int]:
    ports = server.ports or frozenset()
    ranks = 0
    for flag in ("--data-parallel-size", "-dp", "--data-parallel-size-local", "-dpl", "--dp-size", "--dp"):
        for text in server.command.values(flag):
            ranks = max(ranks, int(text) if text.isdigit() else 64)
    return ports | frozenset(port + rank for port in ports for rank in range(ranks))


def _probed(containers: Iterable[Container]) -> frozenset[int]:
    return frozenset(
        number
        for container in containers
        for _, probe in container.probes()
        if probe.port is not None and (number := container.port_number(probe.port)) is not None
    )


def _targeted(pod: Pod, inventory: Inventory) -> frozenset[int]:
    """The pod ports that Services lead to; those that Istio makes for pools say nothing of the pods."""
    return frozenset(
        number
        for service in services_selecting(pod, inventory)
        for port in service.spec.ports
        if (number := pod.port_number(port.target)) is not None
    )


def is_certain(pod: Pod, inventory: Inventory) -> bool:
    """Whether what a pod listens on is known for sure: each container is understood or declares its ports."""
    return not is_meshed(pod, inventory) and all(_is_certain(container) for _, container in pod.spec.long_running())


def _is_certain(container: Container) -> bool:
    if is_understood(container):
        return True
    recognised = any(True for _ in servers_of(container, Path("")))
    return not recognised and any(port.protocol == "TCP" for port in container.ports)


def literal_ports(pod: Pod) -> frozenset[int]:
    """The ports that the servers of a pod are known to listen on; Unknown where one is not literal."""
    found = [server.ports for server in servers(pod)]
    if any(ports is None for ports in found):
        raise Unknown(f"a port of {pod.workload} is not literal")
    return frozenset(port for ports in found if ports for port in ports)


def serves_nothing(pod: Pod) -> bool:
    """Whether the pod is known to answer no requests: all that runs in it is headless, a Ray worker, or idle."""
    if pod.labels.get("ray.io/serve") == "true":
        return False
    if pod.labels.get("ray.io/node-type") == "worker":
        return not any(True for _ in servers(pod))
    found = list(servers(pod))
    if any(server.ports is None or server.ports for server in found):
        return False
    if found and any(server.is_headless for server in found):
        return True
    return is_worker(pod) and all(is_follower(container) for _, container in pod.spec.long_running())


def is_follower(container: Container) -> bool:
    """Whether a container only joins a Ray cluster, or does nothing."""
    found = commands(container)
    return bool(found) and all(
        (command.program == "ray" and command.arguments[:1] == ("start",) and not command.has("--head"))
        or command.program in ("sleep", "tail")
        for command in found
        if not is_harmless(command)
    )
