"""TargetIsScrapedOnce."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.exporters import metric_prefixes
from platform_health.domain.monitoring import READERS, namespaces_of, selecting
from platform_health.domain.promql import summed_selectors
from platform_health.domain.targets import Address, Target, targets
from platform_health.invariant import ERROR, WARNING, Inventory, Ref, Violation, invariant
from platform_health.views.core import Service
from platform_health.views.monitoring import Endpoint, PodMonitor, PrometheusRule, ServiceMonitor
from platform_health.views.scaling import ScaledObject

Monitor = ServiceMonitor | PodMonitor
_TELLS_APART = {"job", "endpoint", "container", "service"}


@invariant(
    severity=WARNING,
    symptom="doubled sums: every series is there twice, under two jobs",
    category="observability",
    needs=(*READERS, Service, PrometheusRule, ScaledObject),
)
def target_is_scraped_once(monitor: ServiceMonitor | PodMonitor, inventory: Inventory) -> Iterator[Violation]:
    """No target is scraped twice by one Prometheus.

    Why: two monitors that lead to the same address give every series twice, with different `job` labels. Whoever sums
    over them, a scaler for instance, counts double and scales too far.

    Remedy: delete one of the two, or give them disjoint metricRelabelings.

    See: prometheus-operator, labels `job` and `endpoint` of scraped targets.
    """
    mine = {target.address: target for target in targets(monitor, inventory) if not _filters(target.endpoint)}
    yield from _within(monitor, inventory)
    for other in _others(monitor, mine, inventory):
        with inventory.part():
            theirs = [target for target in targets(other, inventory) if not _filters(target.endpoint)]
            shared = [mine[target.address] for target in theirs if target.address in mine]
            if shared and _by(monitor, other, inventory):
                yield _violation(monitor, shared[0], f"{other.ref} too", len(shared), other.ref, inventory)


def _within(monitor: Monitor, inventory: Inventory) -> Iterator[Violation]:
    """Two endpoints of the same monitor that lead to the same address."""
    seen: dict[Address, Target] = {}
    for target in targets(monitor, inventory):
        earlier = seen.setdefault(target.address, target)
        if earlier.at != target.at and not _filters(target.endpoint) and not _filters(earlier.endpoint):
            yield _violation(monitor, target, f"another endpoint of the monitor, {earlier.at}", 1, None, inventory)
            return


def _others(monitor: Monitor, mine: dict[Address, Target], inventory: Inventory) -> Iterator[Monitor]:
    places = {address.pod.namespace for address in mine}
    found: list[Monitor] = [*inventory.modifying(ServiceMonitor), *inventory.modifying(PodMonitor)]
    for other in found if places else ():
        looks_into = namespaces_of(other, inventory)
        if _order(other) < _order(monitor) and (looks_into is None or places & set(looks_into)):
            yield other


def _order(monitor: Monitor) -> tuple[str, str, str, str]:
    """The older one is not to blame; where no age is known, the names decide."""
    kind, _, namespace, name = monitor.ref.sort_key
    return (monitor.metadata.creation_timestamp or "", "1" if kind == "PodMonitor" else "2", namespace, name)


def _filters(endpoint: Endpoint) -> bool:
    """Whether relabelings may keep the targets or the metrics of two endpoints apart."""
    rules = (*endpoint.relabelings, *endpoint.metric_relabelings)
    return any(rule.action.lower() in ("keep", "drop", "keepequal", "dropequal") for rule in rules)


def _by(monitor: Monitor, other: Monitor, inventory: Inventory) -> bool:
    """Whether one Prometheus selects both; Unknown where who selects them is not known."""
    return bool({one.ref for one in selecting(monitor, inventory)} & {one.ref for one in selecting(other, inventory)})


def _violation(
    monitor: Monitor, target: Target, twin: str, count: int, other: Ref | None, inventory: Inventory
) -> Violation:
    summed = _summed(target, inventory)
    more = f" and {count - 1} more" if count > 1 else ""
    return Violation(
        at=target.at,
        about=str(other or "itself"),
        because=f"port {target.address.port} of {target.pod.workload}{more} is scraped by {twin}"
        + (f"; {summed} sums over it" if summed else ""),
        severity=ERROR if summed else WARNING,
        related=(other,) if other else (),
    )


def _summed(target: Target, inventory: Inventory) -> str | None:
    """A scaler or rule that sums or counts the target's metrics without telling the two scrapes apart."""
    prefixes = metric_prefixes(target.pod)
    asking: list[tuple[Ref, str]] = []
    if inventory.is_known(ScaledObject):
        for scaler in inventory.modifying(ScaledObject):
            asking += [(scaler.ref, trigger.metadata.get("query", "")) for _, trigger in scaler.triggers()]
    if inventory.is_known(PrometheusRule):
        for rules in inventory.modifying(PrometheusRule):
            asking += [(rules.ref, str(rule.expr)) for _, rule in rules.rules()]
    for ref, query in asking if prefixes else ():
        for selector in summed_selectors(query) if query else ():
            told = {matcher.name for matcher in selector.matchers}
            if selector.name.startswith(prefixes) and not told & _TELLS_APART:
                return str(ref)
    return None
