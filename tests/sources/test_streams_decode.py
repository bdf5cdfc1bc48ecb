"""From bytes to views: the same whichever way an object comes in."""

import json
from typing import Any

import msgspec
import pytest

from platform_health.sources.decode import NameDecoder, ViewDecoder, name_and_version_of, version_of
from platform_health.views.core import Pod, Service
from platform_health.views.gateway import HTTPRoute

SERVICE: dict[str, Any] = {
    "metadata": {
        "name": "a",
        "namespace": "ns",
        "resourceVersion": "7",
        "labels": {"app": "a"},
        "creationTimestamp": None,
    },
    "spec": {"selector": {"app": "a"}, "ports": [{"port": 80, "targetPort": "http"}]},
}


def watched(event_type: str, body: dict[str, Any]) -> bytes:
    return json.dumps({"type": event_type, "object": body}).encode()


def listed(*items: dict[str, Any]) -> bytes:
    return json.dumps({"metadata": {"resourceVersion": "9", "continue": "t"}, "items": items}).encode()


@pytest.fixture
def services() -> ViewDecoder:
    return ViewDecoder(Service.kind, "v1")


def test_lists_watches_and_parsed_objects_say_the_same(services: ViewDecoder) -> None:
    whole = {"apiVersion": "v1", "kind": "Service", **SERVICE}
    in_list = services.page(listed(SERVICE)).items[0]
    in_watch = services.event(watched("ADDED", whole)).seen
    assert in_list == in_watch == services.from_raw(whole)
    assert in_list.key == ("ns", "a")
    assert in_list.value.api_version == "v1"


def test_a_page_says_where_it_continues(services: ViewDecoder) -> None:
    page = services.page(listed(SERVICE))
    assert (page.version, page.rest) == ("9", "t")


def test_an_empty_page_may_have_null_items(services: ViewDecoder) -> None:
    assert services.page(b'{"metadata":{"resourceVersion":"9"},"items":null}').items == []


def test_one_bad_object_costs_no_other(services: ViewDecoder) -> None:
    bad = {"metadata": {"name": "bad", "namespace": "ns"}, "spec": {"ports": [{"port": "eighty"}]}}
    nulls = {
        "metadata": {"name": "b", "labels": None},
        "spec": {"ports": [None, {"port": 1, "name": None}], "type": None},
    }
    first, second, third = services.page(listed(SERVICE, bad, nulls)).items
    assert first.value is not None
    assert second.value is None
    assert second.key == ("ns", "bad")
    assert "spec.ports[0].port" in second.because
    assert len(third.value.spec.ports) == 1


@pytest.mark.parametrize("item", [7, None, "x", {"metadata": 7}, {"metadata": None}])
def test_what_is_no_object_at_all_costs_no_other(services: ViewDecoder, item: Any) -> None:
    items = services.page(listed(item, SERVICE)).items
    assert items[1].value is not None


def test_bookmarks_and_errors_are_no_objects() -> None:
    pods = ViewDecoder(Pod.kind, "v1")
    bookmark = {
        "kind": "Pod",
        "metadata": {"resourceVersion": "12", "creationTimestamp": None},
        "spec": {"containers": None},
    }
    assert pods.event(watched("BOOKMARK", bookmark)).seen is None
    error = pods.event(
        watched("ERROR", {"kind": "Status", "metadata": {}, "status": "Failure", "code": 410, "message": "old"})
    )
    assert (error.seen, error.code, error.because) == (None, 410, "old")


@pytest.mark.parametrize("body", [{}, {"metadata": None}, {"metadata": 7}, {"metadata": {"name": ""}}])
def test_an_event_about_nothing_is_refused(services: ViewDecoder, body: dict[str, Any]) -> None:
    with pytest.raises(msgspec.MsgspecError):
        services.event(watched("MODIFIED", body))


def test_where_a_watch_may_be_resumed() -> None:
    line = watched(
        "MODIFIED", {"metadata": {"labels": {"resourceVersion": "no"}, "name": "a", "resourceVersion": "12"}}
    )
    assert version_of(line) == "12"
    assert version_of(b'{"type":"ADDED","obj') == ""
    assert name_and_version_of(line) == ("MODIFIED", ("", "a"), "12", 0)


def test_names_and_versions_are_enough_to_see_a_change() -> None:
    names = NameDecoder()
    assert names.event(watched("ADDED", SERVICE)).seen.value == "7"
    assert [seen.key for seen in names.page(listed(SERVICE)).items] == [("ns", "a")]


def test_the_api_version_is_the_one_that_is_read() -> None:
    routes = ViewDecoder(HTTPRoute.kind, "v1beta1")
    assert routes.page(listed({"metadata": {"name": "a"}})).items[0].value.api_version.endswith("/v1beta1")
