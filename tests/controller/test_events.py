"""Events: one per turn and object, in words that a tenant may read, and not too many."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from platform_health.connection import Forbidden
from platform_health.controller.announcer import BURST_PER_OBJECT, Announcer
from platform_health.findings import Finding, Unclear
from platform_health.invariant import Severity
from platform_health.inventory import Inventory
from platform_health.knowledge import ClusterKnowledge
from platform_health.reporting.events import Announcements, Transition, event
from platform_health.views.core import Namespace, Node, Service
from platform_health.views.view import Metadata, Ref

SUBJECT = Ref(Service.kind, "lab", "server")


def finding(**changes: Any) -> Finding:
    made = Finding(
        id="id-1",
        invariant="MonitorIsSelected",
        family="observability",
        severity=Severity.ERROR,
        category="observability",
        subject=SUBJECT,
        api_version="v1",
        at="metadata.labels",
        message="nobody selects it",
        symptom="no data",
        state="active",
    )
    return msgspec.structs.replace(made, **changes)


@pytest.fixture
def inventory() -> Inventory:
    inventory = Inventory(ClusterKnowledge(), lambda: 0.0)
    for name in ("lab", "monitoring", "team"):
        inventory.put(Namespace(metadata=Metadata(name=name)))
    annotations = {"uses": "team/db"}
    inventory.put(Service(metadata=Metadata(name="server", namespace="lab", uid="u1", annotations=annotations)))
    return inventory


def turns(announcements: Announcements, *reports: list[Finding], found: list[Finding] | None = None,
          unclear: tuple[Unclear, ...] = ()) -> list[tuple[str, str]]:  # fmt: skip
    everything = found if found is not None else [entry for report in reports for entry in report]
    return [(turn.finding.id, turn.turn) for turn in announcements.turns(reports, everything, unclear)]


def test_a_turn_is_announced_once_however_many_reports(inventory: Inventory) -> None:
    announcements = Announcements(inventory)
    assert turns(announcements, [finding(state="settling")]) == []
    assert turns(announcements, [finding()], [finding()]) == [("id-1", "active")]
    assert turns(announcements, [finding()], [finding(state="settling")]) == []
    assert turns(announcements, [], []) == [("id-1", "resolved")]
    assert turns(announcements, []) == []


def test_unknown_and_ignored_is_not_resolved(inventory: Inventory) -> None:
    announcements = Announcements(inventory)
    turns(announcements, [finding()])
    unclear = Unclear(
        invariant="MonitorIsSelected", family="", subject=SUBJECT, api_version="v1", because="services are stale"
    )
    assert turns(announcements, [], unclear=(unclear,)) == []
    assert turns(announcements, [finding()]) == []
    assert turns(announcements, [], found=[finding()]) == []
    assert turns(announcements, []) == []


def test_the_uid_of_an_object_that_is_gone_is_remembered(inventory: Inventory) -> None:
    announcements = Announcements(inventory)
    turns(announcements, [finding()])
    inventory.remove(SUBJECT)
    (turn,) = announcements.turns([[]], [], ())
    assert event(turn, inventory, "pod-1")["regarding"]["uid"] == "u1"


def test_what_an_earlier_operator_announced_is_not_announced_again(inventory: Inventory) -> None:
    announcements = Announcements(inventory)
    announcements.assume(finding())
    assert turns(announcements, [finding()]) == []
    assert turns(announcements, []) == [("id-1", "resolved")]


def test_an_event_is_one_that_the_api_server_takes(inventory: Inventory) -> None:
    made = event(Transition(finding(message="x" * 2000), "active", "u1"), inventory, "pod-1")
    assert made["metadata"]["namespace"] == "lab"
    assert made["regarding"] == {
        "apiVersion": "v1", "kind": "Service", "name": "server", "namespace": "lab", "uid": "u1",
    }  # fmt: skip
    assert (made["type"], made["reason"], made["action"]) == ("Warning", "MonitorIsSelected", "Judge")
    assert len(made["note"]) == 1024
    gone = event(Transition(finding(), "resolved"), inventory, "pod-1")
    assert (gone["type"], gone["note"]) == ("Normal", "no longer: nobody selects it")
    on_node = finding(subject=Ref(Node.kind, "", "gpu-1"), severity=Severity.INFO)
    cluster_scoped = event(Transition(on_node, "active"), inventory, "pod-1")
    assert cluster_scoped["metadata"]["namespace"] == "default"
    assert "namespace" not in cluster_scoped["regarding"]
    assert cluster_scoped["type"] == "Normal"


@pytest.mark.parametrize(
    ("message", "note"),
    [
        ("Prometheus monitoring/k8s selects release=stack", "Prometheus of another namespace selects release=stack"),
        ("Service lab/other has no port 80", "Service lab/other has no port 80"),
        ("Service team/db does not exist", "Service team/db does not exist"),
        ("Service team/secret-project is there", "Service of another namespace is there"),
        ("no policy admits namespace monitoring", "no policy admits another namespace"),
        ("label app.kubernetes.io/name is missing", "label app.kubernetes.io/name is missing"),
        ("Prometheus k8s wants more", "Prometheus elsewhere wants more"),
    ],
)
def test_objects_of_other_namespaces_are_named_only_where_the_object_names_them(
    inventory: Inventory, message: str, note: str
) -> None:
    from platform_health.views.monitoring import Prometheus

    entry = finding(message=message, at="", symptom="", related=(Ref(Prometheus.kind, "monitoring", "k8s"),))
    assert event(Transition(entry, "active"), inventory, "pod-1")["note"] == note


class Written:
    """An API server that takes Events, or does not."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, Any]] = []
        self.refuses = False

    async def __call__(self, event: Mapping[str, Any]) -> object:
        if self.refuses:
            raise Forbidden("events", status=403)
        self.events.append(event)
        return event


async def test_the_announcer_is_slow_and_only_speaks_for_the_leader(
    inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform_health.controller.announcer.PER_SECOND", 1e6)
    written, counts, leads = Written(), [], [True]
    announcer = Announcer(written, lambda: leads[0], counted=counts.append)
    task = asyncio.create_task(announcer.run())
    made = event(Transition(finding(), "active"), inventory, "pod-1")
    for _ in range(BURST_PER_OBJECT + 5):
        announcer.announce(made)
    await asyncio.sleep(0.05)
    assert len(written.events) == BURST_PER_OBJECT
    assert counts.count("dropped") == 5
    written.refuses = True
    other = {**made, "regarding": {**made["regarding"], "name": "other"}}
    announcer.announce(other)
    leads[0] = False
    announcer.announce(other)
    leads[0] = True
    await asyncio.sleep(0.05)
    assert counts.count("failed") == 1
    assert counts.count("dropped") == 6
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
