"""Live sources in front of an API server, and what has come of them."""

import asyncio
import time
from collections.abc import Callable

from tests.live.scripted_api import ScriptedApi

from platform_health.connection import Connection
from platform_health.controller.live import LiveSources
from platform_health.inventory import Inventory
from platform_health.knowledge import ClusterKnowledge, KindState
from platform_health.sources.feed import InventorySink
from platform_health.sources.pace import Timing
from platform_health.views.core import Service
from platform_health.views.gateway import HTTPRoute
from platform_health.views.view import Kind

FAST = Timing(
    first_pause=0.05,
    last_pause=0.2,
    refused_pause=(0.3, 0.4),
    pace=0.05,
    inactivity=0.8,
    stale=0.5,
    silence=4.0,
    join=2.0,
    look=0.5,
)


class Live:
    """Live sources in front of a scripted API server, and what has come of them."""

    def __init__(self, api: ScriptedApi, server: str, timing: Timing) -> None:
        self.api = api
        self.knowledge = ClusterKnowledge()
        self.inventory = Inventory(self.knowledge, time.time)
        self.changes = 0
        self.reports: list[tuple[str, str]] = []
        self.connection = Connection(server)
        self.sources = LiveSources(
            self.connection,
            [Service.kind, HTTPRoute.kind],
            InventorySink(self.inventory, self.knowledge, self._count),
            lambda event_type, raw: self.reports.append((event_type, raw["metadata"]["name"])),
            timing,
        )

    def _count(self) -> None:
        self.changes += 1

    def names(self, kind: Kind) -> set[str]:
        return {view.name for view in self.inventory.peek_all(kind)}

    def labels(self, kind: Kind, name: str) -> dict[str, str]:
        return next((view.labels for view in self.inventory.peek_all(kind) if view.name == name), {})

    def state(self, kind: Kind) -> KindState:
        return self.knowledge.state(kind)

    async def until(self, holds: Callable[[], object], within: float = 8.0) -> None:
        deadline = time.monotonic() + within
        while not holds():
            assert time.monotonic() < deadline, (
                f"not within {within} s; states {self.knowledge._states}, problems {self.sources.problems()}, "
                f"services {self.names(Service.kind)}, routes {self.names(HTTPRoute.kind)}, "
                f"last requests {self.api.requests[-6:]}"
            )
            await asyncio.sleep(0.01)

    async def synced(self) -> None:
        await self.until(lambda: self.sources.is_synced())

    async def agrees(self, kind: Kind) -> None:
        """Waits until exactly what the API server has is known."""
        there = self.api.names(kind)
        await self.until(lambda: self.names(kind) == there and self.state(kind) is KindState.SYNCED)
