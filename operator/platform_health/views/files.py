"""Files that are no Kubernetes objects, each standing for itself: a dashboard, a router's or a picker's configuration.

They are pseudo-objects of namespace ``-`` named after their file, so that the invariants that judge the same text in a
ConfigMap judge them too. An API server never holds one.
"""

from __future__ import annotations

from typing import ClassVar

from platform_health.views.view import Kind, View

GROUP = "file"
NAMESPACE = "-"


class FileView(View, frozen=True):
    """One document of a file, as JSON text."""

    text: str = ""


class DashboardFile(FileView, frozen=True):
    """A Grafana dashboard in a file of its own, for import or for provisioning."""

    kind: ClassVar[Kind] = Kind(GROUP, "Dashboard", "dashboards", via="never")


class LiteLLMConfigFile(FileView, frozen=True):
    """LiteLLM's ``config.yaml``."""

    kind: ClassVar[Kind] = Kind(GROUP, "LiteLLMConfig", "litellmconfigs", via="never")


class RouterConfigFile(FileView, frozen=True):
    """The plain router's configuration or its routing rules."""

    kind: ClassVar[Kind] = Kind(GROUP, "RouterConfig", "routerconfigs", via="never")


class EndpointPickerConfigFile(FileView, frozen=True):
    """An EndpointPickerConfig in a file of its own."""

    kind: ClassVar[Kind] = Kind(GROUP, "EndpointPickerConfig", "endpointpickerconfigs", via="never")
