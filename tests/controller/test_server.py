"""Probes, metrics and the full list, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio
from trial.parts import config_map, report

from platform_health.controller.server import Server
from platform_health.reporting.metrics import names
from test_operator import Setting, running


@pytest_asyncio.fixture
async def setting() -> AsyncIterator[Setting]:
    async with running(Setting()) as setting:
        setting.add(report(settleSeconds=0, maxFindings=1))
        for name in ("one", "two", "three"):
            setting.operator.put(config_map(name))
        await setting.settle()
        yield setting


@pytest_asyncio.fixture
async def server(setting: Setting) -> AsyncIterator[Server]:
    server = Server(setting.operator, lambda: setting.sources, "127.0.0.1", 0)
    await server.start()
    yield server
    await server.stop()


async def get(server: Server, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{server.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def test_probes(setting: Setting, server: Server) -> None:
    assert await get(server, "/healthz") == (200, "ok\n")
    assert await get(server, "/readyz") == (200, "ok\n")
    setting.sources.wrong = ["supervisor of kopf has ended"]
    assert await get(server, "/healthz") == (503, "supervisor of kopf has ended\n")
    setting.operator.pulse.synced = False
    assert (await get(server, "/readyz"))[0] == 503


async def test_a_stuck_loop_is_noticed(setting: Setting, server: Server) -> None:
    setting.operator.pulse.beat -= 1
    late = Server(setting.operator, lambda: None, "127.0.0.1", 0, clock=lambda: asyncio.get_running_loop().time() + 60)
    await late.start()
    status, text = await get(late, "/healthz")
    await late.stop()
    assert status == 503
    assert "no heartbeat" in text


async def test_the_full_list_is_not_capped(setting: Setting, server: Server) -> None:
    import msgspec

    status, text = await get(server, "/findings")
    document = msgspec.json.decode(text)
    assert (status, document["version"]) == (200, 1)
    assert len(document["reports"][0]["findings"]) == 3
    assert len(setting.status()["findings"]) == 1
    assert (await get(server, "/findings?report=none"))[0] == 404
    assert (await get(server, "/findings?report=all"))[0] == 200


async def test_nothing_can_be_changed(server: Server) -> None:
    url = f"http://127.0.0.1:{server.port}/findings"
    async with aiohttp.ClientSession() as session, session.post(url) as response:
        assert response.status == 405


async def test_metrics(setting: Setting, server: Server) -> None:
    status, text = await get(server, "/metrics")
    assert status == 200
    assert 'platform_health_findings{invariant="ConfigMapIsWell",report="all",severity="error"} 3.0' in text
    assert 'platform_health_kind_state{kind="configmaps",state="synced"} 1.0' in text
    assert "platform_health_judgements_total 3.0" in text
    assert 'platform_health_status_writes_total{report="all",result="written"}' in text
    assert "platform_health_event_to_verdict_seconds_count" in text
    assert all(name.startswith("platform_health_") for name in names(setting.operator.metrics))
    assert "uid" not in text
    assert "pod" not in text
