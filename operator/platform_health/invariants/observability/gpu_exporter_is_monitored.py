"""GpuExporterIsMonitored."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.exporters import dcgm_exporters
from platform_health.domain.monitoring import GPU_EXPORTER_LABELS, READERS, has_other_reader, pods_of_monitor
from platform_health.domain.patches import added_keys
from platform_health.invariant import WARNING, Fix, Inventory, Operation, Unknown, Violation, invariant, pointer
from platform_health.views.core import Service
from platform_health.views.monitoring import PodMonitor, Prometheus, PrometheusAgent, ScrapeConfig, ServiceMonitor
from platform_health.views.nvidia import ClusterPolicy
from platform_health.views.view import SPEC, Labels, LabelSelector

_PATH = ("spec", "dcgmExporter", "serviceMonitor")


@invariant(
    severity=WARNING,
    symptom="no GPU data: nothing scrapes the exporter that runs on every GPU node",
    category="observability",
    needs=(*READERS, ServiceMonitor, PodMonitor, ScrapeConfig, Service),
    fixes=(ClusterPolicy,),
)
def gpu_exporter_is_monitored(policy: ClusterPolicy, inventory: Inventory) -> Iterator[Violation]:
    """The GPU operator's exporter has a ServiceMonitor where the Prometheus operator runs.

    Why: charts of the GPU operator before 26.7 leave `dcgmExporter.serviceMonitor.enabled` off. The exporter runs, but
    no Prometheus is told.

    Remedy: switch it on, with the labels that the Prometheus asks for. This is done automatically where exactly one
    Prometheus takes ServiceMonitors from all namespaces by labels alone.

    See: NVIDIA GPU operator, `dcgmExporter.serviceMonitor`.
    """
    if not policy.runs_exporter or (policy.monitor is not None and policy.monitor.enabled):
        return
    readers = _readers(inventory)
    if not readers or has_other_reader(inventory) or _is_scraped(inventory):
        return
    if any(reader.spec.additional_scrape_configs for reader in readers) or inventory.modifying(ScrapeConfig):
        raise Unknown("additional scrape configurations, which are not looked at, may scrape the exporter")
    yield Violation(
        at=SPEC / "dcgmExporter" / "serviceMonitor" / "enabled",
        because="the DCGM exporter runs, but its ServiceMonitor is off and nothing else selects it, "
        f"though {readers[0].ref} is there",
        related=tuple(reader.ref for reader in readers[:3]),
        verify="kubectl get servicemonitors -A -l app=nvidia-dcgm-exporter",
        fix=_switch_on(policy, readers),
    )


def _readers(inventory: Inventory) -> list[Prometheus | PrometheusAgent]:
    found: list[Prometheus | PrometheusAgent] = [
        *inventory.modifying(Prometheus),
        *inventory.modifying(PrometheusAgent),
    ]
    return found or list(inventory.every(Prometheus))


def _is_scraped(inventory: Inventory) -> bool:
    """Whether some monitor means the exporter, by the labels that it always has or by its pods."""
    monitors: list[ServiceMonitor | PodMonitor] = [
        *inventory.modifying(ServiceMonitor),
        *inventory.modifying(PodMonitor),
    ]
    return any(_means_exporter(monitor, inventory) for monitor in monitors)


def _means_exporter(monitor: ServiceMonitor | PodMonitor, inventory: Inventory) -> bool:
    if monitor.spec.selector.matches(GPU_EXPORTER_LABELS) or "dcgm" in f"{monitor.name} {monitor.spec.selector}":
        return True
    try:
        return any(any(dcgm_exporters(pod)) for pod in pods_of_monitor(monitor, inventory))
    except Unknown:
        return False


def _switch_on(policy: ClusterPolicy, readers: list[Prometheus | PrometheusAgent]) -> Fix:
    title = "switch on spec.dcgmExporter.serviceMonitor"
    labels = _labels(readers)
    if labels is None:
        return Fix(title=f"{title}, with labels that a Prometheus selects", safety="manual", target=policy.ref)
    patch: list[Operation] = []
    if policy.spec.dcgm_exporter is None:
        patch.append(Operation("add", pointer(*_PATH[:2]), {}))
    monitor = policy.monitor
    if monitor is None:
        value = {"enabled": True, "additionalLabels": labels} if labels else {"enabled": True}
        patch.append(Operation("add", pointer(*_PATH), value))
    else:
        patch.append(Operation("add", pointer(*_PATH, "enabled"), True))
        missing = {key: value for key, value in labels.items() if monitor.additional_labels.get(key) != value}
        if set(missing) & set(monitor.additional_labels):
            return Fix(title=f"{title}, with other additionalLabels", safety="manual", target=policy.ref)
        patch += added_keys((*_PATH, "additionalLabels"), monitor.additional_labels, missing) if missing else ()
    shown = ", ".join(f"{key}={value}" for key, value in labels.items())
    return Fix(
        title=f"{title}{f' with label {shown}' if shown else ''}", safety="safe", target=policy.ref, patch=tuple(patch)
    )


def _labels(readers: list[Prometheus | PrometheusAgent]) -> Labels | None:
    """The labels that make the only Prometheus select the monitor in whatever namespace; None where none surely do."""
    if len(readers) != 1:
        return None
    spec = readers[0].spec
    selector = spec.service_monitor_selector
    if selector is None or selector.match_expressions or spec.paused or spec.mode == "DaemonSet":
        return None
    return selector.match_labels if spec.service_monitor_namespace_selector == LabelSelector() else None
