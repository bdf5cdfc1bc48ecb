"""Which Prometheus selects a monitor or a rule, and what an endpoint of a monitor scrapes.

Facts: prometheus-operator 0.93, ``pkg/prometheus/resource_selector.go`` (selectObjects), ``pkg/operator/operator.go``
(SelectNamespacesFromCache), ``pkg/prometheus/promcfg.go`` (generateServiceMonitorConfig, generatePodMonitorConfig).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple, TypeVar

from platform_health.domain.command import commands, is_literal
from platform_health.domain.namespaces import takes_namespace
from platform_health.domain.selection import pods_matching, pods_of_service
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import MONITOR_READER, PROMETHEUS_OPERATOR, ContainerPort, Namespace, Pod, Service
from platform_health.views.monitoring import (
    Endpoint,
    Monitor,
    PodMonitor,
    Prometheus,
    PrometheusAgent,
    PrometheusRule,
    ServiceMonitor,
    ThanosRuler,
)
from platform_health.views.networking import EndpointSlice
from platform_health.views.nvidia import ClusterPolicy
from platform_health.views.telemetry import OpenTelemetryCollector, VMAgent
from platform_health.views.view import IntOrString, Labels, LabelSelector, View, label_term

V = TypeVar("V", bound=View)

Selectable = ServiceMonitor | PodMonitor | PrometheusRule
"""What a Prometheus or ruler selects by label and namespace."""

Scraper = Prometheus | PrometheusAgent | ThanosRuler
"""Whatever selects monitors or rules."""

READERS: tuple[type[View], ...] = (
    Prometheus,
    PrometheusAgent,
    Namespace,
    Pod,
    VMAgent,
    OpenTelemetryCollector,
    ClusterPolicy,
)
"""The kinds that are read to tell who selects a monitor."""


class Selection(NamedTuple):
    """How one Prometheus or ruler looks at one monitor or rule."""

    by: Scraper
    selector: LabelSelector | None
    """None selects nothing."""
    takes_namespace: bool | None
    """None where it cannot be known."""
    watches_namespace: bool
    """Whether its operator looks at the namespace at all."""

    @property
    def reaches_namespace(self) -> bool | None:
        """Whether objects of the namespace can be selected at all; None where it cannot be known."""
        return self.takes_namespace if self.watches_namespace else False

    def takes(self, labels: Labels) -> bool:
        """Whether an object with these labels is selected; Unknown where its namespace cannot be judged."""
        if self.selector is None or not self.selector.matches(labels) or self.reaches_namespace is False:
            return False
        if self.reaches_namespace is None:
            raise Unknown(f"the labels of the namespace that {self.by.ref} asks for are not known")
        return True


class Look(NamedTuple):
    """How everyone who may select looks at one monitor or rule, and why some of them cannot be judged."""

    selections: list[Selection]
    gaps: list[str]


def look(subject: Selectable, inventory: Inventory) -> Look:
    """Every Prometheus or ruler with its view of ``subject``; Unknown where none is known.

    One that is paused, or that takes its configuration from elsewhere, is a gap.
    """
    kinds: tuple[type[Prometheus | PrometheusAgent | ThanosRuler], ...] = (
        (Prometheus, ThanosRuler) if isinstance(subject, PrometheusRule) else (Prometheus, PrometheusAgent)
    )
    found = Look([], [])
    for kind in kinds:
        if not inventory.is_known(kind):
            found.gaps.append(f"{kind.kind.plural} cannot be read")
            continue
        for scraper in inventory.modifying(kind):
            why_not = _why_not(scraper, subject)
            if why_not is not None:
                found.gaps.append(why_not)
            else:
                found.selections.append(_selection(scraper, subject, inventory))
    if not found.selections and not found.gaps:
        inventory.every(kinds[0])
    return found


def _why_not(scraper: Scraper, subject: Selectable) -> str | None:
    if scraper.spec.paused:
        return f"{scraper.ref} is paused, so what it selects now is not known"
    if not isinstance(subject, PrometheusRule) and _is_unmanaged(scraper):
        return f"{scraper.ref} has no monitor selector, so its configuration is managed elsewhere"
    return None


def _is_unmanaged(scraper: Scraper) -> bool:
    spec = scraper.spec
    selectors = (
        spec.service_monitor_selector,
        spec.pod_monitor_selector,
        spec.probe_selector,
        spec.scrape_config_selector,
    )
    return all(selector is None for selector in selectors)


def _selection(scraper: Scraper, subject: Selectable, inventory: Inventory) -> Selection:
    spec = scraper.spec
    if isinstance(subject, PrometheusRule):
        selector, namespaces = spec.rule_selector, spec.rule_namespace_selector
    elif isinstance(subject, PodMonitor):
        selector, namespaces = spec.pod_monitor_selector, spec.pod_monitor_namespace_selector
    else:
        selector, namespaces = spec.service_monitor_selector, spec.service_monitor_namespace_selector
        if isinstance(scraper, PrometheusAgent) and spec.mode == "DaemonSet":
            selector = None
    if namespaces is None:
        taken: bool | None = subject.namespace == scraper.namespace
    else:
        try:
            taken = takes_namespace(namespaces, subject.namespace, inventory)
        except Unknown:
            taken = None
    return Selection(scraper, selector, taken, _is_watched(scraper, subject.namespace, inventory))


def selecting(subject: Selectable, inventory: Inventory) -> list[Scraper]:
    """Everyone who selects ``subject``; Unknown where nobody certainly does and somebody may."""
    return taking(look(subject, inventory), subject.labels)


def taking(seen: Look, labels: Labels) -> list[Scraper]:
    """Those who would select the subject under these labels; Unknown where nobody certainly does and somebody may."""
    taking: list[Scraper] = []
    gaps = list(seen.gaps)
    for selection in seen.selections:
        try:
            if selection.takes(labels):
                taking.append(selection.by)
        except Unknown as unknown:
            gaps.append(unknown.because)
    if not taking and gaps:
        raise Unknown(gaps[0])
    return taking


def has_other_reader(inventory: Inventory) -> bool:
    """Whether something beside the Prometheus operator takes monitors and rules."""
    return bool(
        inventory.modifying(VMAgent)
        or any(collector.reads_monitors for collector in inventory.modifying(OpenTelemetryCollector))
        or inventory.modifying(Pod, term=MONITOR_READER)
    )


# --- the operator's own scope ----------------------------------------------------------------------------------------


class Scope(NamedTuple):
    """Which namespaces one prometheus-operator looks at; empty sets mean all, or none denied."""

    namespaces: frozenset[str]
    denied: frozenset[str]
    instances: frozenset[str]

    def manages(self, namespace: str) -> bool:
        """Whether a Prometheus in this namespace is its business."""
        return self._allows(self.instances or self.namespaces, namespace)

    def watches(self, namespace: str) -> bool:
        """Whether it looks at monitors of this namespace."""
        return self._allows(self.namespaces, namespace)

    def _allows(self, allowed: frozenset[str], namespace: str) -> bool:
        return (not allowed or namespace in allowed) and namespace not in self.denied


def _is_watched(scraper: Scraper, namespace: str, inventory: Inventory) -> bool:
    operators = [_scope(pod) for pod in inventory.modifying(Pod, term=PROMETHEUS_OPERATOR) if not pod.is_over]
    managing = [scope for scope in operators if scope.manages(scraper.namespace)]
    return not managing or any(scope.watches(namespace) for scope in managing)


def _scope(pod: Pod) -> Scope:
    def names(*flags: str) -> frozenset[str]:
        values = [
            value
            for _, container in pod.spec.long_running()
            for command in commands(container)
            for value in command.values(*flags)
        ]
        found = {name for value in values for name in value.split(",") if name and is_literal(name)}
        return frozenset(found) if all(map(is_literal, values)) else frozenset()

    return Scope(
        names("--namespaces", "-namespaces"),
        names("--deny-namespaces", "-deny-namespaces"),
        names("--prometheus-instance-namespaces", "-prometheus-instance-namespaces"),
    )


# --- what a monitor means --------------------------------------------------------------------------------------------


def namespaces_of(monitor: Monitor, inventory: Inventory) -> tuple[str, ...] | None:
    """The namespaces that a monitor looks into; None: all of them."""
    selector = monitor.spec.namespace_selector
    if (selector.any or selector.match_names) and _is_confined(monitor, inventory):
        return (monitor.namespace,)
    if selector.any:
        return None
    return selector.match_names or (monitor.namespace,)


def _is_confined(monitor: Monitor, inventory: Inventory) -> bool:
    """Whether every Prometheus that may select the monitor ignores its namespaceSelector."""
    try:
        scrapers = selecting(monitor, inventory)
    except Unknown:
        return False
    return bool(scrapers) and all(scraper.spec.ignore_namespace_selectors for scraper in scrapers)


def services_of(monitor: ServiceMonitor, inventory: Inventory) -> list[Service]:
    """The Services that a ServiceMonitor matches; Unknown where no match proves nothing."""
    found, gaps = _over(monitor, inventory, partial(_services, monitor.spec.selector, inventory))
    if not found:
        gaps += _made_elsewhere(monitor, inventory)
    if not found and gaps:
        raise Unknown(gaps[0])
    return found


API_SERVER = {"component": "apiserver", "provider": "kubernetes"}
GPU_EXPORTER_LABELS = {"app": "nvidia-dcgm-exporter"}
"""The labels of the Service and the pods that the GPU operator makes."""


def _made_elsewhere(monitor: ServiceMonitor, inventory: Inventory) -> Iterator[str]:
    """Why the Services of a monitor may be there although nobody shows them."""
    selector, places = monitor.spec.selector, namespaces_of(monitor, inventory) or ()
    if "kube-system" in places:
        yield "the control plane in kube-system may be run elsewhere, and Prometheus's operator adds a Service there"
    if selector.matches(API_SERVER):
        yield "Service default/kubernetes is in every cluster"
    if selector.matches(GPU_EXPORTER_LABELS) and inventory.modifying(ClusterPolicy):
        yield "the GPU operator makes the Service of its exporter"


def pods_of_monitor(monitor: Monitor, inventory: Inventory) -> list[Pod]:
    """The pods that a monitor scrapes in the end; Unknown where none proves nothing."""
    if isinstance(monitor, PodMonitor):
        found, gaps = _over(monitor, inventory, partial(_pods, monitor.spec.selector, inventory))
    else:
        found, gaps = [], []
        for service in services_of(monitor, inventory):
            try:
                found.extend(pods_of_service(service, inventory))
            except Unknown as unknown:
                gaps.append(unknown.because)
    if not found and gaps:
        raise Unknown(gaps[0])
    return list({pod.ref: pod for pod in found}.values())


def _services(selector: LabelSelector, inventory: Inventory, place: str | None) -> list[Service]:
    return [service for service in inventory.selected(Service, place, selector) if not service.is_going]


def _pods(selector: LabelSelector, inventory: Inventory, place: str | None) -> list[Pod]:
    return pods_matching(place, selector, inventory)


def _over(monitor: Monitor, inventory: Inventory, ask: Callable[[str | None], list[V]]) -> tuple[list[V], list[str]]:
    found: list[V] = []
    gaps: list[str] = []
    for place in namespaces_of(monitor, inventory) or (None,):
        try:
            found.extend(ask(place))
        except Unknown as unknown:
            gaps.append(unknown.because)
    return found, gaps


def is_complete(monitor: Monitor, inventory: Inventory) -> None:
    """Raises Unknown where some of the namespaces that a monitor names are not shown."""
    kind: type[Service | Pod] = Pod if isinstance(monitor, PodMonitor) else Service
    for place in namespaces_of(monitor, inventory) or ():
        inventory.selected(kind, place, monitor.spec.selector)


# --- ports -----------------------------------------------------------------------------------------------------------


def names_match(pattern: str, names: Iterable[str]) -> bool:
    """Whether an anchored regular expression, which is what ``port`` is, matches one of the names."""
    try:
        return any(re.fullmatch(pattern, name) for name in names if name)
    except re.error:
        raise Unknown(f"port {pattern!r} is a regular expression that is not understood here") from None


def is_found_in_service(endpoint: Endpoint, service: Service, inventory: Inventory) -> bool:
    """Whether an endpoint of a ServiceMonitor finds its port behind a Service; Unknown where that is not shown."""
    if service.is_external_name:
        return not endpoint.port or names_match(endpoint.port, port_names(service))
    if endpoint.port:
        return names_match(endpoint.port, port_names(service)) or (
            service.selector is None and names_match(endpoint.port, _slice_port_names(service, inventory))
        )
    if endpoint.target_port is None:
        return True
    if any(entry.target == endpoint.target_port for entry in service.spec.ports if isinstance(entry.target, int)):
        return True
    pods = pods_of_service(service, inventory)
    if not pods:
        raise Unknown(f"{service.ref} has no pods that could show port {endpoint.target_port}")
    return any(declares(pod, endpoint.target_port) for pod in pods)


def asked_port(endpoint: Endpoint) -> tuple[str, IntOrString]:
    """The field that decides which port an endpoint scrapes, and its value; an empty value where none does."""
    if endpoint.port:
        return "port", endpoint.port
    if endpoint.port_number is not None:
        return "portNumber", endpoint.port_number
    return "targetPort", "" if endpoint.target_port is None else endpoint.target_port


def port_names(service: Service) -> list[str]:
    """The names of a Service's ports, without the unnamed one."""
    return [entry.name for entry in service.spec.ports if entry.name]


def _slice_port_names(service: Service, inventory: Inventory) -> list[str]:
    term = label_term("kubernetes.io/service-name", service.name)
    slices = inventory.referring(EndpointSlice, term, service.namespace)
    if not slices:
        raise Unknown(f"{service.ref} has no selector, and no EndpointSlice of it is shown")
    return [entry.name for found in slices for entry in found.ports]


def is_found_in_pod(endpoint: Endpoint, pod: Pod) -> bool:
    """Whether an endpoint of a PodMonitor finds its port in a pod: port, else portNumber, else targetPort."""
    if endpoint.port:
        return names_match(endpoint.port, (entry.name for entry in declared_ports(pod)))
    wanted = endpoint.port_number if endpoint.port_number is not None else endpoint.target_port
    return wanted is None or declares(pod, wanted)


def declares(pod: Pod, port: IntOrString) -> bool:
    """Whether some container, init containers too, declares a port of this number or name."""
    return any(port in (entry.container_port, entry.name) for entry in declared_ports(pod))


def declared_ports(pod: Pod) -> Iterator[ContainerPort]:
    """The ports of all containers, init containers too, which is what Prometheus discovers."""
    for _, container in pod.spec.all_containers():
        yield from container.ports
