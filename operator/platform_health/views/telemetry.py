"""What reads monitors beside the Prometheus operator: VictoriaMetrics and OpenTelemetry."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from platform_health.views.view import Kind, Shape, View


class VMAgent(View, frozen=True):
    """A VMAgent of the VictoriaMetrics operator, which converts monitors to its own kinds."""

    kind: ClassVar[Kind] = Kind("operator.victoriametrics.com", "VMAgent", "vmagents", ("v1beta1",))


class PrometheusResources(Shape, frozen=True):
    """Whether monitors are read."""

    enabled: bool = False


class TargetAllocator(Shape, frozen=True):
    """The target allocator of a collector."""

    enabled: bool = False
    prometheus_cr: PrometheusResources = msgspec.field(name="prometheusCR", default=PrometheusResources())


class CollectorSpec(Shape, frozen=True):
    """The specification of a collector."""

    target_allocator: TargetAllocator = TargetAllocator()


class OpenTelemetryCollector(View, frozen=True):
    """An OpenTelemetryCollector."""

    kind: ClassVar[Kind] = Kind(
        "opentelemetry.io", "OpenTelemetryCollector", "opentelemetrycollectors", ("v1beta1", "v1alpha1")
    )

    spec: CollectorSpec = CollectorSpec()

    @property
    def reads_monitors(self) -> bool:
        """Whether its target allocator takes ServiceMonitors and PodMonitors."""
        allocator = self.spec.target_allocator
        return allocator.enabled and allocator.prometheus_cr.enabled
