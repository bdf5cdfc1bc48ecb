"""JSON Patches on raw objects: applied, inverted, and guarded with tests, so that nothing is overwritten unseen.

Only ``add``, ``replace``, ``remove`` and ``test`` exist here (:class:`platform_health.invariant.Operation`). One rule
goes beyond RFC 6902, because the API server has it and an inverse needs it: a ``test`` for null passes where a key of a
map is absent (gopkg.in/evanphx/json-patch.v4, ``Patch.test``). Objects are never changed in place.
"""

from __future__ import annotations

import copy
import difflib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from platform_health.invariant import Operation, pointer

Raw = dict[str, Any]
"""An object as the API server answers it."""

Operations = tuple[Operation, ...]

ABSENT: Any = msgspec.UNSET


class PatchError(Exception):
    """An operation cannot be applied: its place is missing, or a test does not hold. The text says which."""


def steps(place: str) -> list[str]:
    """The steps of a JSON pointer, unescaped: ``/a~1b/0`` is ``["a/b", "0"]``."""
    if place and not place.startswith("/"):
        raise PatchError(f"{place!r} is not a JSON pointer")
    return [step.replace("~1", "/").replace("~0", "~") for step in place.split("/")[1:]]


def parent_of(place: str) -> str:
    """The pointer of the map or list that a pointer leads into."""
    return place.rpartition("/")[0]


def value_at(raw: Any, place: str) -> Any:
    """The value at a pointer, ABSENT where there is none."""
    for step in steps(place):
        raw = _child(raw, step)
        if raw is ABSENT:
            return ABSENT
    return raw


def _child(container: Any, step: str) -> Any:
    if isinstance(container, dict):
        return container.get(step, ABSENT)
    if isinstance(container, list) and _is_index(step) and int(step) < len(container):
        return container[int(step)]
    return ABSENT


def _is_index(step: str) -> bool:
    return step.isascii() and step.isdigit() and (step == "0" or not step.startswith("0"))


def applied(raw: Raw, operations: Sequence[Operation]) -> Raw:
    """A copy of ``raw`` with the operations applied in order; PatchError where one of them cannot be."""
    result = copy.deepcopy(raw)
    for operation in operations:
        _apply(result, operation)
    return result


def _apply(raw: Raw, operation: Operation) -> None:
    if operation.op == "test":
        _test(raw, operation)
        return
    container, step = _place(raw, operation)
    value = copy.deepcopy(operation.value)
    if value is ABSENT and operation.op != "remove":
        raise PatchError(f"{operation.op} {operation.path} has no value")
    if isinstance(container, list):
        _apply_to_list(container, step, operation, value)
    elif operation.op == "add":
        container[step] = value
    elif step not in container:
        raise PatchError(f"{operation.path} is missing, so there is nothing to {operation.op}")
    elif operation.op == "replace":
        container[step] = value
    else:
        del container[step]


def _apply_to_list(items: list[Any], step: str, operation: Operation, value: Any) -> None:
    if operation.op == "add" and step == "-":
        items.append(value)
        return
    if not _is_index(step) or int(step) > len(items) - (operation.op != "add"):
        raise PatchError(f"{operation.path}: the list has {len(items)} items")
    if operation.op == "add":
        items.insert(int(step), value)
    elif operation.op == "replace":
        items[int(step)] = value
    else:
        del items[int(step)]


def _test(raw: Raw, operation: Operation) -> None:
    expected = None if operation.value is ABSENT else operation.value
    found = value_at(raw, operation.path)
    if found is ABSENT and expected is None and isinstance(value_at(raw, parent_of(operation.path)), dict):
        return
    if found is ABSENT or not same(found, expected):
        shown = "missing" if found is ABSENT else _short(found)
        raise PatchError(f"{operation.path} is {shown}, expected {_short(expected)}")


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}..."


def same(one: Any, two: Any) -> bool:
    """Whether two JSON values are equal. Python's ``==`` takes true for 1; JSON does not."""
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(same, one, two))
    return isinstance(one, bool) == isinstance(two, bool) and bool(one == two)


def _place(raw: Raw, operation: Operation) -> tuple[Any, str]:
    """The container and the last step of an operation's path."""
    if not operation.path:
        raise PatchError("the whole object cannot be patched away")
    container = value_at(raw, parent_of(operation.path))
    if not isinstance(container, dict | list):
        raise PatchError(f"{parent_of(operation.path)} is missing or neither map nor list")
    return container, steps(operation.path)[-1]


def completed(raw: Raw, operations: Sequence[Operation]) -> Operations:
    """The operations with the maps and lists created that they add into and that are missing or null.

    An invariant cannot know whether ``metadata.labels`` is there at all: in its view an absent map is an empty one.
    Labels and annotations are added one by one, so that the inverse leaves alone what others put beside them.
    """
    result: list[Operation] = []
    state = raw
    for operation in itertools.chain.from_iterable(map(_one_by_one, operations)):
        if operation.op == "add":
            missing = list(_missing_parents(state, operation.path))
            state = applied(state, missing)
            result += missing
        state = applied(state, [operation])
        result.append(operation)
    return tuple(result)


