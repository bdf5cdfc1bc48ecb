"""``platform-health explain``: the page of one invariant."""

from __future__ import annotations

import argparse
import sys


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Declares the command."""
    command = commands.add_parser(
        "explain",
        help="what an invariant means, why it matters, and what to do",
        description="Prints the page of an invariant.",
    )
    command.add_argument("invariant", metavar="INVARIANT", help="its name, e.g. RouteBackendsExist")
    return command


def run(args: argparse.Namespace) -> int:
    """Prints the page; 2 where there is no such invariant."""
    from platform_health.invariant import nearest
    from platform_health.invariants import discover
    from platform_health.reporting import page

    found = {entry.name: entry for entry in discover()}
    wanted = next((name for name in found if name.lower() == args.invariant.lower()), None)
    if wanted is None:
        hint = nearest(args.invariant, found)
        because = f"there is no invariant {args.invariant!r}" + (f"; did you mean {hint}?" if hint else "")
        print(f"platform-health explain: {because} (platform-health list shows all)", file=sys.stderr)
        return 2
    print(page.render(found[wanted]), end="")
    return 0
