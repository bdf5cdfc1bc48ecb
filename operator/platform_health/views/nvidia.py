"""NVIDIA GPU operator: ClusterPolicy."""

from __future__ import annotations

from typing import ClassVar

from platform_health.views.core import Toleration
from platform_health.views.view import Kind, Labels, Shape, View


class ExporterMonitor(Shape, frozen=True):
    """The ServiceMonitor of the DCGM exporter."""

    enabled: bool | None = None
    additional_labels: Labels = {}


class DcgmExporter(Shape, frozen=True):
    """The DCGM exporter; enabled unless it says otherwise."""

    enabled: bool | None = None
    service_monitor: ExporterMonitor | None = None


class DaemonSets(Shape, frozen=True):
    """What all operand DaemonSets share."""

    tolerations: tuple[Toleration, ...] = ()


class ClusterPolicySpec(Shape, frozen=True):
    """The specification of a ClusterPolicy."""

    dcgm_exporter: DcgmExporter | None = None
    daemonsets: DaemonSets | None = None


class ClusterPolicy(View, frozen=True):
    """A ClusterPolicy."""

    kind: ClassVar[Kind] = Kind("nvidia.com", "ClusterPolicy", "clusterpolicies", namespaced=False)

    spec: ClusterPolicySpec = ClusterPolicySpec()

    @property
    def monitor(self) -> ExporterMonitor | None:
        """What it says of the exporter's ServiceMonitor; None where it says nothing."""
        return self.spec.dcgm_exporter.service_monitor if self.spec.dcgm_exporter else None

    @property
    def runs_exporter(self) -> bool:
        """Whether the operator runs a DCGM exporter; it does unless told not to."""
        return self.spec.dcgm_exporter is None or self.spec.dcgm_exporter.enabled is not False

    @property
    def tolerations(self) -> tuple[Toleration, ...]:
        """What the pods of every operand tolerate; empty means the operator's own default."""
        return self.spec.daemonsets.tolerations if self.spec.daemonsets else ()
