"""Flux: Kustomization and HelmRelease."""

from __future__ import annotations

from typing import ClassVar

from platform_health.views.view import Kind, Shape, View

KUSTOMIZE, HELM = "kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"


class IgnoreTarget(Shape, frozen=True):
    """Which objects a rule is about; every field is a regular expression, an empty one matches all."""

    group: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    label_selector: str = ""
    annotation_selector: str = ""


class IgnoreRule(Shape, frozen=True):
    """Fields (JSON pointers) that are left alone, of all objects where there is no target."""

    paths: tuple[str, ...] = ()
    target: IgnoreTarget | None = None


class KustomizationSpec(Shape, frozen=True):
    """The specification of a Kustomization."""

    suspend: bool = False
    interval: str = ""
    ignore: tuple[IgnoreRule, ...] = ()


class Kustomization(View, frozen=True):
    """A Kustomization of Flux."""

    kind: ClassVar[Kind] = Kind(KUSTOMIZE, "Kustomization", "kustomizations", ("v1", "v1beta2"))

    spec: KustomizationSpec = KustomizationSpec()


class DriftDetection(Shape, frozen=True):
    """Whether what differs from the release is put right between upgrades."""

    mode: str = "disabled"
    ignore: tuple[IgnoreRule, ...] = ()


class HelmReleaseSpec(Shape, frozen=True):
    """The specification of a HelmRelease."""

    suspend: bool = False
    drift_detection: DriftDetection | None = None


class HelmRelease(View, frozen=True):
    """A HelmRelease of Flux."""

    kind: ClassVar[Kind] = Kind(HELM, "HelmRelease", "helmreleases", ("v2", "v2beta2"))

    spec: HelmReleaseSpec = HelmReleaseSpec()
