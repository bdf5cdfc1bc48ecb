"""APIService: which API an extension server answers for."""

from __future__ import annotations

from typing import ClassVar

from platform_health.views.view import Condition, Kind, Shape, View, condition


class ApiServiceStatus(Shape, frozen=True):
    """The status of an APIService."""

    conditions: tuple[Condition, ...] = ()


class APIService(View, frozen=True):
    """An APIService."""

    kind: ClassVar[Kind] = Kind("apiregistration.k8s.io", "APIService", "apiservices", namespaced=False, via="stream")

    status: ApiServiceStatus = ApiServiceStatus()

    @property
    def unavailable(self) -> Condition | None:
        """Why it is not available, None where it is or where that is not known."""
        found = condition(self.status.conditions, "Available")
        return found if found is not None and found.status == "False" else None
