"""kopf may end or hang; neither streams nor what is known notice, and it comes back."""

import asyncio
import logging
import threading
import time
from typing import Any

import kopf
import pytest
from tests.live.reading import FAST, Live
from tests.live.scripted_api import ScriptedApi, serving

from platform_health.controller.kopf_settings import settings
from platform_health.knowledge import KindState
from platform_health.views.core import Service
from platform_health.views.gateway import HTTPRoute


async def test_kopf_that_ends_is_started_again(api: ScriptedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    operator, failures = kopf.operator, iter([RuntimeError("gone"), asyncio.CancelledError(), SystemExit(1)])

    async def fails(**arguments: Any) -> None:
        failure = next(failures, None)
        if failure is not None:
            raise failure
        await operator(**arguments)

    monkeypatch.setattr(kopf, "operator", fails)
    api.put(HTTPRoute.kind, "first")
    async with serving(api) as server:
        live = Live(api, server, FAST)
        await live.sources.start()
        await live.until(lambda: live.state(Service.kind) is KindState.SYNCED)
        await live.agrees(HTTPRoute.kind)
        assert live.sources.kopf_lives == 4
        await live.sources.stop()
        await live.connection.close()


async def test_kopf_that_hangs_is_replaced_and_left_behind(
    api: ScriptedApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    operator, release = kopf.operator, threading.Event()
    hanging = iter([True])

    async def hangs(**arguments: Any) -> None:
        if next(hanging, False):
            release.wait()
        await operator(**arguments)

    monkeypatch.setattr(kopf, "operator", hangs)
    api.put(HTTPRoute.kind, "first")
    timing = type(FAST)(
        **{name: getattr(FAST, name) for name in FAST.__struct_fields__} | {"silence": 1.0, "join": 0.3}
    )
    async with serving(api) as server:
        live = Live(api, server, timing)
        await live.sources.start()
        with caplog.at_level(logging.WARNING):
            await live.agrees(HTTPRoute.kind)
            await live.until(lambda: "left behind" in caplog.text)
        assert live.sources.kopf_lives == 2
        began = time.monotonic()
        await live.sources.stop()
        assert time.monotonic() - began < 2
        release.set()
        await live.until(lambda: not kopf_threads(), within=20)
        await live.connection.close()


def kopf_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "kopf"]


async def test_what_is_known_gets_stale_while_kopf_cannot_even_begin(live: Live) -> None:
    live.api.is_down = True
    live.sources._kopf.watch([])
    await live.until(lambda: live.sources._kopf._life is None or not live.sources._kopf._life.is_current)
    live.sources._kopf.watch([live.sources._watched(HTTPRoute.kind, "v1")])
    await live.until(lambda: live.state(HTTPRoute.kind) is KindState.STALE)
    live.api.is_down = False
    await live.agrees(HTTPRoute.kind)


async def test_nothing_is_left_behind(api: ScriptedApi) -> None:
    api.put(HTTPRoute.kind, "first")
    tasks = asyncio.all_tasks()
    async with serving(api) as server:
        for _ in range(3):
            live = Live(api, server, FAST)
            await live.sources.start()
            await live.synced()
            await live.sources.stop()
            await live.connection.close()
    await asyncio.sleep(0.2)
    assert not kopf_threads()
    assert {task for task in asyncio.all_tasks() - tasks if not task.done()} == set()


async def test_stopping_before_anything_was_read(api: ScriptedApi) -> None:
    live = Live(api, "http://127.0.0.1:1", FAST)
    await live.sources.start()
    await asyncio.sleep(0)
    await live.sources.stop()
    await live.connection.close()
    assert not live.sources.is_synced()


def test_kopf_neither_kills_nor_writes() -> None:
    chosen = settings()
    assert chosen.process.ultimate_exiting_timeout is None
    assert not chosen.posting.enabled
    assert chosen.peering.standalone
    assert chosen.persistence.finalizer == "platformhealth.dev/never"
    assert chosen.persistence.diffbase_storage.build(body={"spec": 1}) == {}
