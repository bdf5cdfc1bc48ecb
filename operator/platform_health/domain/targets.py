"""The targets that an endpoint of a monitor makes: which port of which pod, under which path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from platform_health.domain.monitoring import declared_ports, names_match, pods_of_monitor, services_of
from platform_health.domain.selection import pods_of_service
from platform_health.inventory import Inventory
from platform_health.views.core import Pod
from platform_health.views.monitoring import Endpoint, Monitor, ServiceMonitor
from platform_health.views.view import Path, Ref


class Address(NamedTuple):
    """What is asked over the network; two targets with the same address are one thing scraped twice."""

    pod: Ref
    port: int
    scheme: str
    path: str
    params: tuple[tuple[str, tuple[str, ...]], ...]


class Target(NamedTuple):
    """One address with the endpoint that leads to it."""

    address: Address
    pod: Pod
    at: Path
    endpoint: Endpoint


def targets(monitor: Monitor, inventory: Inventory) -> Iterator[Target]:
    """The targets of a monitor; Unknown where its Services or pods are not shown.

    An endpoint without a port, which scrapes whatever there is, is left out.
    """
    for at, endpoint in monitor.endpoints():
        found = {(pod.ref, port): pod for pod, port in _ports(monitor, endpoint, inventory)}
        for (ref, port), pod in found.items():
            yield Target(_address(endpoint, ref, port), pod, at, endpoint)


def _address(endpoint: Endpoint, pod: Ref, port: int) -> Address:
    params = tuple(sorted((key, tuple(values)) for key, values in endpoint.params.items()))
    return Address(pod, port, endpoint.scheme.lower() or "http", endpoint.path or "/metrics", params)


def _ports(monitor: Monitor, endpoint: Endpoint, inventory: Inventory) -> Iterator[tuple[Pod, int]]:
    if not isinstance(monitor, ServiceMonitor):
        for pod in pods_of_monitor(monitor, inventory):
            yield from ((pod, port) for port in _in_pod(endpoint, pod))
        return
    for service in services_of(monitor, inventory):
        if service.selector is None or service.is_external_name:
            continue
        for pod in pods_of_service(service, inventory):
            if not endpoint.port:
                yield from ((pod, port) for port in _in_pod(endpoint, pod))
                continue
            for entry in service.spec.ports:
                port = pod.port_number(entry.target) if names_match(endpoint.port, [entry.name]) else None
                if port is not None:
                    yield pod, port


def _in_pod(endpoint: Endpoint, pod: Pod) -> Iterator[int]:
    wanted = endpoint.port_number if endpoint.port_number is not None else endpoint.target_port
    for entry in declared_ports(pod):
        if names_match(endpoint.port, [entry.name]) if endpoint.port else wanted in (entry.container_port, entry.name):
            yield entry.container_port
