"""Judges the worlds of one folder; exit 1 as soon as one is not as it says. What mutants are killed with."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from worlds import World

logging.disable()


def main(folder: Path) -> int:
    """1 where some world differs from what it says."""
    for path in sorted(folder.glob("*.yaml")):
        if path.name.endswith(".fixed.yaml"):
            continue
        world = World(path)
        if world.problems() or world.repair_problems():
            print(path.name)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
