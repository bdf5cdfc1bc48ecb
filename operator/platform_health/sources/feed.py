"""What the source of one kind tells the rest: objects that came and went, and how well the kind is known.

A *feed* takes what a LIST and a watch say about one kind, whoever carries them, and makes it consistent. A LIST is
mark and sweep: what is neither in it nor was heard of since it began is gone, though nobody ever said so. An object
that does not decode is not absent: while there is one, the kind counts as unreadable and says which object it is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, Generic, Protocol, TypeVar

from platform_health.inventory import Inventory
from platform_health.knowledge import ClusterKnowledge, KindState
from platform_health.sources.decode import Key, Seen
from platform_health.sources.pace import TIMING, Timing
from platform_health.views.view import Kind, Ref, View

log = logging.getLogger(__name__)

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V", contravariant=True)


class Sink(Protocol):
    """Takes views and what is known of their kinds. Called in one loop only."""

    def put(self, view: View) -> object:
        """An object is there, or has changed."""

    def remove(self, ref: Ref) -> object:
        """An object is gone."""

    def state(self, kind: Kind, state: KindState, because: str) -> None:
        """How well a kind is known has changed; ``because`` is for people."""


class InventorySink:
    """Puts everything into an inventory, and says so when something that we look at has changed."""

    def __init__(self, inventory: Inventory, knowledge: ClusterKnowledge, changed: Callable[[], None]) -> None:
        self._inventory, self._knowledge, self._changed = inventory, knowledge, changed

    def put(self, view: View) -> None:
        """An object is there, or has changed."""
        if self._inventory.put(view):
            self._changed()

    def remove(self, ref: Ref) -> None:
        """An object is gone."""
        if self._inventory.remove(ref):
            self._changed()

    def state(self, kind: Kind, state: KindState, because: str) -> None:
        """How well a kind is known has changed."""
        self._knowledge.set(kind, state, because)
        self._inventory.touch_kind(kind)
        self._changed()


class MarkAndSweep(Generic[K]):
    """Which keys are known, and which of them a LIST that is under way has confirmed."""

    def __init__(self) -> None:
        self.known: set[K] = set()
        self._unconfirmed: set[K] | None = None
        self._heard: set[K] = set()

    def begin(self) -> None:
        """A LIST begins: from now on what is known wants to be confirmed."""
        self._unconfirmed, self._heard = set(self.known), set()

    def listed(self, key: K) -> bool:
        """The LIST contains ``key``; False where a later event about it has been heard, which must stand."""
        if key in self._heard:
            return False
        self.known.add(key)
        if self._unconfirmed is not None:
            self._unconfirmed.discard(key)
        return True

    def heard(self, key: K, *, gone: bool = False) -> None:
        """An event about ``key``."""
        if gone:
            self.known.discard(key)
        else:
            self.known.add(key)
        if self._unconfirmed is not None:
            self._unconfirmed.discard(key)
            self._heard.add(key)

    def sweep(self) -> set[K]:
        """The LIST is complete: the keys that are gone."""
        gone = (self._unconfirmed or set()) & self.known
        self.known -= gone
        self._unconfirmed, self._heard = None, set()
        return gone


class Outlet(Protocol[V]):
    """Where a feed delivers."""

    def put(self, key: Key, value: V) -> None:
        """An object is there, or has changed."""

    def remove(self, key: Key) -> None:
        """An object is gone."""

    def state(self, state: KindState, because: str) -> None:
        """How well the kind is known has changed."""


class KindOutlet:
    """Delivers the objects of one kind to the sink."""

    def __init__(self, kind: Kind, sink: Sink) -> None:
        self._kind, self._sink = kind, sink

    def put(self, key: Key, value: View) -> None:
        """An object is there, or has changed."""
        self._sink.put(value)

    def remove(self, key: Key) -> None:
        """An object is gone."""
        self._sink.remove(Ref(self._kind, *key))

    def state(self, state: KindState, because: str) -> None:
        """How well the kind is known has changed."""
        self._sink.state(self._kind, state, because)


class Feed(Generic[T]):
    """One kind on its way to its outlet. ``name`` is how people call the kind (``httproutes.gateway…``)."""

    def __init__(self, name: str, outlet: Outlet[T], timing: Timing = TIMING) -> None:
        self.name, self._outlet, self._timing = name, outlet, timing
        self._keys: MarkAndSweep[Key] = MarkAndSweep()
        self._bad: dict[Key, str] = {}
        self._state, self._because = KindState.PENDING, ""
        self._told: tuple[KindState, str] | None = None
        self._troubled_since: float | None = None

    @property
    def current(self) -> KindState:
        """How well the kind is known now."""
        return (self._told or (KindState.PENDING, ""))[0]

    @property
    def has_synced(self) -> bool:
        """Whether what it delivered was complete at least once."""
        return self._state in (KindState.SYNCED, KindState.STALE)

    def began(self) -> None:
        """A LIST begins."""
        self._keys.begin()

    def page(self, items: Iterable[Seen[T]]) -> None:
        """One page of the LIST."""
        self._troubled_since = None
        for seen in items:
            if self._keys.listed(seen.key):
                self._take(seen)

    def ended(self) -> None:
        """The LIST is complete."""
        for key in self._keys.sweep():
            self._drop(key)
        self._become(KindState.SYNCED)

    def event(self, event_type: str, seen: Seen[T]) -> None:
        """ADDED, MODIFIED or DELETED."""
        gone = event_type == "DELETED"
        self._keys.heard(seen.key, gone=gone)
        if gone:
            self._drop(seen.key)
        else:
            self._take(seen)
        if self._bad or self.current is KindState.UNREADABLE:
            self._tell()

    def starting(self) -> None:
        """The kind is served (again): it will be listed."""
        if self._state is not KindState.PENDING and not self.has_synced:
            self._become(KindState.PENDING)

    def well(self) -> None:
        """The watch stands: what is known is current."""
        self._troubled_since = None
        if self._state is KindState.STALE:
            self._become(KindState.SYNCED)

    def troubled(self, because: str) -> None:
        """An attempt to list or watch failed; after a while what is known is stale."""
        now = time.monotonic()
        self._troubled_since = now if self._troubled_since is None else self._troubled_since
        if now - self._troubled_since >= self._timing.stale and self._state in (KindState.SYNCED, KindState.PENDING):
            self._become(KindState.STALE if self.has_synced else KindState.UNREADABLE, because)

    def lost(self, state: KindState, because: str = "") -> None:
        """The kind is not installed, or may not be read: nothing of it is known any more."""
        self._keys.begin()
        for key in self._keys.sweep():
            self._drop(key)
        self._bad.clear()
        self._troubled_since = None
        self._become(state, because)

    def _take(self, seen: Seen[T]) -> None:
        if seen.value is None:
            if seen.key not in self._bad:
                log.warning("%s %s does not decode: %s", self.name, "/".join(seen.key).lstrip("/"), seen.because)
            self._bad[seen.key] = seen.because
            self._outlet.remove(seen.key)
        else:
            self._bad.pop(seen.key, None)
            self._outlet.put(seen.key, seen.value)

    def _drop(self, key: Key) -> None:
        self._bad.pop(key, None)
        self._outlet.remove(key)

    def _become(self, state: KindState, because: str = "") -> None:
        if state is not self._state and state not in (KindState.PENDING, KindState.SYNCED, KindState.ABSENT):
            log.warning("%s: %s%s", self.name, state, f": {because}" if because else "")
        self._state, self._because = state, because
        self._tell()

    def _tell(self) -> None:
        now = (self._state, self._because)
        if self._state is KindState.SYNCED and self._bad:
            now = (KindState.UNREADABLE, self._complaint())
        if now != self._told:
            self._told = now
            self._outlet.state(*now)

    def _complaint(self) -> str:
        named = sorted(self._bad)[:3]
        more = f" and {len(self._bad) - len(named)} more" if len(self._bad) > len(named) else ""
        return ", ".join(f"{'/'.join(key).lstrip('/')} ({self._bad[key]})" for key in named) + more


AnyFeed = Feed[Any]
