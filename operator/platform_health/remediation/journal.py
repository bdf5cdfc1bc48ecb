"""What was done, and what is being done: one entry per fix, kept in the status of the report that allowed it.

The journal is the memory that survives a restart. Budgets, cooldowns and the breaker are read from it, so an entry that
one of them still needs is never dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import msgspec

from platform_health.findings import Finding
from platform_health.inventory import Inventory, parse_time
from platform_health.remediation import patch
from platform_health.remediation.patch import Operations
from platform_health.views.kinds import of_api_version
from platform_health.views.view import Kind, Ref

State = Literal["Applying", "Applied", "Failed", "Contested", "Undone"]
"""``Applying``: the intent, written before the patch. ``Applied``: the finding went away. ``Failed``: it did not, the
patch was taken back. ``Contested``: someone else reverted it. ``Undone``: a person took it back."""

UNWANTED: frozenset[State] = frozenset({"Failed", "Contested", "Undone"})
"""After these the same fix is not tried again before the spec of the object changes."""

CAPACITY = 20
HOUR = 3600.0


class Target(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The object that was patched: this very one, by its uid."""

    api_version: str
    kind: str
    namespace: str = ""
    name: str
    uid: str = ""

    @property
    def ref(self) -> Ref | None:
        """Its identity; None for a kind that this version does not know any more."""
        kind = of_api_version(self.api_version, self.kind)
        return Ref(kind, self.namespace, self.name) if kind is not None else None

    def is_at(self, ref: Ref) -> bool:
        """Whether it has this identity (perhaps under another uid)."""
        group = self.api_version.rpartition("/")[0]
        return (group, self.kind, self.namespace, self.name) == (ref.kind.group, ref.kind.name, ref.namespace, ref.name)

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def target(kind: Kind, raw: patch.Raw) -> Target:
    """The target that a raw object is."""
    metadata = raw["metadata"]
    return Target(
        api_version=raw.get("apiVersion") or kind.api_version,
        kind=kind.name,
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        uid=metadata.get("uid", ""),
    )


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One fix. It is plain data in a status: patches stand there as JSON text, as ``kubectl patch`` takes them."""

    id: str
    finding: str
    invariant: str
    title: str = ""
    object: Target
    subject: Target | None = None
    """The object of the finding, where it is another one."""
    state: State
    message: str = ""
    patch: str = ""
    inverse: str = ""
    created: bool = False
    """The fix created the object; its inverse is to delete it."""
    object_version: str = ""
    """What of the object must change before the fix is tried again; see :func:`version`."""
    report_generation: int = 0
    started: str = ""
    ended: str = ""

    @property
    def undo(self) -> Operations:
        """The guarded inverse patch."""
        return patch.decoded(self.inverse)

    @property
    def judged(self) -> Target:
        """The object that the finding names."""
        return self.subject or self.object

    @property
    def anchor(self) -> Target:
        """The object whose change lets the fix be tried again: a new object that was taken back cannot change."""
        return self.judged if self.created else self.object

    @property
    def started_at(self) -> float:
        """When it began, in seconds since the epoch."""
        return parse_time(self.started) or 0.0

    def is_about(self, finding: Finding) -> bool:
        """Whether it repairs this finding."""
        return self.finding == finding.id


def entry_id(finding: str, now: float) -> str:
    """The name of a fix for people and ``platform-health undo``: the finding and when it was first tried."""
    return f"{finding}-{int(now * 1000):x}"


def stamp(now: float) -> str:
    """RFC 3339 with the microseconds that metav1.MicroTime has."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def version(raw: patch.Raw) -> str:
    """What changes when people change an object: its generation, or a hash of its content where it has none."""
    generation = raw["metadata"].get("generation")
    if generation:
        return f"generation {generation}"
    import hashlib

    content = {key: value for key, value in raw.items() if key not in ("metadata", "status")}
    return f"content {hashlib.sha256(msgspec.json.encode(content, order='deterministic')).hexdigest()[:16]}"


