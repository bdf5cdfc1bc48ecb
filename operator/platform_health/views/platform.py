"""Our own kind. Its group stands here once; the API, the manifests and the annotations take it from here."""

from __future__ import annotations

from typing import ClassVar

from platform_health.views.view import Kind, View

GROUP = "platformhealth.dev"
VERSION = "v1alpha1"

PAUSE_ANNOTATION = f"{GROUP}/pause"
"""On a report, an object or its namespace: nothing is repaired there."""


class PlatformHealth(View, frozen=True):
    """One report. Findings about the report itself (an ignore that silences nothing) name it."""

    kind: ClassVar[Kind] = Kind(GROUP, "PlatformHealth", "platformhealths", (VERSION,), namespaced=False)
