"""Bytes from an API server, decoded into views.

The fast path decodes a LIST page or a watch line straight into the views of its kind, in one pass. What it refuses is
decoded object by object: nulls are dropped (an API server writes them where a controller did), and an object that is
still wrong becomes a :class:`Seen` without a view that says why. One bad object never costs the others, and is never
mistaken for an absent one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from msgspec.structs import force_setattr

from platform_health.sources.sharing import share
from platform_health.views.view import Kind, View

T = TypeVar("T")
Key = tuple[str, str]
"""Namespace (empty: cluster-scoped) and name."""


class Seen(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """One object as it came in: decoded, or why not."""

    key: Key
    value: T | None
    because: str = ""


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a LIST. ``rest`` is the token that continues it, empty at the end."""

    items: list[Seen[T]]
    version: str
    rest: str


class Event(msgspec.Struct, Generic[T], frozen=True):
    """One line of a watch: ADDED, MODIFIED or DELETED with the object, BOOKMARK without, ERROR with ``code``."""

    type: str
    seen: Seen[T] | None = None
    code: int = 0
    because: str = ""


class Decoder(Protocol[T]):
    """Decodes what the API server sends about one kind. Raises msgspec.MsgspecError where it is no page or line."""

    def page(self, body: bytes) -> Page[T]:
        """One page of a LIST."""

    def event(self, line: bytes) -> Event[T]:
        """One line of a watch."""

    def from_raw(self, raw: dict[str, Any]) -> Seen[T]:
        """One object that someone else parsed."""


class _ListMeta(msgspec.Struct, rename="camel", gc=False):
    resource_version: str | None = None
    rest: str | None = msgspec.field(name="continue", default=None)


class _TypedPage(msgspec.Struct, Generic[T], gc=False):
    metadata: _ListMeta
    items: list[T] | None = None


class _TypedEvent(msgspec.Struct, Generic[T], gc=False):
    type: str
    object: T


class _Name(msgspec.Struct, rename="camel", frozen=True, gc=False):
    name: str = ""
    namespace: str | None = None
    resource_version: str = ""


class _Named(msgspec.Struct, gc=False):
    """Any object: the Status of an ERROR has a code, the others a name."""

    metadata: _Name = _Name()
    code: int = 0
    message: str | None = None


_raw_page = msgspec.json.Decoder(_TypedPage[msgspec.Raw])
_raw_event = msgspec.json.Decoder(_TypedEvent[msgspec.Raw])
_named = msgspec.json.Decoder(_Named)
_named_event = msgspec.json.Decoder(_TypedEvent[_Named])
_anything = msgspec.json.Decoder()


class ViewDecoder:
    """Decodes the objects of one kind as one served version of it."""

    def __init__(self, kind: Kind, version: str) -> None:
        self.kind = kind
        self._api_version = f"{kind.group}/{version}" if kind.group else version
        self._pages = msgspec.json.Decoder(_TypedPage[kind.view])  # type: ignore[name-defined]
        self._events = msgspec.json.Decoder(_TypedEvent[kind.view])  # type: ignore[name-defined]
        self._views = msgspec.json.Decoder(kind.view)

    def page(self, body: bytes) -> Page[View]:
        """One page of a LIST."""
        try:
            page = self._pages.decode(body)
        except msgspec.ValidationError:
            raw = _raw_page.decode(body)
            return _page(raw.metadata, (self._one(item) for item in raw.items or ()))
        return _page(page.metadata, (self._seen(view) for view in page.items or ()))

    def event(self, line: bytes) -> Event[View]:
        """One line of a watch."""
        try:
            event = self._events.decode(line)
        except msgspec.ValidationError:
            return self._careful_event(line)
        if event.type in ("ADDED", "MODIFIED", "DELETED") and event.object.metadata.name:
            return Event(event.type, self._seen(event.object))
        return self._careful_event(line)

    def from_raw(self, raw: dict[str, Any]) -> Seen[View]:
        """One object that someone else parsed."""
        try:
            view: View = msgspec.convert(without_nulls(raw), self.kind.view)
        except msgspec.ValidationError as error:
            return Seen(key_of(raw), None, str(error))
        return self._seen(view)

    def _careful_event(self, line: bytes) -> Event[View]:
        event = _raw_event.decode(line)
        if event.type not in ("ADDED", "MODIFIED", "DELETED"):
            return other_event(event.type, event.object)
        seen = self._one(event.object)
        if not seen.key[1]:
            raise msgspec.ValidationError("the object of an event has no name")
        return Event(event.type, seen)

    def _one(self, body: msgspec.Raw) -> Seen[View]:
        try:
            return self._seen(self._views.decode(body))
        except msgspec.ValidationError:
            raw = _anything.decode(body)
            return self.from_raw(raw) if isinstance(raw, dict) else Seen(("", ""), None, "an item is no object")

    def _seen(self, view: View) -> Seen[View]:
        """Says the same in lists (where items carry no apiVersion) and watches, and shares repeated strings."""
        metadata = view.metadata
        if not metadata.name:
            return Seen((metadata.namespace, ""), None, "it has no name")
        force_setattr(view, "api_version", self._api_version)
        share(view)
        return Seen((metadata.namespace, metadata.name), view)