def to_status(entry: Entry) -> dict[str, Any]:
    """An entry as it stands in ``status.fixes``."""
    plain: dict[str, Any] = msgspec.to_builtins(entry)
    return plain


def from_status(plain: Mapping[str, Any]) -> Entry:
    """The entry that stands in ``status.fixes``; msgspec.ValidationError where it is none."""
    return msgspec.convert(plain, Entry)


class Journal(Protocol):
    """Where entries are kept, by the name of the report."""

    def entries(self, report: str) -> Sequence[Entry]:
        """What is kept, oldest first."""

    async def record(self, report: str, entry: Entry) -> None:
        """Adds an entry or replaces the one of its id. Returns once it is persisted; raises where it cannot be."""

    async def forget(self, report: str, entry_id: str) -> None:
        """Drops an entry whose patch never took place."""


class MemoryJournal:
    """A journal that forgets at the end of the process, for tests and for the command line."""

    def __init__(self, inventory: Inventory, clock: Callable[[], float]) -> None:
        self.inventory, self.clock = inventory, clock
        self.kept: dict[str, tuple[Entry, ...]] = {}

    def entries(self, report: str) -> Sequence[Entry]:
        """What is kept, oldest first."""
        return self.kept.get(report, ())

    async def record(self, report: str, entry: Entry) -> None:
        """Adds an entry or replaces the one of its id."""
        self.kept[report] = with_entry(self.entries(report), entry, self.inventory, self.clock())

    async def forget(self, report: str, entry_id: str) -> None:
        """Drops an entry."""
        self.kept[report] = tuple(entry for entry in self.entries(report) if entry.id != entry_id)


def with_entry(entries: Sequence[Entry], entry: Entry, inventory: Inventory, now: float) -> tuple[Entry, ...]:
    """The entries with this one added, or replaced in its place, and the oldest dropped that nothing needs."""
    if any(other.id == entry.id for other in entries):
        return tuple(entry if other.id == entry.id else other for other in entries)
    result = [*entries, entry]
    for other in entries:
        if len(result) <= CAPACITY:
            break
        if not is_needed(other, inventory, now):
            result.remove(other)
    return tuple(result)


def is_needed(entry: Entry, inventory: Inventory, now: float) -> bool:
    """Whether a budget, a cooldown or a recovery still reads this entry."""
    if entry.state == "Applying" or now - entry.started_at < HOUR:
        return True
    return entry.state in UNWANTED and _is_unchanged(entry, inventory)


def _is_unchanged(entry: Entry, inventory: Inventory) -> bool:
    anchor = entry.anchor
    view = inventory.peek(anchor.ref) if anchor.ref is not None else None
    if view is None or (anchor.uid and view.metadata.uid not in ("", anchor.uid)):
        return False
    kind, _, number = entry.object_version.partition(" ")
    return kind != "generation" or number == str(view.metadata.generation)


def has_room(entries: Sequence[Entry], inventory: Inventory, now: float) -> bool:
    """Whether one more entry fits without dropping one that is needed."""
    return sum(is_needed(entry, inventory, now) for entry in entries) < CAPACITY


def bars(entry: Entry, raw: patch.Raw) -> bool:
    """Whether this entry forbids the same fix on the object as it is now."""
    if entry.state not in UNWANTED or entry.created or entry.object.uid != raw["metadata"].get("uid", ""):
        return False
    return entry.object_version == version(raw)


def bars_view(entry: Entry, inventory: Inventory) -> bool:
    """The same as far as the inventory can tell; where a kind has no generation, only the raw object can."""
    can_tell = entry.created or entry.object_version.startswith("generation")
    return entry.state in UNWANTED and can_tell and _is_unchanged(entry, inventory)


def tokens_left(entries: Sequence[Entry], per_hour: int, now: float) -> int:
    """What a bucket of ``per_hour`` tokens still holds: a fix takes one, and an hour later it is back.

    So never more than ``per_hour`` fixes fall into any hour, and the last entries are all that must be remembered.
    """
    return per_hour - sum(now - entry.started_at < HOUR for entry in entries)
