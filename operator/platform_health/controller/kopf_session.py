"""The HTTP session that kopf uses, through which we see what its handlers never would.

kopf tells handlers about objects, but not that a LIST was complete or empty, so that an object which vanished while
the watch was down would stay for ever; and it ends altogether when one of its kinds answers 404, 410 or an ERROR event.
Here every LIST page goes straight into the feed of its kind, which marks and sweeps (kopf gets the page without its
items: it learns where to watch from), and every failure is turned into the one thing kopf waits out: a lost connection,
or into the one thing that makes it list again: an ERROR event of code 410. Handlers deliver the events of the watch.

All of this runs in kopf's thread; what it has to say is posted to the loop that owns the feeds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import msgspec

from platform_health.connection import Connection, api_error
from platform_health.sources.decode import Decoder, Key, key_of, name_and_version_of
from platform_health.sources.discovery import Resource, path_of
from platform_health.sources.feed import AnyFeed
from platform_health.sources.pace import TIMING, Timing, jitter

log = logging.getLogger(__name__)

Post = Callable[..., None]
"""Has a function called with arguments in the loop that owns the feeds."""

GONE = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","metadata":{}}}'


class Target:
    """One kind in kopf's thread: what goes through the session and the handlers on its way to the feed."""

    def __init__(
        self,
        resource: Resource,
        version: str,
        decoder: Decoder[Any],
        feed: AnyFeed,
        post: Post,
        refused: Callable[[bool], None],
        timing: Timing = TIMING,
    ) -> None:
        self.resource, self.version = resource, version
        self.path = path_of(resource, version)
        self._decoder, self._feed, self._post, self._refused = decoder, feed, post, refused
        self._timing = timing
        self._latest: dict[Key, str] = {}
        """The newest version on the wire of every object that had an event since the last LIST began."""
        self._asked_at: dict[bool, float] = {}
        self._relist_at = 0.0
        self.backoff = timing.backoff()

    async def pace(self, watch: bool) -> None:
        """Waits until this may be asked again."""
        now = time.monotonic()
        wait = self._asked_at.get(watch, now - self._timing.pace) + self._timing.pace - now
        if wait > 0:
            await asyncio.sleep(wait)
        self._asked_at[watch] = time.monotonic()

    def list_begins(self) -> None:
        """A LIST begins: whatever a handler still has in hand is older than it."""
        self._latest.clear()
        self._post(self._feed.began)

    def listed(self, body: bytes) -> dict[str, Any]:
        """Takes one page; answers what kopf may know of it."""
        page = self._decoder.page(body)
        self._post(self._feed.page, page.items)
        if not page.rest:
            self._relist_at = time.monotonic() + jitter(*self._timing.relist)
            self._post(self._feed.ended)
        return {"metadata": {"resourceVersion": page.version, "continue": page.rest}, "items": []}

    def watching(self) -> None:
        """The watch stands."""
        self._post(self._feed.well)

    @property
    def patience(self) -> float:
        """How long to wait for the next line before listing again."""
        return max(0.0, min(self._timing.inactivity, self._relist_at - time.monotonic()))

    def wire(self, line: bytes) -> bytes:
        """One line of the watch, as kopf shall see it."""
        try:
            event_type, key, version, code = name_and_version_of(line)
        except msgspec.MsgspecError as error:
            self.failed(0, f"a line of the watch is not readable: {error}")
            return GONE
        if event_type == "ERROR":
            if code != 410:
                self.failed(code, f"ERROR event of code {code}")
            return GONE
        self.backoff.reset()
        if event_type != "BOOKMARK":
            self._latest[key] = version
        return line

    def delivered(self, event_type: str | None, raw: dict[str, Any]) -> None:
        """A handler was called. What the wire has overtaken is dropped: handlers of one name may run out of order."""
        if self._latest.get(key_of(raw)) == raw["metadata"].get("resourceVersion"):
            self._post(self._feed.event, event_type or "ADDED", self._decoder.from_raw(raw))

    def failed(self, status: int, because: str) -> None:
        """A request failed; 403 and 404 are for discovery to explain."""
        self._post(self._feed.troubled, because)
        if status in (403, 404):
            self._post(self._refused, status == 403)


