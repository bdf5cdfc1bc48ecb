"""Dynamic resource allocation: ResourceSlice and DeviceClass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from platform_health.views.view import Kind, Shape, Term, View

_VERSIONS = ("v1", "v1beta2", "v1beta1")


class SliceSpec(Shape, frozen=True):
    """Which node's devices a slice lists."""

    node_name: str = ""
    driver: str = ""


class ResourceSlice(View, frozen=True):
    """A ResourceSlice: devices that a DRA driver offers."""

    kind: ClassVar[Kind] = Kind(
        "resource.k8s.io", "ResourceSlice", "resourceslices", _VERSIONS, namespaced=False, via="stream"
    )

    spec: SliceSpec = SliceSpec()

    def terms(self) -> Iterator[Term]:
        """Labels and the node."""
        yield from View.terms(self)
        yield f"node:{self.spec.node_name}"


class DeviceClassSpec(Shape, frozen=True):
    """The extended resource that a class stands for, where it does."""

    extended_resource_name: str = ""


class DeviceClass(View, frozen=True):
    """A DeviceClass."""

    kind: ClassVar[Kind] = Kind(
        "resource.k8s.io", "DeviceClass", "deviceclasses", _VERSIONS, namespaced=False, via="stream"
    )

    spec: DeviceClassSpec = DeviceClassSpec()
