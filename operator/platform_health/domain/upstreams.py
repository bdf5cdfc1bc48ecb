"""In-cluster addresses: which Service a URL means, and why it does not lead anywhere.

A host means a Service where it has the form ``name``, ``name.namespace``, ``name.namespace.svc`` or
``name.namespace.svc.domain`` (a label more in front for one pod of a headless Service). Two labels may as well be a
domain of the internet; they mean a Service only where that namespace exists, or where a Service of that name does.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from platform_health.domain.readiness import start_allowance, unready_since, why_not_ready
from platform_health.domain.selection import pods_of_service
from platform_health.invariant import nearest
from platform_health.inventory import Inventory, Unknown
from platform_health.views.apps import Deployment, StatefulSet
from platform_health.views.core import Namespace, Pod, Service
from platform_health.views.view import LabelSelector, Ref, View

NEEDS: tuple[type[View], ...] = (Service, Pod, Namespace, Deployment, StatefulSet)
"""The kinds that are read to tell whether an address leads anywhere."""

SCHEMES = {"http": 80, "https": 443, "redis": 6379, "rediss": 6379, "grpc": 80}
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?\Z")
DOMAIN = re.compile(r"com|org|net|io|ai|dev|app|cloud|co|tech|xyz|info|biz|gov|edu|sh|so|[a-z]{2}")
"""Last labels that are domains of the internet rather than namespaces, where no namespace of that name is known."""
_PRIVATE = frozenset(("local", "internal", "lan", "corp", "home", "localhost", "localdomain"))


class Address(NamedTuple):
    """A URL taken apart, without what may be a credential. ``port`` is the scheme's where the URL names none."""

    scheme: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class BadUrl(NamedTuple):
    """Why a text is no URL that can be called."""

    because: str


class Place(NamedTuple):
    """A Service and its port as an address means them. ``is_sure`` is False for what may be a host of the internet."""

    namespace: str
    name: str
    port: int
    is_sure: bool = True

    def __str__(self) -> str:
        return f"Service {self.namespace}/{self.name}"


class Problem(NamedTuple):
    """Why an address leads nowhere."""

    because: str
    nearest: str | None = None
    follows: tuple[Ref, ...] = ()
    verify: str | None = None


def address(url: str, schemes: tuple[str, ...] = ("http", "https")) -> Address | BadUrl:
    """The parts of a URL, or why it is none."""
    if "://" not in url:
        return BadUrl(f"it has no scheme, expected {schemes[0]}://…")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return BadUrl("its port is not a number from 1 to 65535")
    if parts.scheme.lower() not in schemes:
        return BadUrl(f"its scheme is {parts.scheme}, expected {' or '.join(schemes)}")
    if not parts.hostname:
        return BadUrl("it has no host")
    if port == 0:
        return BadUrl("its port is 0, expected 1 to 65535")
    return Address(parts.scheme.lower(), parts.hostname, port or SCHEMES[parts.scheme.lower()], parts.path)


def shown(url: str) -> str:
    """A URL for people: without user, password and query."""
    head, separator, rest = url.partition("://")
    if not separator:
        return url if "@" not in url else url.rpartition("@")[2]
    authority, slash, path = rest.partition("?")[0].partition("/")
    return f"{head}://{authority.rpartition('@')[2]}{slash}{path}"


def place(host: str, port: int, namespace: str | None) -> Place | None:
    """The Service that a host may mean, None where it means none; a short name is one of ``namespace``.

    Unknown where a short name stands in a file of no namespace.
    """
    host = host.lower().removesuffix(".")
    if not _HOST.match(host) or _is_number(host):
        return None
    labels = host.split(".")
    if "svc" in labels[2:4]:
        at = labels.index("svc", 2)
        return Place(labels[at - 1], labels[at - 2], port) if at in (2, 3) else None
    if len(labels) == 1:
        if host in _PRIVATE:
            return None
        if namespace is None:
            raise Unknown(f"the namespace in which {host} is looked up is not known")
        return Place(namespace, host, port)
    if len(labels) == 2 and labels[1] not in _PRIVATE:
        return Place(labels[1], labels[0], port, is_sure=False)
    return None


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def service_at(wanted: Place, inventory: Inventory) -> Service | None:
    """The Service of a place, None where it does not exist or the host is one of the internet; Unknown else."""
    if not wanted.is_sure and not _is_meant(wanted, inventory):
        return None
    return inventory.named(Service, wanted.namespace, wanted.name)


