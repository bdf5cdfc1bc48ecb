"""Every world is judged by every invariant and must be exactly as it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from platform_health.invariants import discover
from worlds import ROOT, World, worlds


@pytest.mark.parametrize("path", worlds(), ids=lambda path: str(path.relative_to(ROOT)))
def test_world(path: Path) -> None:
    world = World(path)
    assert not world.problems(), "\n" + "\n".join(world.problems())


@pytest.mark.parametrize("invariant", discover(), ids=lambda invariant: invariant.name)
def test_every_invariant_has_worlds(invariant) -> None:
    folder = ROOT / invariant.family / invariant.judge.__name__
    names = [path.name for path in folder.glob("*.yaml")]
    for verdict in ("violated_when", "holds_when"):
        assert any(name.startswith(verdict) for name in names), f"{folder} has no {verdict}_*.yaml"


@pytest.mark.parametrize("path", worlds(), ids=lambda path: str(path.relative_to(ROOT)))
def test_needs_are_what_is_read(path: Path) -> None:
    """Reading a kind that is not declared would leave it unwatched."""
    world = World(path)
    for (invariant, ref), tokens in world.engine._tokens.items():
        read = {token[1].kind if token[0] == "object" else token[1] for token in tokens}
        assert read <= set(invariant.needs), f"{invariant.name} about {ref} reads {read - set(invariant.needs)}"


@pytest.mark.parametrize(
    "path",
    [path for path in worlds() if path.with_name(path.name.replace(".yaml", ".fixed.yaml")).exists()],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_fixed_world(path: Path) -> None:
    """Applying every fix of the violated world gives the fixed one, and the fixed one holds."""
    from platform_health.remediation.patch import applied

    world = World(path)
    fixed = path.with_name(path.name.replace(".yaml", ".fixed.yaml"))
    raw = {ref: json.loads(json.dumps(value)) for ref, value in world.manifests.raw.items()}
    for finding in world.findings:
        if finding.invariant != world.invariant or finding.fix is None:
            continue
        assert finding.fix.target is not None
        assert finding.fix.patch, "a new object is compared by the test of its own"
        raw[finding.fix.target] = applied(raw[finding.fix.target], finding.fix.patch)
    expected = [value for value in yaml.safe_load_all(fixed.read_text()) if value]
    assert sorted(map(canonical, raw.values())) == sorted(map(canonical, expected))
    again = World(fixed)
    assert not [finding for finding in again.findings if finding.invariant == world.invariant]


def canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)
