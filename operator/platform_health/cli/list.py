"""``platform-health list``: the table of invariants."""

from __future__ import annotations

import argparse
import sys


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Declares the command."""
    command = commands.add_parser("list", help="list the invariants", description="Lists every invariant by family.")
    command.add_argument("--family", metavar="FAMILY", help="only those of one family, e.g. routing")
    command.add_argument("--output", "-o", choices=("text", "json"), default="text", help="format (text)")
    return command


def run(args: argparse.Namespace) -> int:
    """Prints the table; 2 where there is no such family."""
    import msgspec

    from platform_health.invariants import discover, families

    if args.family not in (None, *families()):
        because = f"there is no family {args.family!r}, expected one of {', '.join(families())}"
        print(f"platform-health list: {because}", file=sys.stderr)
        return 2

    rows = [
        {
            "name": entry.name,
            "family": entry.family,
            "about": [kind.name for kind in dict.fromkeys(view.kind for view in entry.subjects)],
            "severity": str(entry.severity),
            "category": entry.category,
            "symptom": entry.symptom,
            "title": entry.title,
            "fixable": bool(entry.fixes),
        }
        for entry in discover()
        if args.family in (None, entry.family)
    ]
    if args.output == "json":
        print(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode())
        return 0
    family = ""
    for row in rows:
        if row["family"] != family:
            family = str(row["family"])
            print(f"{family}")
        print(f"  {row['name']:<30} {row['severity']:<8} {row['title']}")
    print(f"\n{len(rows)} invariants; platform-health explain NAME shows the page of one")
    return 0
