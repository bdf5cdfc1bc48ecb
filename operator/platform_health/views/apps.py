"""Workloads: apps, batch, LeaderWorkerSet and Argo Rollouts. Each hands out the pods that its templates stand for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec

from platform_health.views.core import Pod, Template
from platform_health.views.view import (
    Condition,
    IntOrString,
    Kind,
    LabelSelector,
    Metadata,
    MetadataWithManagers,
    Path,
    Shape,
    View,
)


class Workload(View, frozen=True):
    """Anything that makes pods from a template."""

    def templates(self) -> Iterator[tuple[Path, Template]]:
        """The templates with their paths."""
        raise NotImplementedError

    @property
    def replicas(self) -> int:
        """How many pods of each template are asked for."""
        return 1

    def pods(self) -> Iterator[Pod]:
        """The pods that the templates stand for; none where the workload is scaled to zero."""
        if self.replicas == 0:
            return
        for path, template in self.templates():
            yield Pod(
                metadata=Metadata(
                    name=f"{self.name}-{path.rpartition('.')[2]}" if path != "spec.template" else self.name,
                    namespace=self.namespace,
                    labels=template.metadata.labels,
                    annotations=template.metadata.annotations,
                ),
                spec=template.spec,
                origin=self.ref,
                origin_path=str(path),
            )


class RollingUpdate(Shape, frozen=True):
    """How many pods a rollout may take away at once: a number or a percentage, rounded down."""

    max_unavailable: IntOrString = "25%"


class Strategy(Shape, frozen=True):
    """How a Deployment replaces its pods."""

    type: str = "RollingUpdate"
    rolling_update: RollingUpdate = RollingUpdate()


class ScalableSpec(Shape, frozen=True):
    """The specification of a workload with replicas."""

    replicas: int | None = None
    selector: LabelSelector | None = None
    template: Template = Template()
    paused: bool = False
    strategy: Strategy = Strategy()
    workload_ref: dict[str, Any] | None = None


class WorkloadStatus(Shape, frozen=True):
    """The status of a workload with replicas."""

    replicas: int = 0
    ready_replicas: int = 0
    updated_replicas: int = 0
    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()


class ScalableWorkload(Workload, frozen=True):
    """A workload with ``spec.replicas``."""

    metadata: MetadataWithManagers = MetadataWithManagers()
    spec: ScalableSpec = ScalableSpec()
    status: WorkloadStatus = WorkloadStatus()

    @property
    def replicas(self) -> int:
        """``spec.replicas``, 1 by default."""
        return 1 if self.spec.replicas is None else self.spec.replicas

    @property
    def max_unavailable(self) -> int:
        """How many pods a rolling update may take away before their successors are Ready."""
        allowed = self.spec.strategy.rolling_update.max_unavailable
        if isinstance(allowed, int):
            return allowed
        percentage = allowed.removesuffix("%")
        return self.replicas * int(percentage) // 100 if percentage.isdigit() else 0

    def templates(self) -> Iterator[tuple[Path, Template]]:
        """The one template."""
        yield Path("spec.template"), self.spec.template


class Deployment(ScalableWorkload, frozen=True):
    """A Deployment."""

    kind: ClassVar[Kind] = Kind("apps", "Deployment", "deployments", via="stream")


class StatefulSet(ScalableWorkload, frozen=True):
    """A StatefulSet."""

    kind: ClassVar[Kind] = Kind("apps", "StatefulSet", "statefulsets", via="stream")


class ReplicaSet(ScalableWorkload, frozen=True):
    """A ReplicaSet; read from files only, a Deployment's are derived from names."""

    kind: ClassVar[Kind] = Kind("apps", "ReplicaSet", "replicasets", via="never")


class Rollout(ScalableWorkload, frozen=True):
    """An Argo Rollout."""

    kind: ClassVar[Kind] = Kind("argoproj.io", "Rollout", "rollouts", ("v1alpha1",))


class DaemonSetSpec(Shape, frozen=True):
    """The specification of a DaemonSet."""

    selector: LabelSelector | None = None
    template: Template = Template()


