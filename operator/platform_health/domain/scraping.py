"""How often targets are scraped."""

from __future__ import annotations

from platform_health.domain.durations import seconds
from platform_health.inventory import Inventory, Unknown
from platform_health.views.monitoring import PodMonitor, Prometheus, ServiceMonitor

DEFAULT_SECONDS = 30.0
"""prometheus-operator's ``scrapeInterval`` where a Prometheus has none."""


def shortest_interval(inventory: Inventory) -> float:
    """The shortest time between two scrapes of any target, in seconds; Unknown without a Prometheus and its monitors."""
    instances = inventory.every(Prometheus)
    if any(entry.spec.additional_scrape_configs is not None for entry in instances):
        raise Unknown("a Prometheus scrapes by a configuration that is not read")
    defaults = [seconds(entry.spec.scrape_interval) or DEFAULT_SECONDS for entry in instances]
    intervals = [
        seconds(endpoint.interval) if endpoint.interval else min(defaults)
        for monitor in (*inventory.modifying(ServiceMonitor), *inventory.modifying(PodMonitor))
        for _, endpoint in monitor.endpoints()
    ]
    if not intervals:
        raise Unknown("no monitor is known")
    return min(DEFAULT_SECONDS if interval is None else interval for interval in intervals)
