"""Argo CD: Application."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import msgspec

from platform_health.views.view import Kind, Path, Ref, Shape, Term, View


class Automated(Shape, frozen=True):
    """Automated sync; present and not disabled means on."""

    self_heal: bool = False
    prune: bool = False
    enabled: bool = True


class SyncPolicy(Shape, frozen=True):
    """The sync policy."""

    automated: Automated | None = None
    sync_options: tuple[str, ...] = ()


class IgnoreRule(Shape, frozen=True):
    """One rule of ignoreDifferences. Group and kind are globs; an empty group matches the core group only."""

    kind: str = ""
    group: str = ""
    name: str = ""
    namespace: str = ""
    json_pointers: tuple[str, ...] = ()
    jq_path_expressions: tuple[str, ...] = ()
    managed_fields_managers: tuple[str, ...] = ()


class Destination(Shape, frozen=True):
    """Where an Application deploys to."""

    server: str = ""
    name: str = ""
    namespace: str = ""

    @property
    def is_here(self) -> bool:
        """Whether it is the cluster that Argo CD runs in."""
        return self.server == "https://kubernetes.default.svc" or self.name == "in-cluster"


class Source(Shape, frozen=True):
    """Where manifests come from."""

    repo_url: str = msgspec.field(name="repoURL", default="")
    path: str = ""
    chart: str = ""
    target_revision: str = ""


class ApplicationSpec(Shape, frozen=True):
    """The specification of an Application."""

    destination: Destination = Destination()
    project: str = ""
    sync_policy: SyncPolicy | None = None
    ignore_differences: tuple[IgnoreRule, ...] = ()
    source: Source | None = None
    sources: tuple[Source, ...] = ()


class TrackedResource(Shape, frozen=True):
    """One resource that an Application tracks."""

    group: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""


class ApplicationStatus(Shape, frozen=True):
    """The status of an Application."""

    resources: tuple[TrackedResource, ...] = ()


class Application(View, frozen=True):
    """An Application."""

    kind: ClassVar[Kind] = Kind("argoproj.io", "Application", "applications", ("v1alpha1",))

    spec: ApplicationSpec = ApplicationSpec()
    status: ApplicationStatus = ApplicationStatus()

    @property
    def automated(self) -> Automated | None:
        """Automated sync, None where it is off."""
        policy = self.spec.sync_policy
        return policy.automated if policy and policy.automated and policy.automated.enabled else None

    @property
    def sync_options(self) -> tuple[str, ...]:
        """``spec.syncPolicy.syncOptions``."""
        return self.spec.sync_policy.sync_options if self.spec.sync_policy else ()

    def ignore_rules(self) -> Iterator[tuple[Path, IgnoreRule]]:
        """The rules of ignoreDifferences with their paths."""
        for index, rule in enumerate(self.spec.ignore_differences):
            yield Path("spec.ignoreDifferences") / index, rule

    def tracks(self, ref: Ref) -> bool:
        """Whether the object is in ``status.resources`` of this Application, in this cluster."""
        return self.spec.destination.is_here and any(
            (entry.group, entry.kind, entry.namespace, entry.name)
            == (ref.kind.group, ref.kind.name, ref.namespace, ref.name)
            for entry in self.status.resources
        )

    def terms(self) -> Iterator[Term]:
        """Labels and every tracked resource of this cluster."""
        yield from View.terms(self)
        if self.spec.destination.is_here:
            for entry in self.status.resources:
                yield tracked_term(entry.group, entry.kind, entry.namespace, entry.name)


class SyncWindow(Shape, frozen=True):
    """A time in which syncs are allowed or denied."""

    kind: str = ""


class ProjectSpec(Shape, frozen=True):
    """The specification of an AppProject."""

    sync_windows: tuple[SyncWindow, ...] = ()


class AppProject(View, frozen=True):
    """An AppProject."""

    kind: ClassVar[Kind] = Kind("argoproj.io", "AppProject", "appprojects", ("v1alpha1",))

    spec: ProjectSpec = ProjectSpec()


def tracked_term(group: str, kind: str, namespace: str, name: str) -> Term:
    """The index term of the Applications that track an object."""
    return f"tracks:{kind}.{group}/{namespace}/{name}"
