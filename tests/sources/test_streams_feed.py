"""Mark and sweep, and what a feed says about its kind."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_health.knowledge import KindState
from platform_health.sources.decode import Key, Seen
from platform_health.sources.feed import Feed, MarkAndSweep
from platform_health.sources.pace import Backoff, Timing

KEYS = st.sampled_from("abcde")


class Kept:
    """An outlet that keeps what it was told."""

    def __init__(self) -> None:
        self.objects: dict[Key, Any] = {}
        self.states: list[tuple[KindState, str]] = []

    def put(self, key: Key, value: Any) -> None:
        self.objects[key] = value

    def remove(self, key: Key) -> None:
        self.objects.pop(key, None)

    def state(self, state: KindState, because: str) -> None:
        self.states.append((state, because))


@given(st.sets(KEYS), st.lists(st.tuples(st.sampled_from(["listed", "put", "gone"]), KEYS)))
def test_sweep_removes_exactly_what_was_neither_listed_nor_heard_of(
    before: set[str], steps: list[tuple[str, str]]
) -> None:
    marks: MarkAndSweep[str] = MarkAndSweep()
    for key in before:
        marks.heard(key)
    marks.begin()
    listed, last = set(), {}
    for step, key in steps:
        if step == "listed":
            assert marks.listed(key) == (key not in last)
            listed.add(key)
        else:
            marks.heard(key, gone=step == "gone")
            last[key] = step
    gone = marks.sweep()
    assert gone == before - listed - last.keys()
    expected = {key for key in before | listed if key not in last} - gone | {
        k for k, step in last.items() if step == "put"
    }
    assert marks.known == expected


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def feed(kept: Kept) -> Feed[str]:
    return Feed("things", kept, Timing(stale=0.0))


def seen(name: str, value: str | None = "x", because: str = "") -> Seen[str]:
    return Seen(("ns", name), value, because)


def synced(feed: Feed[str], *names: str) -> None:
    feed.began()
    feed.page([seen(name) for name in names])
    feed.ended()


def test_a_kind_is_known_once_its_list_is_complete(feed: Feed[str], kept: Kept) -> None:
    feed.began()
    feed.page([seen("a")])
    assert feed.current is KindState.PENDING
    feed.ended()
    assert kept.states == [(KindState.SYNCED, "")]


def test_an_event_during_a_list_stands(feed: Feed[str], kept: Kept) -> None:
    synced(feed, "a", "b")
    feed.began()
    feed.event("MODIFIED", seen("a", "newer"))
    feed.event("DELETED", seen("b"))
    feed.page([seen("a", "older"), seen("b", "older")])
    feed.ended()
    assert kept.objects == {("ns", "a"): "newer"}


def test_an_object_that_does_not_decode_makes_the_kind_unreadable_until_it_is_gone(feed: Feed[str], kept: Kept) -> None:
    synced(feed, "a", "b")
    feed.event("MODIFIED", seen("a", None, "no number"))
    assert kept.objects.keys() == {("ns", "b")}
    assert kept.states[-1] == (KindState.UNREADABLE, "ns/a (no number)")
    feed.event("DELETED", seen("a", None))
    assert kept.states[-1] == (KindState.SYNCED, "")


def test_many_that_do_not_decode_are_counted(feed: Feed[str], kept: Kept) -> None:
    feed.began()
    feed.page([seen(name, None, "bad") for name in "abcde"])
    feed.ended()
    assert kept.states[-1][1] == "ns/a (bad), ns/b (bad), ns/c (bad) and 2 more"


def test_trouble_makes_stale_and_keeps_what_was_known(feed: Feed[str], kept: Kept) -> None:
    synced(feed, "a")
    feed.troubled("no answer")
    assert kept.states[-1] == (KindState.STALE, "no answer")
    assert kept.objects
    feed.well()
    assert kept.states[-1] == (KindState.SYNCED, "")


def test_trouble_before_the_first_list_makes_unreadable(feed: Feed[str], kept: Kept) -> None:
    feed.troubled("no answer")
    assert kept.states == [(KindState.UNREADABLE, "no answer")]
    synced(feed, "a")
    assert kept.states[-1] == (KindState.SYNCED, "")


@pytest.mark.parametrize("state", [KindState.ABSENT, KindState.FORBIDDEN])
def test_a_lost_kind_is_empty_and_comes_back(feed: Feed[str], kept: Kept, state: KindState) -> None:
    synced(feed, "a")
    feed.lost(state, "why")
    assert not kept.objects
    feed.troubled("no answer")
    assert kept.states[-1] == (state, "why")
    feed.starting()
    assert feed.current is KindState.PENDING
    synced(feed, "b")
    assert kept.states[-1] == (KindState.SYNCED, "")


def test_pauses_grow_and_are_bounded() -> None:
    backoff = Backoff(1.0, 8.0)
    pauses = [backoff.pause() for _ in range(8)]
    assert 1.0 <= pauses[0] <= 2.0
    assert max(pauses) <= 8.0
    assert backoff.pause(at_least=60.0) == 60.0
    backoff.reset()
    assert backoff.pause() <= 2.0


def test_timing_is_what_the_api_server_expects() -> None:
    assert msgspec.structs.asdict(Timing())["inactivity"] > 60
