"""Which Prometheus selects a monitor or a rule, and what an endpoint of a monitor scrapes.

Facts: prometheus-operator 0.93, ``pkg/prometheus/resource_selector.go`` (selectObjects), ``pkg/operator/operator.go``
(SelectNamespacesFromCache), ``pkg/prometheus/promcfg.go`` (generateServiceMonitorConfig, generatePodMonitorConfig).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from platform_health.domain.command import commands, is_literal
from platform_health.domain.namespaces import takes_namespace
from platform_health.domain.selection import pods_matching, pods_of_service
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import MONITOR_READER, PROMETHEUS_OPERATOR, Namespace, Pod, Service
from platform_health.views.monitoring import (
    Monitor,
    PodMonitor,
    Prometheus,
    PrometheusAgent,
    PrometheusRule,
    ServiceMonitor,
    ThanosRuler,
)
from platform_health.views.telemetry import OpenTelemetryCollector, VMAgent
from platform_health.views.view import Labels, LabelSelector, View

Selectable = ServiceMonitor | PodMonitor | PrometheusRule
"""What a Prometheus or ruler selects by label and namespace."""

Scraper = Prometheus | PrometheusAgent | ThanosRuler
"""Whatever selects monitors or rules."""

READERS: tuple[type[View], ...] = (Prometheus, PrometheusAgent, Namespace, Pod, VMAgent, OpenTelemetryCollector)
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


def selections(subject: Selectable, inventory: Inventory) -> list[Selection]:
    """Every Prometheus or ruler with its view of ``subject``.

    Unknown where none is known, where one is paused, or where one takes its configuration from elsewhere.
    """
    found = []
    for scraper in _scrapers(subject, inventory):
        if scraper.spec.paused:
            raise Unknown(f"{scraper.ref} is paused, so what it selects now is not known")
        if isinstance(subject, ServiceMonitor | PodMonitor) and _is_unmanaged(scraper):
            raise Unknown(f"{scraper.ref} has no monitor selector, so its configuration is managed elsewhere")
        found.append(_selection(scraper, subject, inventory))
    return found


def _scrapers(subject: Selectable, inventory: Inventory) -> list[Scraper]:
    kinds: tuple[type[Prometheus | PrometheusAgent | ThanosRuler], ...] = (
        (Prometheus, ThanosRuler) if isinstance(subject, PrometheusRule) else (Prometheus, PrometheusAgent)
    )
    found: list[Scraper] = []
    gaps: list[Unknown] = []
    for kind in kinds:
        try:
            found.extend(scraper for scraper in inventory.every(kind) if not scraper.is_going)
        except Unknown as unknown:
            gaps.append(unknown)
    hidden = [gap for kind, gap in zip(kinds, gaps, strict=False) if not inventory.is_known(kind)]
    if gaps and (not found or hidden):
        raise gaps[0]
    return found


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
    taking: list[Scraper] = []
    gaps: list[Unknown] = []
    for selection in selections(subject, inventory):
        try:
            if selection.takes(subject.labels):
                taking.append(selection.by)
        except Unknown as unknown:
            gaps.append(unknown)
    if not taking and gaps:
        raise gaps[0]
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
    return _over(monitor, inventory, lambda place: inventory.selected(Service, place, monitor.spec.selector))
