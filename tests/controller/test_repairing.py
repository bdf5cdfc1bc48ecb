"""Between the loop and remediation: the journal in the status, policies, the brake, and who may write."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from trial.parts import Leads, Statuses, config_map, config_map_is_well, report

from platform_health.connection import Busy
from platform_health.controller.journal import NotRecorded, StatusJournal
from platform_health.controller.operator import Operator
from platform_health.controller.repairing import LeaderOnly, brake_in, decoded, sighting
from platform_health.controller.reports import HealthReport
from platform_health.inventory import Inventory
from platform_health.knowledge import ClusterKnowledge
from platform_health.remediation.journal import Entry, Target, to_status
from platform_health.views.core import ConfigMap
from platform_health.views.view import Ref

ENTRY = Entry(
    id="f-1",
    finding="f",
    invariant="ConfigMapIsWell",
    object=Target(api_version="v1", kind="ConfigMap", namespace="lab", name="one", uid="u"),
    state="Applying",
    started="2026-08-01T12:00:00Z",
)


def inventory() -> Inventory:
    return Inventory(ClusterKnowledge(), lambda: 0.0)


def health_report(**spec: Any) -> HealthReport:
    entry = HealthReport("all", "uid-all", (config_map_is_well,))
    entry.take(report(**spec))
    return entry


async def test_an_entry_stands_in_the_status_before_anything_relies_on_it() -> None:
    journal, stored = StatusJournal(inventory(), lambda: 0.0), []

    async def publish(name: str) -> bool:
        stored.append(journal.repairs(name))
        return len(stored) < 3

    journal.publish = publish
    await journal.record("all", ENTRY)
    assert stored[-1].fixes == (to_status(ENTRY),)
    assert stored[-1].fixed == 0
    await journal.record("all", msgspec.structs.replace(ENTRY, state="Applied"))
    assert stored[-1].fixed == 1
    with pytest.raises(NotRecorded, match="platformhealth all"):
        await journal.record("all", msgspec.structs.replace(ENTRY, state="Contested"))
    assert stored[-1].fixed == 0


async def test_the_journal_is_read_back(caplog: pytest.LogCaptureFixture) -> None:
    journal = StatusJournal(inventory(), lambda: 0.0)
    journal.restore("all", {"summary": {"fixed": 7}, "fixes": [to_status(ENTRY), {"id": "torn"}]})
    assert list(journal.entries("all")) == [ENTRY]
    assert journal.repairs("all").fixed == 7
    assert list(journal.unsettled()) == ["all"]
    assert list(journal.unsettled()) == []
    assert "cannot be read" in caplog.text
    journal.drop("all")
    assert list(journal.entries("all")) == []


def test_a_report_becomes_a_policy() -> None:
    spec = {"remediation": {"mode": "Apply", "allow": ["ConfigMapIsWell"]}, "namespaces": {"matchNames": ["lab"]}}
    policy = sighting(health_report(**spec), inventory()).policy
    assert (policy.mode, policy.allow, policy.max_fixes_per_hour) == ("Apply", {"ConfigMapIsWell"}, 10)
    assert policy.covers(Ref(ConfigMap.kind, "lab", "one"))
    assert not policy.covers(Ref(ConfigMap.kind, "prod", "one"))


def test_a_report_whose_spec_is_wrong_repairs_nothing() -> None:
    """Also not by what its last valid spec allowed; its pause still vetoes."""
    entry = health_report(remediation={"mode": "Apply", "allow": ["ConfigMapIsWell"]})
    bad = report(generation=2, select=["nonsense"])
    bad["metadata"]["annotations"] = {"platformhealth.dev/pause": "migration"}
    entry.take(bad)
    policy = sighting(entry, inventory()).policy
    assert (policy.mode, policy.allow, policy.paused) == ("Report", frozenset(), "migration")


def test_a_brake_survives_a_restart() -> None:
    braked = {"type": "Remediating", "reason": "Braked", "observedGeneration": 3, "message": "too much at once"}
    found = brake_in({"conditions": [braked]})
    assert found is not None
    assert (found.generation, found.because) == (3, "too much at once")
    assert brake_in({"conditions": [{**braked, "reason": "Applying"}]}) is None
    assert brake_in({}) is None


def test_raw_objects_are_decoded_as_the_watch_does() -> None:
    view = decoded(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "lab"}}, ConfigMap
    )
    assert view.ref == config_map("one").ref
    with pytest.raises(msgspec.ValidationError):
        decoded({"apiVersion": "v1", "metadata": {"name": 7}}, ConfigMap)


class Cluster:
    """Takes everything."""

    async def get(self, *_: Any) -> dict[str, Any]:
        return {}

    async def patch(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {}

    async def create(self, *_: Any, **__: Any) -> tuple[dict[str, Any], bool]:
        return {}, True

    async def delete(self, *_: Any) -> None:
        return None


async def test_a_write_asks_who_leads_when_it_is_made() -> None:
    leads = Leads()
    cluster = LeaderOnly(Cluster(), lambda: leads.is_leader)
    ref = config_map("one").ref
    await cluster.patch(ref, "v1", (), dry_run=False)
    leads.is_leader = False
    await cluster.get(ref, "v1")
    for write in (
        cluster.patch(ref, "v1", (), dry_run=True),
        cluster.create(ref, {}, dry_run=False),
        cluster.delete(ref, "v1", "u"),
    ):
        with pytest.raises(Busy, match="another replica leads"):
            await write


def test_an_operator_without_repairs_is_possible() -> None:
    async def no_event(event: Any) -> None:
        raise AssertionError(event)

    operator = Operator((config_map_is_well,), Statuses(), no_event, Leads(), instance="me")
    assert operator.repairs.next_change is None
