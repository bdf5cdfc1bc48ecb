"""Whatever an API server answers about one kind: nothing is lost, nothing stays, and no other kind notices."""

import asyncio

import pytest
from tests.live.reading import Live
from tests.live.scripted_api import DEFINITIONS, PATHS, ScriptedApi, error_event, line, says, status

from platform_health.knowledge import KindState
from platform_health.views.core import Service
from platform_health.views.gateway import HTTPRoute
from platform_health.views.platform import PlatformHealth
from platform_health.views.view import Kind


def other(kind: Kind) -> Kind:
    return HTTPRoute.kind if kind is Service.kind else Service.kind


async def heals(live: Live, kind: Kind) -> None:
    """Changes come in again for the kind, and never stopped for the other; kopf was not even started again."""
    for each in (kind, other(kind)):
        live.api.put(each, "last")
        await live.agrees(each)
    assert live.sources.kopf_lives == 1
    assert live.sources.problems() == []


async def test_events_arrive(live: Live, kind: Kind) -> None:
    live.api.put(kind, "second", app="a")
    await live.agrees(kind)
    live.api.put(kind, "second", app="b")
    await live.until(lambda: live.labels(kind, "second") == {"app": "b"})
    live.api.delete(kind, "first")
    await live.agrees(kind)
    assert live.api.count(kind, "list") == 1


async def test_a_list_comes_in_pages(live: Live, kind: Kind) -> None:
    live.api.page_size = 2
    for number in range(5):
        live.api.put(kind, f"more-{number}", quietly=True)
    live.api.fault(kind, "watch", 410)
    await live.api.drop()
    await live.agrees(kind)
    await heals(live, kind)


@pytest.mark.parametrize(
    "fault",
    [
        410,
        says(error_event(410)),
        says(error_event(500), error_event(500)),
        says(b"no json\n"),
        says(line("MODIFIED", {"metadata": 7})),
    ],
    ids=["HTTP 410", "ERROR 410", "ERROR 500", "garbage", "no object"],
)
async def test_what_vanished_while_the_watch_was_gone_is_gone(live: Live, kind: Kind, fault: object) -> None:
    live.api.put(kind, "second")
    await live.agrees(kind)
    live.api.fault(kind, "watch", *[fault] * 4)
    live.api.delete(kind, "first", quietly=True)
    await live.api.drop()
    await live.agrees(kind)
    await heals(live, kind)


async def test_an_empty_list_empties_the_kind(live: Live, kind: Kind) -> None:
    live.api.fault(kind, "watch", 410)
    live.api.delete(kind, "first", quietly=True)
    await live.api.drop()
    await live.until(lambda: not live.names(kind))
    await heals(live, kind)


async def test_a_continue_token_expires(live: Live, kind: Kind) -> None:
    live.api.page_size = 1
    live.api.put(kind, "second", quietly=True)
    live.api.put(kind, "third", quietly=True)
    live.api.fault(kind, "watch", 410)

    async def last_answer_of_this_epoch(api: ScriptedApi, request):
        page = await api._list(request, PATHS[kind])
        api.epoch += 1
        return page

    live.api.fault(kind, "list", last_answer_of_this_epoch)
    await live.api.drop()
    await live.agrees(kind)
    await heals(live, kind)


async def test_a_stream_cut_in_the_middle_of_a_line_loses_nothing(live: Live, kind: Kind) -> None:
    live.api.put(kind, "second", quietly=True)
    whole = line("ADDED", live.api.objects[PATHS[kind]]["ns", "second"])
    live.api.log[PATHS[kind]].append((live.api.version, "ADDED", live.api.objects[PATHS[kind]]["ns", "second"]))
    live.api.fault(kind, "watch", says(whole[:40], then="cut"), says(whole[:-5], then="cut"))
    await live.api.drop()
    await live.agrees(kind)
    await heals(live, kind)


async def test_a_silent_watch_is_given_up(live: Live, kind: Kind) -> None:
    live.api.fault(kind, "watch", says(then="silence"))
    await live.api.drop()
    live.api.delete(kind, "first", quietly=True)
    await live.agrees(kind)
    await heals(live, kind)


@pytest.mark.parametrize("code", [429, 500, 503, 401])
async def test_refusals_of_the_moment_are_waited_out(live: Live, kind: Kind, code: int) -> None:
    live.api.fault(kind, "watch", code, code, 410)
    live.api.fault(kind, "list", code, code, code, code)
    live.api.delete(kind, "first", quietly=True)
    await live.api.drop()
    await live.agrees(kind)
    await heals(live, kind)


async def test_a_kind_that_may_no_longer_be_read(live: Live, kind: Kind) -> None:
    live.api.refused.add(kind.plural)
    await live.api.drop()
    await live.until(lambda: live.state(kind) is KindState.FORBIDDEN)
    assert not live.names(kind)
    live.api.put(other(kind), "meanwhile")
    await live.agrees(other(kind))
    live.api.refused.clear()
    await live.agrees(kind)
    live.api.put(kind, "last")
    await live.agrees(kind)


