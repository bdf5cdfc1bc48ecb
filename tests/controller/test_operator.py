"""The loop: from objects to statuses, several reports side by side, across restarts and replicas."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from trial.parts import SYNCED, Leads, NoSources, Statuses, config_map, config_map_is_well, report

from platform_health.controller.operator import Operator
from platform_health.knowledge import KindState
from platform_health.views.core import ConfigMap, Namespace
from platform_health.views.view import Metadata, Ref

NOW = 1_790_000_000.0


class Setting:
    """An operator in memory, with a wall clock that a test turns."""

    def __init__(self, statuses: Statuses | None = None, leads: bool = True, now: float = NOW) -> None:
        self.statuses, self.leads, self.now = statuses or Statuses(), Leads(leads), now
        self.events: list[Mapping[str, Any]] = []
        self.sources = NoSources()
        self.operator = Operator(
            (config_map_is_well,), self.statuses, self._event, self.leads, instance="me", clock=lambda: self.now
        )
        self.operator.state(ConfigMap.kind, SYNCED, "")
        self.operator.state(Namespace.kind, SYNCED, "")

    async def _event(self, event: Mapping[str, Any]) -> object:
        self.events.append(event)
        return event

    def add(self, raw: dict[str, Any]) -> None:
        """A PlatformHealth is created or changed, and the watch shows it."""
        before = self.statuses.objects.get(raw["metadata"]["name"], {})
        self.operator.take_report("MODIFIED", self.statuses.store({**raw, "status": before.get("status", {})}))

    async def settle(self, seconds: float = 0.0) -> None:
        """Lets time pass and the loop come to rest."""
        self.now += seconds
        self.operator.wake()
        await asyncio.sleep(0.05)

    def status(self, name: str = "all") -> dict[str, Any]:
        status: dict[str, Any] = self.statuses.objects[name]["status"]
        return status

    def states(self, name: str = "all") -> dict[str, str]:
        return {entry["object"]["name"]: entry["state"] for entry in self.status(name)["findings"]}

    def condition(self, type_: str, name: str = "all") -> tuple[str, str]:
        return next((c["status"], c["reason"]) for c in self.status(name)["conditions"] if c["type"] == type_)


@asynccontextmanager
async def running(setting: Setting) -> AsyncIterator[Setting]:
    stop = asyncio.Event()
    task = asyncio.create_task(setting.operator.run(setting.sources, stop))
    await asyncio.sleep(0.05)
    yield setting
    stop.set()
    await asyncio.wait_for(task, 5)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second between writes is for API servers."""
    monkeypatch.setattr("platform_health.controller.publisher.INTERVAL", 0.0)
    monkeypatch.setattr("platform_health.controller.publisher.SLOW_INTERVAL", 0.0)
    monkeypatch.setattr("platform_health.controller.announcer.PER_SECOND", 1e6)


async def test_a_violation_settles_becomes_active_and_goes() -> None:
    async with running(Setting()) as setting:
        setting.add(report(settleSeconds=15))
        setting.operator.put(config_map("one"))
        await setting.settle()
        assert setting.states() == {"one": "settling"}
        assert setting.condition("Healthy") == ("True", "NothingViolated")
        assert setting.events == []
        await setting.settle(15)
        assert setting.states() == {"one": "active"}
        assert setting.condition("Healthy") == ("False", "FindingsActive")
        assert setting.status()["topFinding"] == "ConfigMapIsWell ConfigMap lab/one: one is unwell"
        setting.operator.put(config_map("one", unwell=False))
        await setting.settle()
        assert setting.states() == {}
        assert setting.condition("Healthy") == ("True", "NothingViolated")
        assert [(event["type"], event["action"]) for event in setting.events] == [
            ("Warning", "Judge"),
            ("Normal", "Resolve"),
        ]


async def test_time_alone_makes_a_finding_active() -> None:
    """Nothing wakes the loop but its own timer."""
    setting = Setting()
    offset = setting.now - asyncio.get_running_loop().time()
    setting.operator._clock = lambda: asyncio.get_running_loop().time() + offset
    setting.operator.inventory._clock = setting.operator._clock
    async with running(setting):
        setting.operator.put(config_map("one"))
        setting.add(report(settleSeconds=1))
        await asyncio.sleep(0.3)
        assert setting.states() == {"one": "settling"}
        await asyncio.sleep(1.0)
        assert setting.states() == {"one": "active"}


