"""``platform-health explain``: the page of one invariant."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

EPILOG = """\
exit codes:
  0  the page was printed
  2  there is no such invariant

platform-health list shows all of them.
"""

PAGES = Path(__file__).parents[1] / "pages"
"""The generated pages: docs/invariants/ of the repository, which a wheel takes along."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Declares the command."""
    command = commands.add_parser(
        "explain",
        help="what an invariant means, why it matters, and what to do",
        description="Prints the page of an invariant: what must hold, why, what to do, an example, when it is silent.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("invariant", metavar="INVARIANT", help="its name, e.g. RouteBackendsExist")
    return command


def run(args: argparse.Namespace) -> int:
    """Prints the page; 2 where there is no such invariant."""
    from platform_health.invariants import by_name, modules

    wanted = _folded(args.invariant)
    name = next((name for name in modules() if _folded(name) == wanted), None)
    if name is None:
        print(f"platform-health explain: {_no_such(args.invariant)}", file=sys.stderr)
        return 2
    from platform_health.reporting import page

    print(page.render(by_name(name)) + _examples(name), end="")
    return 0


def _folded(name: str) -> str:
    """A name however it is spelled: RouteBackendsExist, route_backends_exist, route-backends-exist."""
    return name.lower().replace("_", "").replace("-", "")


def _no_such(name: str) -> str:
    from platform_health.invariant import nearest
    from platform_health.invariants import modules

    folded = {_folded(known): known for known in modules()}
    hint = folded.get(nearest(_folded(name), folded) or "")
    meant = f"; did you mean {hint}?" if hint else ""
    return f"there is no invariant {name!r}{meant} (platform-health list shows all)"


def _examples(name: str) -> str:
    """What the generated page has beyond what the invariant says of itself; nothing where there is no page."""
    file = PAGES / f"{name}.md"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    _, heading, rest = text.partition("\n## ")
    return heading + rest