def problem(wanted: Place, inventory: Inventory) -> Problem | None:
    """Why a place leads nowhere, None where it leads to pods that may answer; Unknown where that is not shown."""
    if (wanted.namespace, wanted.name) == ("default", "kubernetes"):
        return None
    if not wanted.is_sure and not _is_meant(wanted, inventory):
        return None
    service = inventory.named(Service, wanted.namespace, wanted.name)
    if service is None:
        return Problem(
            f"{wanted} does not exist",
            nearest=nearest_service(wanted, inventory),
            verify=f"kubectl get service -n {wanted.namespace} {wanted.name}",
        )
    return _wrong_port(service, wanted.port) or _no_endpoints(service, inventory)


def _is_meant(wanted: Place, inventory: Inventory) -> bool:
    """Whether two labels mean a Service rather than a domain of the internet."""
    if inventory.near(Service, wanted.namespace):
        return True
    try:
        if inventory.named(Namespace, "", wanted.namespace) is not None:
            return True
    except Unknown:
        if DOMAIN.fullmatch(wanted.namespace):
            return False
        raise
    return not DOMAIN.fullmatch(wanted.namespace) and bool(_elsewhere(wanted, inventory))


def _elsewhere(wanted: Place, inventory: Inventory) -> list[str]:
    return [entry.namespace for entry in inventory.near(Service) if entry.name == wanted.name]


def nearest_service(wanted: Place, inventory: Inventory) -> str | None:
    """The Service that was probably meant: of a similar name, or of this name in the only other namespace."""
    near = nearest(wanted.name, (entry.name for entry in inventory.near(Service, wanted.namespace)))
    if near is not None:
        return near
    others = _elsewhere(wanted, inventory)
    return f"{wanted.name}.{others[0]}" if len(others) == 1 else None


def _wrong_port(service: Service, port: int) -> Problem | None:
    if service.is_external_name or service.is_headless or not service.spec.ports or service.port(port) is not None:
        return None
    ports = [str(entry.port) for entry in service.spec.ports]
    return Problem(
        f"{service.ref} has no port {port}, it has {', '.join(ports)}",
        nearest=f"port {ports[0]}" if len(ports) == 1 else None,
        verify=f"kubectl get service -n {service.namespace} {service.name}",
    )


def _no_endpoints(service: Service, inventory: Inventory) -> Problem | None:
    if service.is_external_name or service.selector is None or service.is_shadow:
        return None
    pods = pods_of_service(service, inventory)
    verify = f"kubectl get endpointslices -n {service.namespace} -l kubernetes.io/service-name={service.name}"
    if not pods:
        if is_scaled_to_zero(service.namespace, service.selector, inventory):
            return None
        return Problem(f"{service.ref} selects no pods ({service.selector})", follows=(service.ref,), verify=verify)
    if any(pod.is_ready or not inventory.lasted(unready_since(pod), start_allowance(pod)) for pod in pods):
        return None
    first = pods[0]
    return Problem(
        f"{service.ref} has no ready endpoints: pod {first.name} {why_not_ready(first, inventory)}",
        follows=tuple(dict.fromkeys(pod.workload for pod in pods)),
        verify=verify,
    )


def is_scaled_to_zero(namespace: str, selector: LabelSelector, inventory: Inventory) -> bool:
    """Whether a workload whose pods the selector would match has no replicas right now."""
    return any(
        workload.replicas == 0 and selector.matches(workload.spec.template.metadata.labels)
        for kind in (Deployment, StatefulSet)
        for workload in inventory.near(kind, namespace)
    )