class DaemonSet(Workload, frozen=True):
    """A DaemonSet."""

    kind: ClassVar[Kind] = Kind("apps", "DaemonSet", "daemonsets", via="stream")

    spec: DaemonSetSpec = DaemonSetSpec()

    def templates(self) -> Iterator[tuple[Path, Template]]:
        """The one template."""
        yield Path("spec.template"), self.spec.template


class JobSpec(Shape, frozen=True):
    """The specification of a Job."""

    template: Template = Template()
    suspend: bool = False
    backoff_limit: int = 6
    active_deadline_seconds: int | None = None


class JobStatus(Shape, frozen=True):
    """The status of a Job."""

    active: int = 0
    succeeded: int = 0
    failed: int = 0
    start_time: str | None = None
    completion_time: str | None = None
    conditions: tuple[Condition, ...] = ()


class Job(Workload, frozen=True):
    """A Job."""

    kind: ClassVar[Kind] = Kind("batch", "Job", "jobs", via="stream")

    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()

    def templates(self) -> Iterator[tuple[Path, Template]]:
        """The one template."""
        yield Path("spec.template"), self.spec.template


class JobTemplate(Shape, frozen=True):
    """The Job that a CronJob makes."""

    spec: JobSpec = JobSpec()


class CronJobSpec(Shape, frozen=True):
    """The specification of a CronJob."""

    job_template: JobTemplate = JobTemplate()
    suspend: bool = False


class CronJob(Workload, frozen=True):
    """A CronJob."""

    kind: ClassVar[Kind] = Kind("batch", "CronJob", "cronjobs", via="stream")

    spec: CronJobSpec = CronJobSpec()

    def templates(self) -> Iterator[tuple[Path, Template]]:
        """The one template."""
        yield Path("spec.jobTemplate.spec.template"), self.spec.job_template.spec.template


class LeaderWorkerTemplate(Shape, frozen=True):
    """The templates of a LeaderWorkerSet; without a leader template the leader is made from the worker's."""

    leader_template: Template | None = None
    worker_template: Template = Template()
    size: int = 1


class LeaderWorkerSetSpec(Shape, frozen=True):
    """The specification of a LeaderWorkerSet."""

    replicas: int | None = None
    leader_worker_template: LeaderWorkerTemplate = LeaderWorkerTemplate()


class LeaderWorkerSet(Workload, frozen=True):
    """A LeaderWorkerSet: groups of one leader and ``size - 1`` workers."""

    kind: ClassVar[Kind] = Kind("leaderworkerset.x-k8s.io", "LeaderWorkerSet", "leaderworkersets")

    spec: LeaderWorkerSetSpec = LeaderWorkerSetSpec()

    @property
    def replicas(self) -> int:
        """How many groups are asked for, 1 by default."""
        return 1 if self.spec.replicas is None else self.spec.replicas

    def templates(self) -> Iterator[tuple[Path, Template]]:
        """The leader's template, and the workers' where a group has any."""
        path, group = Path("spec.leaderWorkerTemplate"), self.spec.leader_worker_template
        if group.leader_template is not None:
            yield path / "leaderTemplate", group.leader_template
        if group.size > 1 or group.leader_template is None:
            yield path / "workerTemplate", group.worker_template

    def pods(self) -> Iterator[Pod]:
        """The pods of one group, with the worker-index label that the controller adds (leader 0)."""
        both = self.spec.leader_worker_template.leader_template is not None
        for pod in Workload.pods(self):
            index = "1" if both and pod.origin_path.endswith("workerTemplate") else "0"
            labels = {
                "leaderworkerset.sigs.k8s.io/name": self.name,
                "leaderworkerset.sigs.k8s.io/worker-index": index,
                **pod.labels,
            }
            yield msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, labels=labels))


WORKLOADS: tuple[type[Workload], ...] = (Deployment, StatefulSet, DaemonSet, Job, CronJob, LeaderWorkerSet, Rollout)
"""Every kind that makes pods from templates and is watched."""
