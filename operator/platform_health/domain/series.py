"""Which labels the series of a model server can have once they are scraped.

Facts: vLLM 0.9 to 0.33 label their metrics ``model_name`` and ``engine``, some with one more label; prometheus-operator
adds the target labels. Anything else comes from a monitor's relabelings, targetLabels or podTargetLabels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from platform_health.domain.monitoring import pods_of_monitor
from platform_health.domain.promql import Matcher, Selector
from platform_health.domain.servers import servers
from platform_health.inventory import Inventory, Unknown
from platform_health.views.monitoring import Monitor, PodMonitor, PrometheusRule, ServiceMonitor

_VLLM = {
    "model_name",
    "engine",
    "finished_reason",
    "reason",
    "source",
    "sleep_state",
    "stage",
    "position",
    "le",
    "quantile",
    "server",
    "max_lora",
    "running_lora_adapters",
    "waiting_lora_adapters",
    "transfer_type",
    "device",
    "lora_name",
    "modality",
    "connector",
    "method",
    "status",
    "handler",
    "error",
}
_TARGET = {
    "__name__",
    "namespace",
    "service",
    "pod",
    "container",
    "node",
    "endpoint",
    "job",
    "instance",
    "cluster",
    "prometheus",
    "prometheus_replica",
    "replica",
    "exported_namespace",
    "exported_pod",
    "exported_service",
    "exported_job",
    "exported_instance",
    "exported_container",
}
_KNOWN = _VLLM | _TARGET
_OPEN = ("vllm:cache_config_info",)


def impossible_labels(selector: Selector, inventory: Inventory) -> Iterator[Matcher]:
    """The matchers that ask for a label which vLLM's series never have; Unknown where nobody is known to scrape vLLM.

    A matcher for the empty value, which an absent label satisfies, is possible.
    """
    if not selector.name.startswith("vllm:") or selector.name in _OPEN:
        return
    if any(rule.record == selector.name for rules in inventory.modifying(PrometheusRule) for _, rule in rules.rules()):
        return
    strange = [entry for entry in selector.matchers if entry.op == "=" and entry.value and entry.name not in _KNOWN]
    monitors = _monitors(inventory) if strange else []
    for matcher in strange:
        if not any(_may_make(matcher.name, monitor) for monitor in monitors):
            yield matcher


def _monitors(inventory: Inventory) -> list[Monitor]:
    """The monitors that scrape a vLLM."""
    monitors: list[Monitor] = []
    for kind in (ServiceMonitor, PodMonitor):
        monitors += inventory.modifying(kind)
    found = [monitor for monitor in monitors if _scrapes_vllm(monitor, inventory)]
    if not found:
        raise Unknown("nothing shows who scrapes vLLM, and which labels are added on the way")
    return found


def _scrapes_vllm(monitor: Monitor, inventory: Inventory) -> bool:
    try:
        pods = pods_of_monitor(monitor, inventory)
    except Unknown:
        return False
    return any(server.engine in ("vllm", "simulator") for pod in pods for server in servers(pod))


def _may_make(label: str, monitor: Monitor) -> bool:
    of_services = monitor.spec.target_labels if isinstance(monitor, ServiceMonitor) else ()
    if label in {re.sub(r"[^a-zA-Z0-9_]", "_", name) for name in (*monitor.spec.pod_target_labels, *of_services)}:
        return True
    rules = [
        rule for _, endpoint in monitor.endpoints() for rule in (*endpoint.relabelings, *endpoint.metric_relabelings)
    ]
    return any(rule.target_label == label or rule.action.lower() == "labelmap" for rule in rules) or bool(
        monitor.spec.scrape_class
    )
