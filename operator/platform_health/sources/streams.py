"""LIST in pages, then WATCH, for ever: how the built-in kinds come in.

What goes wrong is told apart, because it means different things: an expired version means listing again; 403 says that
the kind may not be read; 404 is for discovery to explain, as an API server that has just started serves some kinds
later than others; everything else is waited out with growing, jittered pauses while what is known stays, and becomes
stale when that takes too long. None of it ends the streams of other kinds. A connection on which nothing comes in, not
even the bookmark of every minute, is given up: it may be half-open, or follow a version that the server does not have.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from platform_health.connection import (
    JSON,
    ApiError,
    Busy,
    Connection,
    Forbidden,
    Gone,
    NotFound,
    Unreachable,
    api_error,
)
from platform_health.knowledge import KindState
from platform_health.sources.decode import Decoder, Event, Seen, ViewDecoder, version_of
from platform_health.sources.discovery import differences, path_of
from platform_health.sources.feed import AnyFeed
from platform_health.sources.pace import TIMING, Timing, jitter
from platform_health.views.view import Kind

log = logging.getLogger(__name__)

T = TypeVar("T")

PAGE_SIZE = 500
LISTS_AT_ONCE = 4
FIELD_SELECTORS = {("", "pods"): "status.phase!=Succeeded,status.phase!=Failed"}
"""Pods that have ended are of no interest and can be many."""
METADATA_ONLY = (
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
)


class Receiver(Protocol[T]):
    """Takes what a stream reads; a Feed is one."""

    @property
    def has_synced(self) -> bool:
        """Whether a LIST has been complete."""

    def began(self) -> None:
        """A LIST begins."""

    def page(self, items: list[Seen[T]]) -> None:
        """One page of it."""

    def ended(self) -> None:
        """It is complete."""

    def event(self, event_type: str, seen: Seen[T]) -> None:
        """ADDED, MODIFIED or DELETED."""

    def well(self) -> None:
        """The watch stands."""

    def troubled(self, because: str) -> None:
        """An attempt failed."""

    def lost(self, state: KindState, because: str = "") -> None:
        """The kind is not installed, or may not be read."""


def selector_of(kind: Kind) -> dict[str, str]:
    """The parameters that leave out objects of no interest."""
    selector = FIELD_SELECTORS.get((kind.group, kind.plural))
    return {"fieldSelector": selector} if selector else {}


async def read_list(
    connection: Connection,
    path: str,
    decoder: Decoder[T],
    receiver: Receiver[T],
    *,
    params: Mapping[str, str] | None = None,
    accept: str = JSON,
) -> str:
    """Reads a whole LIST, page by page, into ``receiver``; answers the version from which it may be watched."""
    receiver.began()
    wanted = {"limit": str(PAGE_SIZE), **(params or {})}
    while True:
        page = decoder.page(await connection.read("GET", path, params=wanted, accept=accept))
        receiver.page(page.items)
        if not page.rest:
            break
        wanted["continue"] = page.rest
        await asyncio.sleep(0)
    receiver.ended()
    return page.version


class Stream(Generic[T]):
    """One kind: lists it, then watches it, until it is cancelled."""

    def __init__(
        self,
        connection: Connection,
        path: str,
        decoder: Decoder[T],
        receiver: Receiver[T],
        *,
        selector: Mapping[str, str] | None = None,
        metadata_only: bool = False,
        lists: asyncio.Semaphore | None = None,
        absent: Callable[[], None] = lambda: None,
        timing: Timing = TIMING,
    ) -> None:
        self._connection, self._path, self._decoder, self._receiver = connection, path, decoder, receiver
        self._selector = dict(selector or {})
        self._accepts = METADATA_ONLY if metadata_only else (JSON, JSON)
        self._absent, self._timing = absent, timing
        self._lists = lists or asyncio.Semaphore()
        self._version = ""
        """Where to resume the watch; empty: list first."""
        self._backoff = timing.backoff()
        self._errors = 0
        self._refusals = 0

    async def run(self) -> None:
        """Lists and watches until cancelled; nothing that the API server does ends it."""
        while True:
            try:
                await self._once()
            except NotFound as error:
                self._version = ""
                self._absent()
                await self._failed(error)
            except Forbidden as error:
                await self._refused(error)
            except Gone:
                self._version = ""
                await asyncio.sleep(self._backoff.pause())
            except (ApiError, msgspec.MsgspecError) as error:
                await self._failed(error)
            except Exception as error:
                log.exception("%s: reading failed in an unforeseen way; it is listed again", self._path)
                self._version = ""
                await self._failed(error)

    async def _once(self) -> None:
        if not self._version:
            async with self._lists:
                self._version = await read_list(
                    self._connection,
                    self._path,
                    self._decoder,
                    self._receiver,
                    params=self._selector,
                    accept=self._accepts[0],
                )
        began = time.monotonic()
        await self._watch()
        self._errors = self._refusals = 0
        if time.monotonic() - began < 1.0:
            await asyncio.sleep(self._backoff.pause())

    async def _refused(self, error: Forbidden) -> None:
        """A refusal may be a moment of an upgrade; only what is refused thrice in a row is given up."""
        self._refusals += 1
        if self._receiver.has_synced and self._refusals < 3:
            self._receiver.troubled(str(error))
            await asyncio.sleep(self._backoff.pause())
            return
        self._version = ""
        self._receiver.lost(KindState.FORBIDDEN, str(error))
        await asyncio.sleep(jitter(*self._timing.refused_pause))

    async def _failed(self, error: Exception) -> None:
        """Without an answer the watch is resumed; an API server that answers with errors is asked for a new list."""
        self._errors += not isinstance(error, Unreachable)
        if isinstance(error, msgspec.MsgspecError) or self._errors >= 3:
            self._version, self._errors = "", 0
        log.debug("%s: %s", self._path, error)
        self._receiver.troubled(str(error))
        await asyncio.sleep(self._backoff.pause(error.retry_after if isinstance(error, Busy) else None))

    async def _watch(self) -> None:
        params = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(int(jitter(*self._timing.watch))),
            **self._selector,
        }
        async with self._connection.open(
            "GET", self._path, params=params, accept=self._accepts[1], within=None
        ) as response:
            self._receiver.well()
            rest = b""
            while True:
                try:
                    async with asyncio.timeout(self._timing.inactivity):
                        data = await response.content.readany()
                except TimeoutError:
                    raise Gone(f"{self._path}: nothing came in for {self._timing.inactivity:g} s") from None
                if not data:
                    return
                *lines, rest = (rest + data).split(b"\n")
                self._take(lines)
                await asyncio.sleep(0)

    def _take(self, lines: list[bytes]) -> None:
        last = b""
        try:
            for line in lines:
                if not line:
                    continue
                event = self._decoder.event(line)
                if event.seen is not None:
                    self._receiver.event(event.type, event.seen)
                elif event.type == "ERROR":
                    raise _error(self._path, event)
                last = line
        finally:
            if last:
                self._version = version_of(last) or self._version
                self._backoff.reset()
                self._errors = 0


def _error(path: str, event: Event[Any]) -> ApiError:
    if event.code == 410:
        return Gone(f"{path}: {event.because}", status=410)
    return api_error(max(event.code, 500), event.because.encode(), f"WATCH {path}")


class Streams:
    """One stream per built-in kind that is served; each fills the feed of its kind."""

    def __init__(
        self,
        connection: Connection,
        feeds: Mapping[Kind, AnyFeed],
        absent: Callable[[], None] = lambda: None,
        timing: Timing = TIMING,
    ) -> None:
        self._connection, self._feeds, self._absent, self._timing = connection, feeds, absent, timing
        self._lists = asyncio.Semaphore(LISTS_AT_ONCE)
        self._tasks: dict[Kind, asyncio.Task[None]] = {}
        self._versions: dict[Kind, str] = {}

    def serve(self, versions: Mapping[Kind, str]) -> None:
        """Reads exactly these kinds, each in its version, from now on."""
        stop, start = differences(self._versions, versions)
        for kind in stop:
            self._tasks.pop(kind).cancel()
        for kind in start:
            stream = Stream(
                self._connection,
                path_of(kind, versions[kind]),
                ViewDecoder(kind, versions[kind]),
                self._feeds[kind],
                selector=selector_of(kind),
                lists=self._lists,
                absent=self._absent,
                timing=self._timing,
            )
            self._tasks[kind] = asyncio.create_task(stream.run(), name=f"stream of {kind.resource}")
        self._versions = dict(versions)

    def problems(self) -> list[str]:
        """Streams that have ended, which none ever should."""
        return [f"{task.get_name()} has ended: {_ending(task)}" for task in self._tasks.values() if task.done()]

    async def stop(self) -> None:
        """Ends all streams."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _ending(task: asyncio.Task[None]) -> str:
    return "cancelled" if task.cancelled() else repr(task.exception())
