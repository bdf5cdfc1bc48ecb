"""Puts the parts of the operator together and runs them: connection, election, sources, writers, server, signals."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from platform_health import __version__
from platform_health.connection import ApiError, Connection, connect
from platform_health.controller.leader import Always, ClusterLease, LeaderElection, LeaseApi
from platform_health.controller.live import LiveSources
from platform_health.controller.operator import on_cluster
from platform_health.controller.server import Server
from platform_health.invariants import discover

log = logging.getLogger(__name__)

UNREACHABLE = 3


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What ``platform-health run`` is told."""

    kubeconfig: Path | None = None
    context: str | None = None
    host: str = ""
    port: int = 8080
    leader_elect: bool = True
    lease_namespace: str | None = None
    warm_up: float = 120.0
    log_level: str = "info"


async def serve(options: Options) -> int:
    """Runs the operator until SIGTERM or SIGINT; the exit code."""
    _log_to_stderr(options.log_level)
    try:
        connection = await connect(options.kubeconfig, options.context)
        try:
            await connection.get("/version")
            return await _serve(connection, options)
        finally:
            await connection.close()
    except ApiError as error:
        log.error("%s", error)
        return UNREACHABLE


async def _serve(connection: Connection, options: Options) -> int:
    stop = asyncio.Event()
    instance = f"{socket.gethostname()}-{secrets.token_hex(4)}"
    election = _election(connection, options, instance)
    operator = on_cluster(connection, discover(), election, instance=instance, warm_up=options.warm_up)
    sources = LiveSources(connection, operator.kinds, operator, operator.take_report)
    server = Server(operator, lambda: sources, options.host, options.port)
    try:
        await server.start()
    except OSError as error:
        log.error("cannot listen on %s:%d: %s", options.host, options.port, error.strerror)
        return 2
    log.info("platform-health %s as %s, serving on port %d", __version__, instance, server.port)
    if isinstance(election, LeaderElection):
        election.on_change(_in_loop(operator.wake))
    gc.set_threshold(50_000, 20, 100)
    try:
        with _signals(stop):
            election.start()
            await operator.run(sources, stop)
    finally:
        await election.stop()
        await server.stop()
    log.info("stopped")
    return 0


def _election(connection: Connection, options: Options, instance: str) -> Always | LeaderElection:
    if not options.leader_elect:
        return Always()
    namespace = options.lease_namespace or os.environ.get("POD_NAMESPACE") or connection.namespace

    @asynccontextmanager
    async def open_lease() -> AsyncIterator[LeaseApi]:
        own = await connect(options.kubeconfig, options.context)
        try:
            yield ClusterLease(own, namespace)
        finally:
            await own.close()

    return LeaderElection(open_lease, instance)


def _in_loop(call: Callable[[], None]) -> Callable[[bool], None]:
    loop = asyncio.get_running_loop()

    def turned(leads: bool) -> None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(call)

    return turned


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """Sets ``stop`` at the first SIGTERM or SIGINT; a second one ends the process as if nobody had listened."""
    loop = asyncio.get_running_loop()
    wanted = (signal.SIGTERM, signal.SIGINT)

    def first(number: signal.Signals) -> None:
        log.info("%s: stopping", number.name)
        for other in wanted:
            loop.remove_signal_handler(other)
            signal.signal(other, signal.SIG_DFL)
        stop.set()

    for number in wanted:
        loop.add_signal_handler(number, first, number)
    try:
        yield
    finally:
        for number in wanted:
            loop.remove_signal_handler(number)


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", force=True)
    # Other people's loggers say at this level what only debugging needs; request lines may carry tokens.
    for name in ("aiohttp", "asyncio", "kopf", "kubernetes"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