class RawDecoder:
    """Decodes into dictionaries, for objects that have no view."""

    def page(self, body: bytes) -> Page[dict[str, Any]]:
        """One page of a LIST."""
        page = _raw_page.decode(body)
        return _page(page.metadata, (self.from_raw(_anything.decode(item)) for item in page.items or ()))

    def event(self, line: bytes) -> Event[dict[str, Any]]:
        """One line of a watch."""
        event = _raw_event.decode(line)
        if event.type in ("ADDED", "MODIFIED", "DELETED"):
            return Event(event.type, self.from_raw(_anything.decode(event.object)))
        return other_event(event.type, event.object)

    def from_raw(self, raw: dict[str, Any]) -> Seen[dict[str, Any]]:
        """One object that someone else parsed."""
        return Seen(key_of(raw), raw)


class NameDecoder:
    """Decodes only which objects there are and in which version: the cheapest way to hear that something changed."""

    def page(self, body: bytes) -> Page[str]:
        """One page of a LIST."""
        page = _raw_page.decode(body)
        return _page(page.metadata, (_versioned(_named.decode(item)) for item in page.items or ()))

    def event(self, line: bytes) -> Event[str]:
        """One line of a watch."""
        event = _raw_event.decode(line)
        if event.type in ("ADDED", "MODIFIED", "DELETED"):
            return Event(event.type, _versioned(_named.decode(event.object)))
        return other_event(event.type, event.object)

    def from_raw(self, raw: dict[str, Any]) -> Seen[str]:
        """One object that someone else parsed."""
        return _versioned(msgspec.convert(raw, _Named))


def other_event(event_type: str, body: msgspec.Raw) -> Event[Any]:
    """BOOKMARK, ERROR, and whatever a later API server may invent."""
    said = _named.decode(body)
    return Event(event_type, code=said.code, because=said.message or "")


def version_of(line: bytes) -> str:
    """The resourceVersion of the object in a watch line, where the watch may be resumed; empty if there is none."""
    try:
        return _named_event.decode(line).object.metadata.resource_version
    except msgspec.MsgspecError:
        return ""


def name_and_version_of(line: bytes) -> tuple[str, Key, str, int]:
    """Type, key, resourceVersion and (of an ERROR) code of a watch line, without decoding its object."""
    event = _named_event.decode(line)
    metadata = event.object.metadata
    return event.type, (metadata.namespace or "", metadata.name), metadata.resource_version, event.object.code


def key_of(raw: dict[str, Any]) -> Key:
    """Namespace and name of an object that was parsed but perhaps is none."""
    metadata = raw.get("metadata")
    if not isinstance(metadata, dict):
        return ("", "")
    return (str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))


def without_nulls(value: Any) -> Any:
    """The same without null fields and elements, at any depth: null means absent."""
    if isinstance(value, dict):
        return {key: without_nulls(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, list):
        return [without_nulls(entry) for entry in value if entry is not None]
    return value


def _page(metadata: _ListMeta, items: Iterable[Seen[T]]) -> Page[T]:
    return Page(list(items), metadata.resource_version or "", metadata.rest or "")


def _versioned(named: _Named) -> Seen[str]:
    return Seen((named.metadata.namespace or "", named.metadata.name), named.metadata.resource_version)
