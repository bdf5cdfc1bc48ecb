"""What a target lets through, in whatever order kopf's workers deliver."""

import json
from typing import Any

import pytest

from platform_health.controller.kopf_session import GONE, Target
from platform_health.sources.decode import RawDecoder, Seen
from platform_health.views.gateway import HTTPRoute


class Told:
    """A feed that writes down what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.calls.append((name, arguments))

    def events(self) -> list[tuple[str, str]]:
        return [(args[0], args[1].value["metadata"]["resourceVersion"]) for name, args in self.calls if name == "event"]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def target(told: Told) -> Target:
    def post(call: Any, *arguments: Any) -> None:
        call(*arguments)

    return Target(HTTPRoute.kind, "v1", RawDecoder(), told, post, told.refused)


def body(version: int) -> dict[str, Any]:
    return {"metadata": {"namespace": "ns", "name": "a", "resourceVersion": str(version)}}


def line(event_type: str, version: int) -> bytes:
    return json.dumps({"type": event_type, "object": body(version)}).encode()


def test_what_the_wire_has_overtaken_is_dropped(target: Target, told: Told) -> None:
    for event_type, version in (("DELETED", 5), ("ADDED", 6)):
        assert target.wire(line(event_type, version)) == line(event_type, version)
    target.delivered("ADDED", body(6))
    target.delivered("DELETED", body(5))
    assert told.events() == [("ADDED", "6")]


def test_what_is_older_than_a_list_is_dropped(target: Target, told: Told) -> None:
    target.wire(line("ADDED", 5))
    target.list_begins()
    target.delivered("ADDED", body(5))
    assert told.events() == []


def test_pages_are_taken_and_kopf_gets_none_of_their_items(target: Target, told: Told) -> None:
    target.list_begins()
    metadata = {"resourceVersion": "9", "continue": "more"}
    left = target.listed(json.dumps({"metadata": metadata, "items": [body(5)]}).encode())
    assert left == {"metadata": metadata, "items": []}
    target.listed(json.dumps({"metadata": {"resourceVersion": "9"}, "items": [body(6)]}).encode())
    assert [name for name, _ in told.calls] == ["began", "page", "page", "ended"]
    assert told.calls[1][1][0] == [Seen(("ns", "a"), body(5))]


@pytest.mark.parametrize("code", [410, 500, 0])
def test_every_error_makes_kopf_list_again(target: Target, told: Told, code: int) -> None:
    error = json.dumps({"type": "ERROR", "object": {"metadata": {}, "code": code}}).encode()
    assert target.wire(error) is GONE
    assert bool(told.calls) == (code != 410)


def test_403_and_404_are_for_discovery_to_explain(target: Target, told: Told) -> None:
    for status in (403, 404, 500):
        target.failed(status, "because")
    assert [(name, args) for name, args in told.calls if name == "refused"] == [
        ("refused", (True,)),
        ("refused", (False,)),
    ]
