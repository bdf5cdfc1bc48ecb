"""References across namespaces."""

from __future__ import annotations

import msgspec
import pytest

from platform_health.domain.grants import Crossing, is_granted, narrow_grant
from platform_health.inventory import Inventory
from platform_health.knowledge import FileKnowledge
from platform_health.views.gateway import ReferenceGrant

GATEWAY = "gateway.networking.k8s.io"
POOLS = "inference.networking.k8s.io"
CROSSING = Crossing((GATEWAY, "HTTPRoute", "apps"), (POOLS, "InferencePool", "llama"), "models")


def granted(raw: dict[str, object]) -> bool:
    inventory = Inventory(FileKnowledge(), lambda: 0.0)
    inventory.put(msgspec.convert(raw, ReferenceGrant))
    return is_granted(CROSSING, inventory)


def grant(source: dict[str, str], target: dict[str, str], namespace: str = "models") -> dict[str, object]:
    return {"metadata": {"name": "grant", "namespace": namespace}, "spec": {"from": [source], "to": [target]}}


FROM = {"group": GATEWAY, "kind": "HTTPRoute", "namespace": "apps"}
TO = {"group": POOLS, "kind": "InferencePool", "name": "llama"}


def test_the_narrow_grant_is_enough() -> None:
    assert granted(narrow_grant(CROSSING))


@pytest.mark.parametrize(
    ("source", "target", "namespace"),
    [
        (FROM, TO, "apps"),
        ({**FROM, "namespace": "*"}, TO, "models"),
        ({**FROM, "kind": "httproute"}, TO, "models"),
        ({**FROM, "group": ""}, TO, "models"),
        (FROM, {**TO, "name": "other"}, "models"),
        (FROM, {**TO, "group": "inference.networking.x-k8s.io"}, "models"),
        (FROM, {**TO, "kind": "Service"}, "models"),
    ],
)
def test_nothing_else_is(source: dict[str, str], target: dict[str, str], namespace: str) -> None:
    assert not granted(grant(source, target, namespace))


def test_without_a_name_every_object_of_the_kind_is_meant() -> None:
    assert granted(grant(FROM, {"group": POOLS, "kind": "InferencePool"}))
    assert granted(grant(FROM, {**TO, "name": ""}))