def _one_by_one(operation: Operation) -> Iterator[Operation]:
    if operation.op != "add" or operation.path not in _SHARED_MAPS or not isinstance(operation.value, dict):
        yield operation
        return
    yield Operation("add", operation.path, {})
    for key, value in operation.value.items():
        yield Operation("add", operation.path + pointer(key), value)


_SHARED_MAPS = ("/metadata/labels", "/metadata/annotations")


def _missing_parents(raw: Raw, place: str) -> Iterator[Operation]:
    path, inner, is_missing = "", place.split("/")[1:], False
    for step, following in itertools.pairwise(inner):
        path += f"/{step}"
        is_missing = is_missing or value_at(raw, path) in (ABSENT, None)
        if is_missing:
            yield Operation("add", path, [] if following == "-" or _is_index(following) else {})


def inverse(raw: Raw, operations: Sequence[Operation]) -> Operations:
    """The operations that lead from the patched object back to ``raw``, without guards."""
    back: list[Operation] = []
    state = raw
    for operation in operations:
        if operation.op != "test":
            back.insert(0, _inverse(state, operation))
        state = applied(state, [operation])
    return tuple(back)


def _inverse(raw: Raw, operation: Operation) -> Operation:
    container, step = _place(raw, operation)
    path = operation.path
    if isinstance(container, list) and operation.op == "add":
        index = len(container) if step == "-" else step
        return Operation("remove", f"{parent_of(path)}/{index}")
    before = value_at(raw, path)
    if before is ABSENT:
        return Operation("remove", path)
    return Operation("add" if operation.op == "remove" else "replace", path, before)


def guarded(raw: Raw, operations: Sequence[Operation]) -> Operations:
    """The operations, each behind a ``test`` that what it replaces, removes or adds to is what stands in ``raw``.

    Where something is added, its absence is tested; for an insertion into a list the list, because there an operation
    means a position.
    """
    result: list[Operation] = []
    state = raw
    for operation in operations:
        if operation.op != "test":
            result.append(_guard(state, operation))
            result.append(operation)
            state = applied(state, [operation])
    return tuple(result)


def _guard(raw: Raw, operation: Operation) -> Operation:
    container, _ = _place(raw, operation)
    if isinstance(container, list) and operation.op == "add":
        return Operation("test", parent_of(operation.path), container)
    found = value_at(raw, operation.path)
    return Operation("test", operation.path, None if found is ABSENT else found)


def identity_guards(raw: Raw, *, with_version: bool = True) -> Operations:
    """Tests that it is this very object, and with its resourceVersion that nobody has written to it since."""
    fields = ("uid", "resourceVersion") if with_version else ("uid",)
    return tuple(Operation("test", f"/metadata/{field}", raw["metadata"][field]) for field in fields)


def unguarded(operations: Sequence[Operation]) -> Operations:
    """The operations without their tests."""
    return tuple(operation for operation in operations if operation.op != "test")


def taken_back(raw: Raw, undo: Sequence[Operation]) -> Operations:
    """What of a guarded inverse is to be done on ``raw``; PatchError where what the fix did stands there no more.

    A map or list that the fix had to create stays where others have put something into it since.
    """
    result: list[Operation] = []
    state, waiting = raw, list(undo)
    while waiting:
        operation = waiting.pop(0)
        if waiting and _is_in_use_now(state, operation, waiting[0]):
            waiting.pop(0)
            continue
        state = applied(state, [operation])
        result.append(operation)
    return tuple(result)


def _is_in_use_now(raw: Raw, test: Operation, following: Operation) -> bool:
    created = test.op == "test" and following.op == "remove" and test.path == following.path
    found = value_at(raw, test.path)
    return created and test.value in ({}, []) and isinstance(found, dict | list) and bool(found)


def is_present(raw: Raw, undo: Sequence[Operation]) -> bool:
    """Whether what a fix did stands in the object: its guarded inverse could be applied."""
    try:
        return bool(taken_back(raw, undo))
    except PatchError:
        return False


def size(operations: Sequence[Operation]) -> int:
    """How many bytes the operations take as JSON."""
    return len(msgspec.json.encode(operations))


def encoded(operations: Sequence[Operation]) -> str:
    """The operations as JSON text, which ``kubectl patch --type=json -p`` takes as it is."""
    return msgspec.json.encode(operations).decode()


def decoded(text: str) -> Operations:
    """The operations of a JSON text; msgspec.ValidationError or DecodeError where it is none."""
    return msgspec.json.decode(text or "[]", type=Operations)


def difference(before: Raw, after: Raw, name: str) -> str:
    """A unified diff of two objects as YAML, for people; without managedFields."""
    import yaml

    def lines(raw: Raw) -> list[str]:
        metadata = {key: value for key, value in raw.get("metadata", {}).items() if key != "managedFields"}
        return yaml.safe_dump({**raw, "metadata": metadata}, sort_keys=False).splitlines(keepends=True)

    return "".join(difflib.unified_diff(lines(before), lines(after), f"{name} (now)", f"{name} (fixed)"))
