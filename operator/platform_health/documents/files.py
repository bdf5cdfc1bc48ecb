"""Which kind of file a document without a Kubernetes identity is, by its content."""

from __future__ import annotations

from typing import Any

from platform_health.documents.dashboard import is_dashboard
from platform_health.documents.litellm import is_litellm_config
from platform_health.documents.router import is_router_config
from platform_health.views.files import (
    DashboardFile,
    EndpointPickerConfigFile,
    FileView,
    LiteLLMConfigFile,
    RouterConfigFile,
)


def file_view(value: Any) -> type[FileView] | None:
    """The pseudo-kind of a document, None where it is nothing that we judge."""
    if not isinstance(value, dict):
        return None
    if value.get("kind") == "EndpointPickerConfig":
        return EndpointPickerConfigFile
    if is_dashboard(value):
        return DashboardFile
    if is_litellm_config(value):
        return LiteLLMConfigFile
    if is_router_config(value):
        return RouterConfigFile
    return None