async def test_a_kind_that_is_uninstalled_and_installed_again(live: Live, kind: Kind) -> None:
    live.api.missing.add(kind.plural)
    await live.api.drop()
    await live.until(lambda: live.state(kind) is KindState.ABSENT)
    assert not live.names(kind)
    live.api.put(other(kind), "meanwhile")
    await live.agrees(other(kind))
    live.api.missing.clear()
    await live.agrees(kind)
    live.api.put(kind, "last")
    await live.agrees(kind)


async def test_404_of_a_moment_is_not_absence_for_long(live: Live, kind: Kind) -> None:
    live.api.fault(kind, "watch", 404, 404)
    await live.api.drop()
    live.api.put(kind, "second")
    await live.agrees(kind)


async def test_an_object_that_does_not_decode_makes_its_kind_unreadable_and_is_named(live: Live, kind: Kind) -> None:
    live.api.put(kind, "first", raw={"spec": 7})
    await live.until(lambda: live.state(kind) is KindState.UNREADABLE)
    assert live.names(kind) == set()
    assert "ns/first" in live.knowledge.unreadable()[kind]
    live.api.put(kind, "second")
    await live.until(lambda: live.names(kind) == {"second"})
    assert live.state(kind) is KindState.UNREADABLE
    live.api.put(kind, "first")
    await live.agrees(kind)


async def test_an_object_that_does_not_decode_in_a_list(live: Live, kind: Kind) -> None:
    live.api.put(kind, "second", raw={"spec": 7}, quietly=True)
    live.api.fault(kind, "watch", 410)
    await live.api.drop()
    await live.until(lambda: live.state(kind) is KindState.UNREADABLE)
    assert live.names(kind) == {"first"}
    live.api.delete(kind, "second")
    await live.agrees(kind)


async def test_nulls_are_absent_fields(live: Live, kind: Kind) -> None:
    field = {"ports": None} if kind is Service.kind else {"rules": [{"matches": None}, None], "hostnames": None}
    live.api.put(kind, "second", raw={"spec": {**field, "selector": None}, "status": None})
    await live.agrees(kind)


async def test_an_object_replaced_under_its_name(live: Live, kind: Kind) -> None:
    for round in range(20):
        live.api.delete(kind, "first")
        live.api.put(kind, "first", uid=f"u{round}", round=str(round))
    await live.until(lambda: live.labels(kind, "first") == {"round": "19"})
    await asyncio.sleep(0.3)
    assert live.labels(kind, "first") == {"round": "19"}


async def test_what_cannot_be_asked_for_long_is_stale_and_stays(live: Live, kind: Kind) -> None:
    live.api.is_down = True
    await live.api.drop()
    await live.until(lambda: live.state(kind) is KindState.STALE)
    assert live.names(kind) == {"first"}
    live.api.is_down = False
    await live.agrees(kind)
    await heals(live, kind)


async def test_equal_objects_touch_nothing(live: Live, kind: Kind) -> None:
    before = live.changes
    for _ in range(5):
        live.api.put(kind, "first")
    live.api.put(kind, "second")
    await live.agrees(kind)
    assert live.changes == before + 1


async def test_retry_after_is_honoured(live: Live, kind: Kind) -> None:
    async def later(api: ScriptedApi, request):
        return status(429, Retry_After="1")

    live.api.fault(kind, "watch", later)
    before = live.api.count(kind, "watch")
    await live.api.drop()
    await asyncio.sleep(0.7)
    assert live.api.count(kind, "watch") == before + 1
    await heals(live, kind)


async def test_reports_come_and_go_even_unsaid(live: Live) -> None:
    live.api.put(PlatformHealth.kind, "cluster")
    await live.until(lambda: live.reports == [("ADDED", "cluster")])
    live.api.put(PlatformHealth.kind, "cluster", changed="yes")
    await live.until(lambda: live.reports[1:] == [("MODIFIED", "cluster")])
    live.api.delete(PlatformHealth.kind, "cluster", quietly=True)
    live.api.put(PlatformHealth.kind, "other", quietly=True)
    live.api.fault(PlatformHealth.kind, "watch", 410)
    await live.api.drop()
    await live.until(lambda: set(live.reports[2:]) == {("DELETED", "cluster"), ("ADDED", "other")})


async def test_a_kind_that_is_defined_but_not_served_is_not_absent(live: Live) -> None:
    metadata = {"name": "httproutes.gateway.networking.k8s.io", "resourceVersion": "1", "uid": "u"}
    live.api.objects[DEFINITIONS]["", metadata["name"]] = {"metadata": metadata}
    live.api.fault_at(DEFINITIONS, "watch", 410)
    live.api.missing.add(HTTPRoute.kind.plural)
    await live.api.drop()
    await live.until(lambda: live.state(HTTPRoute.kind) is KindState.STALE)
    assert live.names(HTTPRoute.kind) == {"first"}
    live.api.missing.clear()
    await live.agrees(HTTPRoute.kind)
