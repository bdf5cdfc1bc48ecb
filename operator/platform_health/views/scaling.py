"""Autoscaling: HorizontalPodAutoscaler and KEDA's ScaledObject."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from platform_health.views.core import GPU_METRIC
from platform_health.views.view import Condition, Kind, LabelSelector, Path, Shape, Term, View


class ScaleTarget(Shape, frozen=True):
    """What is scaled; in the scaler's namespace. The default is a Deployment."""

    name: str = ""
    api_version: str = "apps/v1"
    kind: str = "Deployment"

    @property
    def group(self) -> str:
        """The API group of the target."""
        return self.api_version.rpartition("/")[0]


class MetricIdentifier(Shape, frozen=True):
    """A metric by name and labels."""

    name: str = ""
    selector: LabelSelector | None = None


class MetricSource(Shape, frozen=True):
    """An external, pods or object metric."""

    metric: MetricIdentifier = MetricIdentifier()


class MetricSpec(Shape, frozen=True):
    """One metric of an HPA."""

    type: str = ""
    external: MetricSource | None = None
    pods: MetricSource | None = None
    object: MetricSource | None = None

    @property
    def custom(self) -> MetricSource | None:
        """The metric that an adapter must serve, None for resource metrics."""
        return self.external or self.pods or self.object


class HpaSpec(Shape, frozen=True):
    """The specification of an HPA."""

    scale_target_ref: ScaleTarget = ScaleTarget()
    min_replicas: int | None = None
    max_replicas: int = 0
    metrics: tuple[MetricSpec, ...] = ()


class ScalerStatus(Shape, frozen=True):
    """The status of a scaler."""

    conditions: tuple[Condition, ...] = ()
    current_replicas: int = 0
    desired_replicas: int = 0
    health: dict[str, dict[str, Any]] = {}


class HorizontalPodAutoscaler(View, frozen=True):
    """A HorizontalPodAutoscaler."""

    kind: ClassVar[Kind] = Kind(
        "autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers", ("v2",), via="stream"
    )

    spec: HpaSpec = HpaSpec()
    status: ScalerStatus = ScalerStatus()

    @property
    def target(self) -> ScaleTarget:
        """What it scales."""
        return self.spec.scale_target_ref

    @property
    def target_at(self) -> Path:
        """Where the target stands."""
        return Path("spec.scaleTargetRef")

    @property
    def is_keda(self) -> bool:
        """Whether KEDA made it for a ScaledObject."""
        owner = self.metadata.controller
        return "scaledobject.keda.sh/name" in self.labels or (owner is not None and owner.kind == "ScaledObject")

    @property
    def bounds(self) -> tuple[int, int]:
        """Minimum and maximum of replicas."""
        return (1 if self.spec.min_replicas is None else self.spec.min_replicas, self.spec.max_replicas)

    @property
    def is_paused(self) -> bool:
        """An HPA cannot be paused."""
        return False

    def terms(self) -> Iterator[Term]:
        """Labels and the target."""
        yield from View.terms(self)
        yield target_term(self.target)


class Trigger(Shape, frozen=True):
    """One trigger of a ScaledObject."""

    type: str = ""
    name: str = ""
    metadata: dict[str, str] = {}
    authentication_ref: dict[str, Any] | None = None


class ScaledObjectSpec(Shape, frozen=True):
    """The specification of a ScaledObject."""

    scale_target_ref: ScaleTarget = ScaleTarget()
    min_replica_count: int | None = None
    max_replica_count: int | None = None
    idle_replica_count: int | None = None
    triggers: tuple[Trigger, ...] = ()


class ScaledObject(View, frozen=True):
    """A ScaledObject."""

    kind: ClassVar[Kind] = Kind("keda.sh", "ScaledObject", "scaledobjects", ("v1alpha1",))

    spec: ScaledObjectSpec = ScaledObjectSpec()
    status: ScalerStatus = ScalerStatus()

    @property
    def target(self) -> ScaleTarget:
        """What it scales."""
        return self.spec.scale_target_ref

    @property
    def target_at(self) -> Path:
        """Where the target stands."""
        return Path("spec.scaleTargetRef")

    @property
    def bounds(self) -> tuple[int, int]:
        """Minimum and maximum of replicas (0 and 100 by default)."""
        low, high = self.spec.min_replica_count, self.spec.max_replica_count
        return (0 if low is None else low, 100 if high is None else high)

    @property
    def is_paused(self) -> bool:
        """Whether an annotation pauses it: true, anything that is no boolean, or a fixed number of replicas."""
        paused = self.annotations.get("autoscaling.keda.sh/paused")
        fixed = "autoscaling.keda.sh/paused-replicas" in self.annotations
        return fixed or (paused is not None and paused.lower() not in ("false", "0", "f"))

    def triggers(self) -> Iterator[tuple[Path, Trigger]]:
        """The triggers with their paths."""
        for index, trigger in enumerate(self.spec.triggers):
            yield Path("spec.triggers") / index, trigger

    def terms(self) -> Iterator[Term]:
        """Labels, the target, and whether a query asks for GPU metrics."""
        yield from View.terms(self)
        yield target_term(self.target)
        if any(GPU_METRIC in trigger.metadata.get("query", "") for trigger in self.spec.triggers):
            yield GPU_METRIC


Scaler = HorizontalPodAutoscaler | ScaledObject
"""An autoscaler of either kind."""


def target_term(target: ScaleTarget) -> Term:
    """The index term of the scalers of one target."""
    return f"scales:{target.kind}.{target.group}/{target.name}"
