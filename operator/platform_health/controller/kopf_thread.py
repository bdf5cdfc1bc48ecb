"""kopf, in a thread and event loop of its own, and the supervisor that starts it again.

When kopf ends, it cancels every task of its loop, and what it cannot cancel it waits for; none of this may reach the
streams, the inventory or the engine. So each life of kopf gets a new thread, and everything it says passes one bridge
into the loop that owns the feeds. A life that is over, or that hangs, says nothing any more: it is asked to end, and
left behind where it does not.

Handlers are registered for exactly the kinds that are served and may be read, each in the version that was chosen;
when these change, a new life takes over. Only ``on.event`` and ``on.login`` are used: nothing else leaves other
people's objects alone.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import kopf
import msgspec

from platform_health.connection import Connection, close_session
from platform_health.controller.kopf_session import Target, Watcher
from platform_health.controller.kopf_settings import settings
from platform_health.sources.decode import Decoder
from platform_health.sources.discovery import Resource
from platform_health.sources.feed import AnyFeed
from platform_health.sources.pace import TIMING, Timing

log = logging.getLogger(__name__)


class Watched(msgspec.Struct, frozen=True):
    """One kind to watch: where it is, how it is decoded, and where it goes."""

    resource: Resource
    version: str
    decoder: Decoder[Any]
    feed: AnyFeed


class Life:
    """One life of kopf: a thread, its loop, and the targets it watches."""

    def __init__(
        self, connection: Connection, watched: Sequence[Watched], hint: Callable[[bool], None], timing: Timing
    ) -> None:
        self._connection, self._timing = connection, timing
        self._owner = asyncio.get_running_loop()
        targets = (
            Target(entry.resource, entry.version, entry.decoder, entry.feed, self._post, hint, timing)
            for entry in watched
        )
        self.targets = {target.path: target for target in targets}
        self.is_current = True
        self.last_sign = time.monotonic()
        self.error: BaseException | None = None
        self.ended = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._asked_to_stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name="kopf", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def retire(self) -> None:
        """Says nothing any more, and is asked to end."""
        self.is_current = False
        self._asked_to_stop.set()
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    def _post(self, call: Callable[..., object], *arguments: Any) -> None:
        try:
            self._owner.call_soon_threadsafe(self._arrive, call, arguments)
        except RuntimeError:
            log.debug("the loop that owns the feeds has closed")

    def _arrive(self, call: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        if self.is_current:
            call(*arguments)

    def _sign(self) -> None:
        self.last_sign = time.monotonic()

    def _live(self) -> None:
        try:
            asyncio.run(self._operate())
        except BaseException as error:
            self.error = error
        finally:
            try:
                self._owner.call_soon_threadsafe(self.ended.set)
            except RuntimeError:
                log.debug("the loop that owns the feeds has closed")

    async def _operate(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        if self._asked_to_stop.is_set():
            return
        session = Watcher(self._connection, self.targets, self._sign).session()
        try:
            await kopf.operator(
                registry=registry(self.targets.values(), self._connection.server, session),
                settings=settings(self._timing),
                clusterwide=True,
                stop_flag=self._stop,
            )
        finally:
            await close_session(session)


def registry(targets: Any, server: str, session: Any) -> kopf.OperatorRegistry:
    """The handlers of one life: log in with our session, and deliver every event."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers, errors=kopf.ErrorsMode.PERMANENT)
    async def login(**_: Any) -> Any:
        return kopf.AiohttpSession(server=server, aiohttp_session=session)

    for target in targets:
        _deliver_to(target, handlers)
    return handlers


def _deliver_to(target: Target, handlers: kopf.OperatorRegistry) -> None:
    resource = target.resource

    @kopf.on.event(resource.group, target.version, resource.plural, registry=handlers, id=f"see-{resource.plural}")
    async def see(event: Any, **_: Any) -> None:
        target.delivered(event["type"], event["object"])


class KopfThread:
    """Keeps one life of kopf running for what is to be watched."""

    def __init__(self, connection: Connection, hint: Callable[[bool], None], timing: Timing = TIMING) -> None:
        self._connection, self._hint, self._timing = connection, hint, timing
        self._watched: tuple[Watched, ...] = ()
        self._changed = asyncio.Event()
        self._life: Life | None = None
        self._retired: list[Life] = []
        self._ending: set[asyncio.Task[None]] = set()
        self.lives = 0
        """How many lives kopf has had, for metrics and tests."""
        for name in ("kopf.objects", "kopf._core.reactor.running", "kopf._cogs.clients.watching"):
            logging.getLogger(name).setLevel(logging.CRITICAL)

    def watch(self, watched: Sequence[Watched]) -> None:
        """Watches exactly these kinds from now on."""
        if _identity(watched) != _identity(self._watched):
            self._watched = tuple(watched)
            self._changed.set()

    async def run(self) -> None:
        """Keeps kopf alive until cancelled."""
        backoff = self._timing.backoff()
        while True:
            self._changed.clear()
            if not self._watched:
                await self._changed.wait()
                continue
            self._life = Life(self._connection, self._watched, self._hint, self._timing)
            self.lives += 1
            began = time.monotonic()
            self._life.start()
            reason = await self._end_of(self._life)
            self._retire(self._life)
            if not reason:
                continue
            log.error("kopf is started again: %s", reason)
            if time.monotonic() - began > 60:
                backoff.reset()
            await self._pause(backoff.pause(), reason)

    async def _end_of(self, life: Life) -> str:
        """Waits until a life must be replaced; says why, empty where only what is to be watched has changed."""
        waits = [asyncio.create_task(life.ended.wait()), asyncio.create_task(self._changed.wait())]
        try:
            while True:
                done, _ = await asyncio.wait(
                    waits, timeout=self._timing.silence / 8, return_when=asyncio.FIRST_COMPLETED
                )
                if waits[1] in done:
                    return ""
                if done:
                    return f"it has ended: {life.error!r}" if life.error else "it has ended by itself"
                quiet = time.monotonic() - life.last_sign
                if quiet > self._timing.silence / 2:
                    self._trouble(f"no sign of life of kopf for {quiet:.0f} s")
                if quiet > self._timing.silence:
                    return f"no sign of life for {self._timing.silence:g} s"
        finally:
            for wait in waits:
                wait.cancel()

    async def _pause(self, seconds: float, reason: str) -> None:
        self._trouble(f"kopf is started again: {reason}")
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _trouble(self, because: str) -> None:
        for entry in self._watched:
            entry.feed.troubled(because)

    def _retire(self, life: Life) -> None:
        life.retire()
        self._retired.append(life)
        task = asyncio.create_task(self._bury(life), name="end of a life of kopf")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _bury(self, life: Life) -> None:
        try:
            async with asyncio.timeout(self._timing.join):
                await life.ended.wait()
        except TimeoutError:
            log.warning(
                "a life of kopf did not end within %g s; it is left behind and no longer heard", self._timing.join
            )
            return
        self._retired.remove(life)

    def problems(self) -> list[str]:
        """Lives that were left behind."""
        hanging = [life for life in self._retired if not life.ended.is_set()]
        return [f"{len(hanging)} retired lives of kopf still run"] if len(hanging) > 1 else []

    async def stop(self) -> None:
        """Ends kopf; returns when its thread has ended or was left behind."""
        if self._life is not None and self._life not in self._retired:
            self._retire(self._life)
        await asyncio.gather(*self._ending, return_exceptions=True)


def _identity(watched: Sequence[Watched]) -> list[tuple[str, str, str]]:
    return sorted((entry.resource.group, entry.resource.plural, entry.version) for entry in watched)
