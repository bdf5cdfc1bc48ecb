"""May an object refer to another namespace's object? A ReferenceGrant in the target's namespace says so.

Groups and kinds are compared exactly: the core group is written ``""``, nothing is a wildcard, and a grant for one
InferencePool group does not cover the other (Gateway API, ``ReferenceGrantSpec``).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from platform_health.inventory import Inventory
from platform_health.views.gateway import GROUP, ReferenceGrant


class Crossing(NamedTuple):
    """A reference across namespaces: who refers (group, kind, namespace) to what (group, kind, name) where."""

    source: tuple[str, str, str]
    target: tuple[str, str, str]
    namespace: str


def is_granted(crossing: Crossing, inventory: Inventory) -> bool:
    """Whether some ReferenceGrant in the target's namespace permits the reference."""
    grants = inventory.modifying(ReferenceGrant, crossing.namespace)
    return any(grant.allows(crossing.source, crossing.target) for grant in grants)


def near_grant(crossing: Crossing, inventory: Inventory) -> str | None:
    """What the grant that was probably meant permits instead; None where no grant comes near."""
    _, source_kind, source_namespace = crossing.source
    for grant in inventory.near(ReferenceGrant, source_namespace):
        if grant.allows(crossing.source, crossing.target):
            return f"{grant.ref} stands beside the route, it must stand in namespace {crossing.namespace}"
    for grant in inventory.near(ReferenceGrant, crossing.namespace):
        from_ok = any((entry.group, entry.kind, entry.namespace) == crossing.source for entry in grant.spec.from_)
        to_ok = any(
            (entry.group, entry.kind) == crossing.target[:2] and entry.name in ("", crossing.target[2])
            for entry in grant.spec.to
        )
        if from_ok:
            written = ", ".join(_kind(entry.kind, entry.group, entry.name) for entry in grant.spec.to)
            return f"{grant.ref} permits only {written or 'nothing'}"
        if to_ok:
            written = ", ".join(f"{entry.kind} ({entry.group}) of {entry.namespace}" for entry in grant.spec.from_)
            return f"{grant.ref} permits it only to {written or 'nobody'}, not to {source_kind}s of {source_namespace}"
    return None


def narrow_grant(crossing: Crossing) -> dict[str, Any]:
    """The ReferenceGrant that permits this reference and nothing else."""
    group, kind, namespace = crossing.source
    target_group, target_kind, name = crossing.target
    return {
        "apiVersion": f"{GROUP}/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": {"name": f"{namespace}-to-{name}"[:253], "namespace": crossing.namespace},
        "spec": {
            "from": [{"group": group, "kind": kind, "namespace": namespace}],
            "to": [{"group": target_group, "kind": target_kind, "name": name}],
        },
    }


def _kind(kind: str, group: str, name: str) -> str:
    return f"{kind} {name} ({group or 'core'})" if name else f"{kind}s ({group or 'core'})"