async def test_a_violation_that_comes_back_settles_anew() -> None:
    async with running(Setting()) as setting:
        setting.add(report(settleSeconds=15))
        setting.operator.put(config_map("one"))
        await setting.settle()
        await setting.settle(20)
        setting.operator.remove(Ref(ConfigMap.kind, "lab", "one"))
        await setting.settle()
        setting.operator.put(config_map("one"))
        await setting.settle()
        assert setting.states() == {"one": "settling"}


async def test_nothing_is_written_while_nothing_changes() -> None:
    async with running(Setting()) as setting:
        setting.add(report(settleSeconds=0))
        setting.operator.put(config_map("one"))
        await setting.settle(1)
        writes = len(setting.statuses.writes)
        for _ in range(5):
            setting.operator.put(config_map("one"))
            setting.operator.put(config_map("two", unwell=False))
            setting.operator.remove(Ref(ConfigMap.kind, "lab", "two"))
            setting.operator.take_report("MODIFIED", setting.statuses.objects["all"])
            await setting.settle(7)
        assert len(setting.statuses.writes) == writes


async def test_reports_side_by_side_see_what_they_ask_for() -> None:
    async with running(Setting()) as setting:
        setting.operator.put(Namespace(metadata=Metadata(name="lab", labels={"tier": "lab"})))
        setting.operator.put(Namespace(metadata=Metadata(name="prod")))
        ignore = {"invariant": "ConfigMapIsWell", "namespace": "lab", "reason": "a lab"}
        setting.add(report("everything", settleSeconds=0, ignore=[ignore]))
        setting.add(report("lab", settleSeconds=0, namespaces={"matchLabels": {"tier": "lab"}}))
        setting.add(
            report("mild", settleSeconds=0, namespaces={"matchNames": ["prod"]}, severity={"ConfigMapIsWell": "info"})
        )
        setting.operator.put(config_map("one", "lab"))
        setting.operator.put(config_map("two", "prod"))
        await setting.settle()
        assert (setting.states("everything"), setting.status("everything")["summary"]["ignored"]) == (
            {"two": "active"},
            1,
        )
        assert setting.states("lab") == {"one": "active"}
        assert setting.states("mild") == {"two": "active"}
        assert setting.condition("Healthy", "mild") == ("True", "NothingViolated")
        assert len(setting.events) == 2
        setting.operator.put(Namespace(metadata=Metadata(name="lab")))
        await setting.settle()
        assert setting.states("lab") == {}


async def test_an_object_silences_itself_where_it_may() -> None:
    async with running(Setting()) as setting:
        setting.add(report("honours", settleSeconds=0))
        setting.add(report("refuses", settleSeconds=0, objectIgnores="Refuse"))
        setting.operator.put(config_map("one"))
        await setting.settle()
        quiet = config_map("one", **{"platformhealth.dev/ignore": "ConfigMapIsWell: known"})
        setting.operator.put(quiet)
        await setting.settle()
        assert setting.states("honours") == {}
        assert setting.states("refuses") == {"one": "active"}


async def test_an_ignore_that_silences_nothing_is_a_finding() -> None:
    async with running(Setting()) as setting:
        used = {"invariant": "ConfigMapIsWell", "reason": "known", "name": "one"}
        unused = {"invariant": "ConfigMapIsWell", "reason": "gone", "name": "two"}
        over = {"invariant": "ConfigMapIsWell", "reason": "was", "name": "one", "until": "2020-01-01"}
        nameless = {"invariant": "ConfigMapIsSick", "reason": "typo"}
        setting.add(report(settleSeconds=0, ignore=[used, unused, over, nameless], namespaces={"matchNames": ["lab"]}))
        setting.operator.put(config_map("one"))
        await setting.settle()
        said = {entry["at"]: entry["message"] for entry in setting.status()["findings"]}
        assert said == {
            "spec.ignore[1]": "the ignore ConfigMapIsWell * */two silences nothing; remove it",
            "spec.ignore[2]": "the ignore ConfigMapIsWell * */one ended on 2020-01-01; "
            "remove it or give it another date",
            "spec.ignore[3]": "the ignore ConfigMapIsSick * */* names no invariant",
        }
        assert {entry["invariant"] for entry in setting.status()["findings"]} == {"IgnoresAreCurrent"}
        assert setting.condition("Healthy") == ("True", "NothingViolated")


