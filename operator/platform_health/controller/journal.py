"""The journal of remediation, kept in the status of each report.

Whoever records an entry waits until it stands in the API server: an intent that is not stored must not be acted on.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from platform_health.inventory import Inventory
from platform_health.remediation.journal import Entry, from_status, to_status, with_entry
from platform_health.reporting.status import Condition, Repairs

log = logging.getLogger(__name__)


class NotRecorded(Exception):
    """An entry could not be stored in time. Nothing may be done that relies on it."""


class StatusJournal:
    """Entries by report. ``publish`` writes the status of a report and answers whether it stands in time."""

    def __init__(self, inventory: Inventory, clock: Callable[[], float]) -> None:
        self._inventory, self._clock = inventory, clock
        self._entries: dict[str, tuple[Entry, ...]] = {}
        self._fixed: dict[str, int] = {}
        self._unsettled: dict[str, Mapping[str, Any]] = {}
        self.conditions: dict[str, Condition] = {}
        """What remediation says of itself, by report."""
        self.reasons: dict[str, str] = {}
        """Why a fix is not applied, by the id of its finding."""
        self.publish: Callable[[str], Awaitable[bool]] | None = None

    def restore(self, report: str, status: Mapping[str, Any]) -> None:
        """Reads back what stands in a status."""
        self._unsettled[report] = status
        entries = []
        for plain in status.get("fixes") or ():
            try:
                entries.append(from_status(plain))
            except msgspec.ValidationError as error:
                log.warning("platformhealth %s: an entry of status.fixes cannot be read: %s", report, error)
        self._entries[report] = tuple(entries)
        self._fixed[report] = (status.get("summary") or {}).get("fixed", 0)

    def drop(self, report: str) -> None:
        """The report is gone."""
        self._entries.pop(report, None)
        self._fixed.pop(report, None)
        self._unsettled.pop(report, None)
        self.conditions.pop(report, None)

    def unsettled(self) -> dict[str, Mapping[str, Any]]:
        """The statuses that were read back since the last call, by report: what began there may not have ended."""
        unsettled, self._unsettled = self._unsettled, {}
        return unsettled

    def repairs(self, report: str) -> Repairs:
        """What belongs into the status of a report."""
        return Repairs(
            fixes=tuple(to_status(entry) for entry in self.entries(report)),
            fixed=self._fixed.get(report, 0),
            condition=self.conditions.get(report),
            reasons=self.reasons,
        )

    def entries(self, report: str) -> Sequence[Entry]:
        """What is kept, oldest first."""
        return self._entries.get(report, ())

    async def record(self, report: str, entry: Entry) -> None:
        """Adds an entry or replaces the one of its id; NotRecorded where it does not stand in the status in time."""
        before = next((other for other in self.entries(report) if other.id == entry.id), None)
        kept = with_entry(self.entries(report), entry, self._inventory, self._clock())
        held = before is not None and before.state == "Applied"
        await self._keep(report, kept, (entry.state == "Applied") - held)

    async def forget(self, report: str, entry_id: str) -> None:
        """Drops an entry whose patch never took place."""
        await self._keep(report, tuple(entry for entry in self.entries(report) if entry.id != entry_id), 0)

    async def _keep(self, report: str, entries: tuple[Entry, ...], more_fixed: int) -> None:
        self._entries[report] = entries
        self._fixed[report] = max(0, self._fixed.get(report, 0) + more_fixed)
        if self.publish is None or not await self.publish(report):
            raise NotRecorded(f"the journal of platformhealth {report} could not be stored")
