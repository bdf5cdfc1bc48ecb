"""MonitorIsValid."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.durations import seconds
from platform_health.domain.monitoring import READERS, selecting
from platform_health.invariant import ERROR, Inventory, Path, Unknown, Violation, invariant
from platform_health.views.core import ConfigMap, KeySelector, Secret
from platform_health.views.monitoring import Endpoint, PodMonitor, Relabeling, ServiceMonitor
from platform_health.views.view import SPEC, condition

_NEEDS_TARGET = ("replace", "hashmod", "lowercase", "uppercase", "keepequal", "dropequal")


@invariant(
    severity=ERROR,
    symptom="no data: the operator rejects the monitor as a whole",
    category="observability",
    needs=(*READERS, Secret, ConfigMap),
)
def monitor_is_valid(monitor: ServiceMonitor | PodMonitor, inventory: Inventory) -> Iterator[Violation]:
    """The Prometheus operator accepts every ServiceMonitor and PodMonitor.

    Why: a monitor that refers to a missing key, sets a scrape timeout above its interval, or has an incomplete
    relabeling is left out of the configuration, with all of its endpoints. Secrets are looked up in the namespace of
    the monitor, not of the Prometheus.

    Remedy: create the Secret or key, or correct the field. Nothing is changed automatically.

    See: prometheus-operator, event `InvalidConfiguration`.
    """
    said = [condition(binding.conditions, "Accepted") for binding in monitor.status.bindings]
    current = [entry for entry in said if entry and entry.observed_generation in (0, monitor.metadata.generation)]
    for entry in current:
        if entry.status == "False":
            yield Violation(at=SPEC, because=f"the operator rejects it: {entry.message or entry.reason}")
            return
    if current and len(current) == len(said):
        return
    for at, endpoint in monitor.endpoints():
        yield from _references(monitor, at, endpoint, inventory)
        yield from _timing(at, endpoint)
        yield from _relabelings(at, endpoint)
    yield from _scrape_class(monitor, inventory)


def _references(
    monitor: ServiceMonitor | PodMonitor, at: Path, endpoint: Endpoint, inventory: Inventory
) -> Iterator[Violation]:
    for step, selector in endpoint.secrets():
        with inventory.part():
            if not selector.optional:
                secret = inventory.named(Secret, monitor.namespace, selector.name)
                yield from _missing(
                    at.join(step), "Secret", monitor.namespace, selector, secret.keys if secret else None
                )
    for step, selector in endpoint.config_maps():
        with inventory.part():
            if not selector.optional:
                config = inventory.named(ConfigMap, monitor.namespace, selector.name)
                if config is not None and selector.key not in config.data:
                    raise Unknown(f"key {selector.key} of {config.ref} may be among its binary data")
                keys = None if config is None else set(config.data)
                yield from _missing(at.join(step), "ConfigMap", monitor.namespace, selector, keys)


def _missing(at: Path, kind: str, namespace: str, selector: KeySelector, keys: set[str] | None) -> Iterator[Violation]:
    about = f"{kind} {selector.name} {selector.key}"
    if keys is None:
        because = f"{kind} {namespace}/{selector.name} does not exist; it is looked up beside the monitor"
        yield Violation(at=at / "name", about=about, because=because)
    elif selector.key not in keys:
        because = f"{kind} {namespace}/{selector.name} has no key {selector.key}, it has {', '.join(sorted(keys))}"
        yield Violation(at=at / "key", about=about, because=because)


def _timing(at: Path, endpoint: Endpoint) -> Iterator[Violation]:
    interval, timeout = seconds(endpoint.interval), seconds(endpoint.scrape_timeout)
    if interval and timeout and timeout > interval:
        because = f"scrapeTimeout {endpoint.scrape_timeout} is longer than the interval {endpoint.interval}"
        yield Violation(at=at / "scrapeTimeout", about=f"timeout {endpoint.port}", because=because)


def _relabelings(at: Path, endpoint: Endpoint) -> Iterator[Violation]:
    fields = (("relabelings", endpoint.relabelings), ("metricRelabelings", endpoint.metric_relabelings))
    for field, rules in fields:
        for index, rule in enumerate(rules):
            if _lacks_target(rule):
                because = f"a relabeling of action {rule.action} needs a targetLabel"
                yield Violation(at=at / field / index, about=f"{field} {endpoint.port} {rule.regex}", because=because)


def _lacks_target(rule: Relabeling) -> bool:
    return rule.action.lower() in _NEEDS_TARGET and not rule.target_label


def _scrape_class(monitor: ServiceMonitor | PodMonitor, inventory: Inventory) -> Iterator[Violation]:
    wanted = monitor.spec.scrape_class
    if not wanted:
        return
    scrapers = selecting(monitor, inventory)
    if scrapers and all(wanted not in [entry.name for entry in found.spec.scrape_classes] for found in scrapers):
        because = f"scrape class {wanted} is not defined by {scrapers[0].ref}"
        yield Violation(at=SPEC / "scrapeClass", about=f"class {wanted}", because=because)