async def test_a_bad_spec_leaves_the_last_report_standing() -> None:
    async with running(Setting()) as setting:
        setting.add(report(settleSeconds=0))
        setting.operator.put(config_map("one"))
        await setting.settle()
        setting.add(report(generation=2, select=["nonsense"]))
        await setting.settle()
        assert setting.condition("Ready") == ("False", "InvalidSpec")
        assert setting.states() == {"one": "active"}
        setting.add(report(generation=3, settleSeconds=0))
        await setting.settle()
        assert setting.condition("Ready") == ("True", "Judged")
        assert setting.status()["observedGeneration"] == 3
        assert len(setting.events) == 1


async def test_a_kind_that_cannot_be_read_is_said() -> None:
    async with running(Setting()) as setting:
        setting.add(report(settleSeconds=0))
        setting.operator.state(Namespace.kind, KindState.FORBIDDEN, "not granted")
        setting.operator.put(config_map("one"))
        await setting.settle()
        assert setting.status()["coverage"]["unreadable"] == ["namespaces"]
        assert setting.condition("Ready") == ("False", "KindsUnreadable")
        assert setting.states() == {"one": "active"}
        setting.operator.state(Namespace.kind, SYNCED, "")
        await setting.settle()
        assert setting.condition("Ready") == ("True", "Judged")


async def test_until_everything_is_listed_the_last_report_stands() -> None:
    before = Setting()
    async with running(before) as setting:
        setting.add(report(settleSeconds=0))
        setting.operator.put(config_map("one"))
        await setting.settle()
    after = Setting(before.statuses, now=before.now + 60)
    after.sources.synced = False
    async with running(after) as setting:
        setting.add(setting.statuses.objects["all"])
        setting.add(report("fresh"))
        await setting.settle()
        assert setting.states() == {"one": "active"}
        assert setting.condition("Ready", "fresh") == ("False", "Syncing")
        assert not setting.operator.pulse.synced


async def test_a_restart_goes_on_where_it_was() -> None:
    """First seen and settled as before, nothing written, nothing announced twice."""
    before = Setting()
    async with running(before) as setting:
        setting.add(report(settleSeconds=15))
        setting.operator.put(config_map("one"))
        await setting.settle()
        await setting.settle(20)
        setting.operator.put(config_map("two"))
        await setting.settle()
        await setting.settle(5)
    statuses, writes = before.statuses, len(before.statuses.writes)
    after = Setting(statuses, now=before.now + 1)
    after.operator.put(config_map("one"))
    after.operator.put(config_map("two"))
    async with running(after) as setting:
        setting.add(statuses.objects["all"])
        await setting.settle()
        assert setting.states() == {"one": "active", "two": "settling"}
        assert len(statuses.writes) == writes
        assert setting.events == []
        await setting.settle(10)
        assert setting.states() == {"one": "active", "two": "active"}
        assert len(setting.events) == 1


async def test_a_replica_that_does_not_lead_writes_nothing_until_it_does() -> None:
    async with running(Setting(leads=False)) as setting:
        setting.add(report(settleSeconds=0))
        setting.operator.put(config_map("one"))
        await setting.settle()
        assert (setting.statuses.writes, setting.events) == ([], [])
        setting.leads.is_leader = True
        await setting.settle()
        assert setting.states() == {"one": "active"}


async def test_a_deleted_report_is_forgotten() -> None:
    async with running(Setting()) as setting:
        setting.add(report(settleSeconds=0))
        setting.operator.put(config_map("one"))
        await setting.settle()
        assert b'platform_health_findings{invariant="ConfigMapIsWell",report="all"' in setting.operator.metrics.page()
        raw = setting.statuses.objects.pop("all")
        setting.operator.take_report("DELETED", raw)
        setting.operator.put(config_map("two"))
        await setting.settle()
        assert b'report="all",severity' not in setting.operator.metrics.page()
        setting.add(report(settleSeconds=0))
        await setting.settle()
        assert setting.states() == {"one": "active", "two": "active"}


async def test_an_end_of_a_writer_ends_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing goes on half."""
    setting = Setting()

    async def broken() -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(setting.operator.publisher, "run", broken)
    with pytest.raises(RuntimeError, match="broken"):
        await asyncio.wait_for(setting.operator.run(setting.sources, asyncio.Event()), 5)
