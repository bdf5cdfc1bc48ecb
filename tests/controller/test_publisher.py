"""Statuses are written whole, only when they changed, at most once a second, and only by the leader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from trial.parts import Leads, Statuses, report

from platform_health.connection import Busy, Invalid
from platform_health.controller.publisher import Publisher

NAME, UID = "all", "uid-all"


class Setting:
    """A publisher at work, with a clock that a test turns."""

    def __init__(self) -> None:
        self.statuses, self.leads, self.now = Statuses(), Leads(), 1000.0
        self.publisher = Publisher(self.statuses, lambda: self.leads.is_leader, clock=lambda: self.now)

    def see(self, status: dict[str, Any] | None = None) -> None:
        raw = self.statuses.store({**report(NAME), "status": status or {}})
        self.publisher.seen(NAME, UID, raw["metadata"]["resourceVersion"], raw["status"])

    def offer(self, word: str, judged: int = 0) -> None:
        self.publisher.offer(NAME, UID, {"topFinding": word, "coverage": {"judged": judged}})

    async def pass_time(self, seconds: float = 0.0) -> list[str]:
        self.now += seconds
        self.publisher.poke()
        for _ in range(20):
            await asyncio.sleep(0)
        return [status["topFinding"] for _, status in self.statuses.writes]


@pytest_asyncio.fixture
async def setting() -> AsyncIterator[Setting]:
    setting = Setting()
    setting.see()
    task = asyncio.create_task(setting.publisher.run())
    yield setting
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_first_change_is_written_at_once_and_the_last_of_many_a_second_later(setting: Setting) -> None:
    setting.offer("one")
    assert await setting.pass_time() == ["one"]
    for word in ("two", "three", "four"):
        setting.offer(word)
        assert await setting.pass_time(0.2) == ["one"]
    assert await setting.pass_time(0.5) == ["one", "four"]


async def test_what_did_not_change_is_not_written(setting: Setting) -> None:
    setting.offer("one")
    await setting.pass_time()
    setting.offer("one")
    assert await setting.pass_time(3600) == ["one"]


async def test_what_stands_already_is_not_written(setting: Setting) -> None:
    """Also when the API server keeps lists and texts that are empty, or drops them."""
    setting.see({"topFinding": "one", "coverage": {"judged": 0}, "findings": []})
    setting.offer("one")
    assert await setting.pass_time(3600) == []


async def test_the_number_of_judgements_alone_can_wait(setting: Setting) -> None:
    setting.offer("one", judged=1)
    await setting.pass_time()
    setting.offer("one", judged=2)
    assert await setting.pass_time(30) == ["one"]
    assert await setting.pass_time(31) == ["one", "one"]


async def test_a_status_edited_by_hand_is_put_right(setting: Setting) -> None:
    setting.offer("one")
    await setting.pass_time()
    setting.see({"topFinding": "all is well"})
    assert await setting.pass_time(1) == ["one", "one"]


async def test_an_echo_of_an_older_write_is_no_edit(setting: Setting) -> None:
    setting.offer("one")
    await setting.pass_time()
    setting.publisher.seen(NAME, UID, "5", {"topFinding": "long ago"})
    assert await setting.pass_time(10) == ["one"]


async def test_somebody_was_faster(setting: Setting) -> None:
    """A label put on by kubectl moves the resourceVersion; the next attempt knows it."""
    setting.statuses.store(setting.statuses.objects[NAME])
    setting.offer("one")
    assert await setting.pass_time() == ["one"]


async def test_what_another_leader_wrote_last_is_not_lost(setting: Setting) -> None:
    """Its journal is taken over first; only a new offer, which has seen it, is written."""
    told = []
    setting.publisher._overtaken = lambda name, status: told.append((name, status))
    setting.statuses.store({**setting.statuses.objects[NAME], "status": {"fixes": [{"id": "f-1"}]}})
    setting.offer("one")
    assert await setting.pass_time() == []
    assert told == [(NAME, {"fixes": [{"id": "f-1"}]})]
    setting.offer("two")
    assert await setting.pass_time(3) == ["two"]
    setting.statuses.store({**setting.statuses.objects[NAME], "status": {"topFinding": "by hand"}})
    setting.offer("three")
    assert await setting.pass_time(3) == ["two", "three"]
    assert len(told) == 1


async def test_only_the_leader_writes(setting: Setting) -> None:
    setting.leads.is_leader = False
    setting.offer("one")
    assert await setting.pass_time(10) == []
    setting.leads.is_leader = True
    assert await setting.pass_time() == ["one"]


async def test_a_deleted_report_is_let_go(setting: Setting) -> None:
    del setting.statuses.objects[NAME]
    setting.offer("one")
    assert await setting.pass_time(10) == []
    assert setting.publisher.standing(NAME) == {}


async def test_a_namesake_does_not_inherit(setting: Setting) -> None:
    """Deleted and created anew while we were about to write."""
    namesake = report(NAME)
    namesake["metadata"]["uid"] = "another"
    setting.statuses.store(namesake)
    setting.offer("one")
    assert await setting.pass_time(10) == []


async def test_failures_are_tried_again_ever_more_slowly(setting: Setting) -> None:
    setting.statuses.fail = [Busy("etcd", status=500), Busy("later", status=429, retry_after=30)]
    setting.offer("one")
    assert await setting.pass_time() == []
    assert await setting.pass_time(1.3) == []
    assert await setting.pass_time(20) == []
    assert await setting.pass_time(10.1) == ["one"]


async def test_what_is_refused_is_not_repeated_every_second(setting: Setting) -> None:
    setting.statuses.fail = [Invalid("an older CRD", status=422)]
    setting.offer("one")
    assert await setting.pass_time() == []
    assert await setting.pass_time(59) == []
    assert await setting.pass_time(2) == ["one"]


async def test_whoever_needs_it_can_wait_until_it_stands(setting: Setting) -> None:
    setting.offer("one")
    assert await setting.publisher.written(NAME, within=1.0)
    setting.leads.is_leader = False
    setting.offer("two")
    assert not await setting.publisher.written(NAME, within=0.01)


async def test_the_last_word_is_written_at_the_end(setting: Setting) -> None:
    setting.offer("one")
    await setting.pass_time()
    setting.offer("two")
    await setting.publisher.flush()
    assert await setting.pass_time() == ["one", "two"]
