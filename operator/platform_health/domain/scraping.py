"""How often targets are scraped."""

from __future__ import annotations

from platform_health.domain.durations import seconds
from platform_health.inventory import Inventory, Unknown
from platform_health.views.monitoring import PodMonitor, Prometheus, ServiceMonitor

DEFAULT_SECONDS = 30.0
"""prometheus-operator's ``scrapeInterval`` where a Prometheus has none."""


def shortest_interval(inventory: Inventory) -> float:
    """The shortest time in seconds between two scrapes of any target; Unknown without a Prometheus and monitors."""
    instances = inventory.every(Prometheus)
    monitors: list[ServiceMonitor | PodMonitor] = [*inventory.modifying(ServiceMonitor)]
    monitors += inventory.modifying(PodMonitor)
    if not instances or not monitors:
        raise Unknown("no Prometheus with monitors is known")
    if any(entry.spec.additional_scrape_configs is not None for entry in instances):
        raise Unknown("a Prometheus scrapes by a configuration that is not read")
    defaults = [seconds(entry.spec.scrape_interval) or DEFAULT_SECONDS for entry in instances]
    intervals = [
        seconds(endpoint.interval) if endpoint.interval else min(defaults)
        for monitor in monitors
        for _, endpoint in monitor.endpoints()
    ]
    return min((DEFAULT_SECONDS if interval is None else interval for interval in intervals), default=DEFAULT_SECONDS)
