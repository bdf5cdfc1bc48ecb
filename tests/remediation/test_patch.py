"""Patches: applied as the RFC says, inverted exactly, guarded so that nothing is overwritten unseen."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_health.invariant import Operation, pointer
from platform_health.remediation import patch
from platform_health.remediation.patch import ABSENT, PatchError

KEYS = st.sampled_from(["a", "b", "a/b", "m~n", "0", "-"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "x", "1"]))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)


def places(value: Any, path: str = "") -> list[str]:
    """Every pointer into a value, and one beside every map and list."""
    found = []
    if isinstance(value, dict):
        for key, item in {**value, "new": None}.items():
            found += [path + pointer(key), *places(item, path + pointer(key))]
    elif isinstance(value, list):
        for index, item in enumerate([*value, None]):
            found += [f"{path}/{index}", *places(item, f"{path}/{index}")]
        found.append(f"{path}/-")
    return found


@st.composite
def patches(draw: st.DrawFn) -> tuple[patch.Raw, tuple[Operation, ...]]:
    """An object, and operations each of which can be applied after those before it."""
    raw = draw(OBJECTS)
    operations: list[Operation] = []
    state = raw
    for _ in range(draw(st.integers(0, 5))):
        place = draw(st.sampled_from(places(state)))
        verb = draw(st.sampled_from(["add", "replace", "remove"]))
        operation = Operation(verb, place) if verb == "remove" else Operation(verb, place, draw(VALUES))
        try:
            state = patch.applied(state, [operation])
        except PatchError:
            continue
        operations.append(operation)
    return raw, tuple(operations)


@given(patches())
def test_the_inverse_leads_back(given_patch):
    raw, operations = given_patch
    before = copy.deepcopy(raw)
    after = patch.applied(raw, operations)
    undo = patch.guarded(after, patch.inverse(raw, operations))
    assert patch.same(patch.applied(after, undo), before)
    assert patch.same(raw, before), "the object was changed in place"


@given(patches())
def test_applying_agrees_with_the_reference(given_patch):
    raw, operations = given_patch
    expected = jsonpatch.apply_patch(raw, msgspec.to_builtins(operations))
    assert patch.same(patch.applied(raw, operations), expected)


@given(patches())
def test_what_the_reference_refuses_is_refused(given_patch):
    raw, _ = given_patch
    for place in ("/nowhere/at/all", "/a/99", "/a/x/y"):
        for operation in (Operation("replace", place, 1), Operation("remove", place)):
            try:
                jsonpatch.apply_patch(raw, msgspec.to_builtins((operation,)))
            except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException):
                with pytest.raises(PatchError):
                    patch.applied(raw, [operation])


@given(patches(), VALUES)
def test_a_guarded_patch_does_not_overwrite_what_it_has_not_seen(given_patch, other):
    raw, operations = given_patch
    if not operations or isinstance(patch.value_at(raw, patch.parent_of(operations[0].path)), list):
        return
    guarded = patch.guarded(raw, operations)
    seen = patch.value_at(raw, operations[0].path)
    if patch.same(None if seen is ABSENT else seen, other):
        return
    changed = patch.applied(raw, [Operation("add", operations[0].path, other)])
    with pytest.raises(PatchError):
        patch.applied(changed, guarded)


@given(patches())
def test_json_text_keeps_a_patch(given_patch):
    raw, operations = given_patch
    guarded = patch.guarded(raw, operations)
    assert patch.decoded(patch.encoded(guarded)) == guarded


@pytest.mark.parametrize(
    ("value", "expected", "holds"),
    [
        (1, True, False),
        (True, 1, False),
        (0, False, False),
        (1, 1.0, True),
        ({"a": [1]}, {"a": [1]}, True),
        ({"a": [1]}, {"a": [True]}, False),
        ("", None, False),
    ],
)
def test_equality_is_that_of_json(value, expected, holds):
    assert patch.same(value, expected) is holds


def test_a_test_for_null_passes_where_a_key_is_absent():
    assert patch.applied({"a": {}}, [Operation("test", "/a/b", None)]) == {"a": {}}


@pytest.mark.parametrize("place", ["/missing/b", "/list/0", "/text/b"])
def test_a_test_for_null_needs_the_map_around_it(place):
    with pytest.raises(PatchError):
        patch.applied({"list": [], "text": "x"}, [Operation("test", place, None)])


def test_missing_maps_and_lists_are_created():
    wanted = [Operation("add", "/spec/syncPolicy/syncOptions/-", "A=true"), Operation("add", "/metadata/labels/a", "b")]
    operations = patch.completed({"metadata": {"labels": None}, "spec": {}}, wanted)
    after = patch.applied({"metadata": {"labels": None}, "spec": {}}, operations)
    assert after == {"metadata": {"labels": {"a": "b"}}, "spec": {"syncPolicy": {"syncOptions": ["A=true"]}}}
    assert patch.applied(after, patch.inverse({"metadata": {"labels": None}, "spec": {}}, operations)) == {
        "metadata": {"labels": None},
        "spec": {},
    }


def test_existing_maps_are_left_alone():
    wanted = [Operation("add", "/metadata/labels/a", "b")]
    assert patch.completed({"metadata": {"labels": {"x": "y"}}}, wanted) == tuple(wanted)


def test_what_others_put_beside_it_stays():
    before = {"metadata": {}}
    operations = patch.completed(before, [Operation("add", "/metadata/labels", {"a": "b"})])
    after = patch.applied(before, operations)
    undo = patch.guarded(after, patch.inverse(before, operations))
    assert patch.applied(after, patch.taken_back(after, undo)) == before
    shared = patch.applied(after, [Operation("add", "/metadata/labels/other", "x")])
    assert patch.applied(shared, patch.taken_back(shared, undo)) == {"metadata": {"labels": {"other": "x"}}}


def test_what_is_not_there_any_more_is_not_taken_back():
    undo = patch.guarded({"a": 2}, patch.inverse({"a": 1}, [Operation("replace", "/a", 2)]))
    assert patch.is_present({"a": 2}, undo)
    assert not patch.is_present({"a": 3}, undo)
    with pytest.raises(PatchError, match=r"/a is 3, expected 2"):
        patch.taken_back({"a": 3}, undo)


def test_the_difference_is_for_people():
    before = {"metadata": {"name": "x", "managedFields": [{"manager": "m"}]}, "spec": {"a": 1}}
    text = patch.difference(before, patch.applied(before, [Operation("replace", "/spec/a", 2)]), "x.yaml")
    assert "-  a: 1\n+  a: 2\n" in text
    assert "manager" not in text


@pytest.mark.parametrize("operation", [Operation("add", "", {}), Operation("remove", ""), Operation("add", "a", 1)])
def test_an_object_is_not_patched_as_a_whole(operation):
    with pytest.raises(PatchError):
        patch.applied({"a": 1}, [operation])
