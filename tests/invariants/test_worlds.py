"""Every world is judged by every invariant and must be exactly as it says."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    problems = World(path).repair_problems()
    assert not problems, "\n" + "\n".join(problems)
