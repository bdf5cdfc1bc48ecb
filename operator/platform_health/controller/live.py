"""Everything that is read from a live cluster, under one roof: streams, kopf, and the discovery that steers both."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

from platform_health.connection import Connection
from platform_health.controller.kopf_thread import KopfThread, Watched
from platform_health.knowledge import KindState
from platform_health.sources.decode import Key, NameDecoder, RawDecoder, ViewDecoder
from platform_health.sources.discovery import DEFINITIONS, Discovery, Offer
from platform_health.sources.feed import AnyFeed, Feed, KindOutlet, Sink
from platform_health.sources.pace import TIMING, Timing
from platform_health.sources.streams import Stream, Streams
from platform_health.views.platform import VERSION, PlatformHealth
from platform_health.views.view import Kind

log = logging.getLogger(__name__)


OnPlatformHealth = Callable[[str, dict[str, Any]], None]
"""Takes ADDED, MODIFIED or DELETED and the whole object."""


class _Reports:
    """Hands PlatformHealth objects on as they are, never the same twice; and their views, where they are judged."""

    def __init__(self, call: OnPlatformHealth, views: KindOutlet | None) -> None:
        self._call, self._views = call, views
        self._decoder = ViewDecoder(PlatformHealth.kind, VERSION)
        self._last: dict[Key, dict[str, Any]] = {}

    def put(self, key: Key, value: dict[str, Any]) -> None:
        """A report is there, or has changed."""
        before = self._last.get(key)
        if before == value:
            return
        self._last[key] = value
        view = self._decoder.from_raw(value).value
        if self._views and view is not None:
            self._views.put(key, view)
        self._tell("ADDED" if before is None else "MODIFIED", value)

    def remove(self, key: Key) -> None:
        """A report is gone."""
        before = self._last.pop(key, None)
        if before is None:
            return
        if self._views:
            self._views.remove(key)
        self._tell("DELETED", before)

    def state(self, state: KindState, because: str) -> None:
        """How well reports are known has changed."""
        if self._views:
            self._views.state(state, because)

    def _tell(self, event_type: str, raw: dict[str, Any]) -> None:
        try:
            self._call(event_type, raw)
        except Exception:
            log.exception("a PlatformHealth object could not be handled")


class _Definitions:
    """The definitions of custom resources: any change is a reason to look again at what is served."""

    def __init__(self) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._versions: dict[str, str] = {}
        self._state = KindState.PENDING
        self.settled = asyncio.Event()
        """Set once it is known whether they can be read."""

    @property
    def names(self) -> Collection[str] | None:
        """The names of all definitions, None where they are not known."""
        return self._versions.keys() if self._state is KindState.SYNCED else None

    def put(self, key: Key, value: str) -> None:
        """A definition is there, or has changed."""
        if self._versions.get(key[1]) != value:
            self._versions[key[1]] = value
            self.changed()

    def remove(self, key: Key) -> None:
        """A definition is gone."""
        if self._versions.pop(key[1], None) is not None:
            self.changed()

    def state(self, state: KindState, because: str) -> None:
        """How well definitions are known has changed."""
        self._state = state
        self.settled.set()


class LiveSources:
    """Reads ``kinds`` into ``sink``, and PlatformHealth objects into ``on_platform_health``, in the running loop."""

    def __init__(
        self,
        connection: Connection,
        kinds: Sequence[Kind],
        sink: Sink,
        on_platform_health: OnPlatformHealth,
        timing: Timing = TIMING,
    ) -> None:
        self._connection, self._timing = connection, timing
        self._streamed = [kind for kind in kinds if kind.via == "stream"]
        self._evented = [kind for kind in kinds if kind.via == "event" and kind is not PlatformHealth.kind]
        self._evented.append(PlatformHealth.kind)
        views = KindOutlet(PlatformHealth.kind, sink) if PlatformHealth.kind in kinds else None
        reports: AnyFeed = Feed(PlatformHealth.kind.resource, _Reports(on_platform_health, views), timing)
        self._feeds: dict[Kind, AnyFeed] = {
            kind: Feed(kind.resource, KindOutlet(kind, sink), timing) for kind in (*self._streamed, *self._evented)
        }
        self._feeds[PlatformHealth.kind] = reports
        self._definitions = _Definitions()
        self._discovery = Discovery(
            connection, list(self._feeds), self._evented, self._found, lambda: self._definitions.names, timing
        )
        self._definitions.changed = self._discovery.look_again
        self._streams = Streams(connection, self._feeds, self._discovery.look_again, timing)
        self._kopf = KopfThread(connection, lambda forbidden: self._discovery.look_again(permissions=forbidden), timing)
        self._read: dict[Kind, str] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begins to read; returns at once. :meth:`is_synced` says when everything has been read."""
        definitions = Stream(
            self._connection,
            DEFINITIONS,
            NameDecoder(),
            Feed("customresourcedefinitions", self._definitions, self._timing),
            metadata_only=True,
            timing=self._timing,
        )
        self._tasks = [
            asyncio.create_task(self._discover(), name="discovery"),
            asyncio.create_task(definitions.run(), name="stream of definitions"),
            asyncio.create_task(self._kopf.run(), name="supervisor of kopf"),
        ]

    async def _discover(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(10.0):
                await self._definitions.settled.wait()
        await self._discovery.run()

    async def stop(self) -> None:
        """Ends everything that was started, tasks and thread."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(self._streams.stop(), self._kopf.stop())

    def is_synced(self) -> bool:
        """Whether it is settled of every kind whether and how well it is known."""
        return all(feed.current is not KindState.PENDING for feed in self._feeds.values())

    def problems(self) -> list[str]:
        """What a liveness probe should know: parts that have ended and will not come back by themselves."""
        ended = [f"{task.get_name()} has ended" for task in self._tasks if task.done()]
        return [*ended, *self._streams.problems(), *self._kopf.problems()]

    @property
    def kopf_lives(self) -> int:
        """How often kopf has been started."""
        return self._kopf.lives

    def _found(self, offer: Offer) -> None:
        """Reads what is served and granted; says of everything else why not."""
        read: dict[Kind, str] = {}
        for kind, feed in self._feeds.items():
            version, unclear = offer.served.versions.get(kind), offer.served.unknown.get(kind)
            if kind in offer.refused:
                feed.lost(KindState.FORBIDDEN, "listing and watching it is not granted")
            elif version is not None:
                read[kind] = version
            elif unclear is not None and kind in self._read:
                read[kind] = self._read[kind]
            elif unclear is not None:
                feed.lost(KindState.UNREADABLE, unclear)
            else:
                feed.lost(KindState.ABSENT, "the API server does not serve it")
        for kind in read.keys() - self._read.keys():
            self._feeds[kind].starting()
        self._read = read
        self._streams.serve({kind: read[kind] for kind in self._streamed if kind in read})
        self._kopf.watch([self._watched(kind, read[kind]) for kind in self._evented if kind in read])

    def _watched(self, kind: Kind, version: str) -> Watched:
        decoder = RawDecoder() if kind is PlatformHealth.kind else ViewDecoder(kind, version)
        return Watched(kind, version, decoder, self._feeds[kind])
