from collections.abc import AsyncIterator

import pytest
from tests.live.reading import FAST, Live
from tests.live.scripted_api import ScriptedApi, serving

from platform_health.views.core import Service
from platform_health.views.gateway import HTTPRoute
from platform_health.views.view import Kind


@pytest.fixture
async def api() -> ScriptedApi:
    return ScriptedApi()


@pytest.fixture
async def live(api: ScriptedApi) -> AsyncIterator[Live]:
    """Live sources that have read a service and a route, both called "first"."""
    for kind in (Service.kind, HTTPRoute.kind):
        api.put(kind, "first")
    async with serving(api) as server:
        live = Live(api, server, FAST)
        await live.sources.start()
        await live.synced()
        try:
            yield live
        finally:
            await live.sources.stop()
            await live.connection.close()


@pytest.fixture(params=[Service.kind, HTTPRoute.kind], ids=["stream", "kopf"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """One kind for each way in."""
    return request.param