class SeenResponse(aiohttp.ClientResponse):
    """A response whose pages and lines pass by a target."""

    target: Target | None = None

    async def json(self, **options: Any) -> Any:
        """The decoded body; of a LIST page, what the target leaves of it."""
        if self.target is None:
            return await super().json(**options)
        try:
            return self.target.listed(await self.read())
        except msgspec.MsgspecError as error:
            self.target.failed(0, f"a page of the list is not readable: {error}")
            raise aiohttp.ClientPayloadError(str(error)) from error


class Lines:
    """Stands for the content of a watch: whole lines, each of which has passed by the target."""

    def __init__(self, content: aiohttp.StreamReader, target: Target, sign: Callable[[], None]) -> None:
        self._content, self._target, self._sign = content, target, sign

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """The lines, until the stream ends or is to be given up."""
        rest = b""
        while True:
            try:
                async with asyncio.timeout(self._target.patience):
                    data = await self._content.readany()
            except TimeoutError:
                yield GONE + b"\n"
                return
            if not data:
                return
            self._sign()
            *lines, rest = (rest + data).split(b"\n")
            for line in filter(None, lines):
                seen = self._target.wire(line)
                if seen is GONE:
                    await asyncio.sleep(self._target.backoff.pause())
                    yield GONE + b"\n"
                    return
                yield seen + b"\n"


class Nothing:
    """Stands for the content of a watch that the API server refuses to resume: tells kopf to list again."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """One line."""
        yield GONE + b"\n"


Handler = Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]


class Watcher:
    """Stands between kopf and the API server. ``sign`` is called whenever something passes."""

    def __init__(self, connection: Connection, targets: Mapping[str, Target], sign: Callable[[], None]) -> None:
        self._connection, self._targets, self._sign = connection, targets, sign

    def session(self) -> aiohttp.ClientSession:
        """A session for the running loop."""
        return self._connection.new_session(middlewares=(self._see,), response_class=SeenResponse)

    async def _see(self, request: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        self._sign()
        target = self._targets.get(request.url.path)
        if target is None:
            return await self._scan(request, handler)
        try:
            if request.url.query.get("watch") == "true":
                return await self._watch(target, request, handler)
            return await self._list(target, request, handler)
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            target.failed(0, str(error) or type(error).__name__)
            raise

    async def _scan(self, request: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        """Before kopf watches anything it looks for its kinds; while that fails, nothing is heard of any of them."""
        try:
            response = await handler(request)
            return response if response.status == 404 else await _only_success(response)
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            for target in self._targets.values():
                target.failed(0, str(error) or type(error).__name__)
            raise

    async def _list(self, target: Target, request: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        if "continue" not in request.url.query:
            await target.pace(watch=False)
            target.list_begins()
        response = await handler(request)
        if response.status == 410 and "continue" in request.url.query:
            response.release()
            request.url = request.url.without_query_params("continue")
            return await self._list(target, request, handler)
        response = await _only_success(response, target)
        assert isinstance(response, SeenResponse)
        response.target = target
        return response

    async def _watch(self, target: Target, request: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        await target.pace(watch=True)
        response = await handler(request)
        if response.status == 410:
            response.status = 200
            response.content = Nothing(response.content)  # type: ignore[assignment]
            return response
        response = await _only_success(response, target)
        target.watching()
        response.content = Lines(response.content, target, self._sign)  # type: ignore[assignment]
        return response


async def _only_success(response: aiohttp.ClientResponse, target: Target | None = None) -> aiohttp.ClientResponse:
    if response.status < 400:
        return response
    where = f"{response.method} {response.url.path}"
    error = api_error(response.status, await response.read(), where, response.headers)
    if target is not None:
        target.failed(error.status, str(error))
        if error.retry_after:
            await asyncio.sleep(error.retry_after)
    raise _Refused(str(error))


class _Refused(aiohttp.ClientConnectionError):
    """An answer that kopf shall wait out as if there had been none."""
