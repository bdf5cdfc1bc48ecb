"""``platform-health undo``: take back one fix that the operator applied."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from platform_health.connection import Connection
    from platform_health.remediation.journal import Entry

EPILOG = """\
exit codes:
  0  the fix was taken back, or had been before
  1  it was not: the object was changed since, or the API server refuses
  2  there is no such fix
  3  the cluster could not be reached

The fix is not applied again before the spec of the object changes. What fixes there are:
  kubectl get platformhealth -o jsonpath='{range .items[*].status.fixes[*]}{.id} {.state} {.title}{"\\n"}{end}'
"""

KEPT = 20
"""How many ids the annotation holds: as many as a report has fixes."""


class Refused(Exception):
    """It is not done; the text says why, ``code`` is the exit code."""

    def __init__(self, because: str, code: int = 1) -> None:
        super().__init__(because)
        self.code = code


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Declares the command."""
    command = commands.add_parser(
        "undo",
        help="take back a fix that the operator applied",
        description="Applies the inverse of one fix, where what the fix did still stands.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("fix", metavar="FIX", help="the id of the fix, from status.fixes or the Event on the object")
    command.add_argument("--report", metavar="NAME", help="the PlatformHealth that holds it (default: any)")
    command.add_argument("--dry-run", action="store_true", help="only show what would change")
    command.add_argument("--context", metavar="NAME", help="the kubeconfig context (default: the current one)")
    command.add_argument("--kubeconfig", metavar="FILE", help="the kubeconfig (default: KUBECONFIG, ~/.kube/config)")
    return command


def run(args: argparse.Namespace) -> int:
    """Takes back one fix; returns the exit code."""
    import asyncio

    from platform_health.connection import ApiError, Unreachable

    try:
        print(asyncio.run(_undo(args)))
    except Refused as refused:
        print(f"platform-health: {refused}", file=sys.stderr)
        return refused.code
    except Unreachable as error:
        print(f"platform-health: {error}", file=sys.stderr)
        return 3
    except ApiError as error:
        print(f"platform-health: {error}", file=sys.stderr)
        return 1
    return 0


async def _undo(args: argparse.Namespace) -> str:
    from platform_health.connection import connect

    connection = await connect(Path(args.kubeconfig) if args.kubeconfig else None, args.context)
    try:
        report, entry = _find(await _reports(connection, args.report), args.fix)
        _check(entry)
        return await _take_back(connection, report, entry, dry_run=args.dry_run)
    finally:
        await connection.close()


async def _reports(connection: Connection, name: str | None) -> list[dict[str, Any]]:
    from platform_health.connection import NotFound
    from platform_health.remediation.apply import path
    from platform_health.views.platform import PlatformHealth
    from platform_health.views.view import Ref

    kind = PlatformHealth.kind
    try:
        found = await connection.get(path(Ref(kind, "", name or ""), kind.api_version).rstrip("/"))
    except NotFound as error:
        raise Refused(f"there is no platformhealth {name or 'in this cluster'}", 2) from error
    return [found] if name else list(found["items"])


def _find(reports: list[dict[str, Any]], fix: str) -> tuple[dict[str, Any], Entry]:
    from platform_health.remediation.journal import from_status

    for report in reports:
        for plain in (report.get("status") or {}).get("fixes") or ():
            if plain.get("id") == fix:
                return report, from_status(plain)
    names = ", ".join(report["metadata"]["name"] for report in reports) or "none"
    raise Refused(f"no fix {fix} in status.fixes of the reports looked at ({names})", 2)


def _check(entry: Entry) -> None:
    if entry.state == "Applying":
        raise Refused(f"fix {entry.id} is still being verified; try again in a minute")
    if entry.state == "Failed":
        raise Refused(f"fix {entry.id} failed: {entry.message}")


async def _take_back(connection: Connection, report: dict[str, Any], entry: Entry, *, dry_run: bool) -> str:
    """The order matters: whoever sees the object change must find the reason."""
    from platform_health.connection import NotFound
    from platform_health.remediation.apply import ApiCluster
    from platform_health.remediation.guard import UNDO_MANAGER
    from platform_health.remediation.repair import bears

    ref, version = entry.object.ref, entry.object.api_version
    if ref is None:
        raise Refused(f"{entry.object} is of a kind that this version does not know")
    cluster = ApiCluster(connection, UNDO_MANAGER)
    try:
        raw = await cluster.get(ref, version)
    except NotFound:
        return f"{ref} is gone, and the fix with it"
    if entry.state in ("Undone", "Contested") and not bears(entry, raw):
        return f"fix {entry.id} does not stand any more: {entry.message}"
    if dry_run:
        return await _change(cluster, entry, raw, dry_run=True)
    await _announce(connection, report["metadata"]["name"], entry)
    changed = await _change(cluster, entry, raw, dry_run=False)
    await _mark(connection, report["metadata"]["name"], entry)
    return changed


async def _change(cluster: Any, entry: Entry, raw: dict[str, Any], *, dry_run: bool) -> str:
    """Deletes or patches the object; answers the difference it makes."""
    from platform_health.remediation import patch
    from platform_health.remediation.repair import undo_operations

    ref, version = entry.object.ref, entry.object.api_version
    if entry.created:
        if not dry_run:
            await cluster.delete(ref, version, entry.object.uid)
        return f"{ref} {'would be' if dry_run else 'is'} deleted"
    try:
        operations = undo_operations(entry, raw)
    except patch.PatchError as error:
        raise Refused(f"fix {entry.id} is not taken back, because {ref} was changed since: {error}") from error
    after = await cluster.patch(ref, version, operations, dry_run=dry_run)
    difference = patch.difference(_lasting(raw), _lasting(after), str(ref))
    return f"{difference}{ref}: fix {entry.id} {'would be' if dry_run else 'is'} taken back"


def _lasting(raw: dict[str, Any]) -> dict[str, Any]:
    """The object without what every write changes."""
    metadata = {key: value for key, value in raw["metadata"].items() if key not in ("resourceVersion", "generation")}
    return {**raw, "metadata": metadata}


async def _announce(connection: Connection, report: str, entry: Entry) -> None:
    """Tells the operator, through an annotation, that a person wants this; it then does not call it a contest."""
    from platform_health.connection import MERGE_PATCH
    from platform_health.remediation.apply import path
    from platform_health.remediation.guard import UNDO_MANAGER
    from platform_health.remediation.repair import UNDONE_ANNOTATION, undone
    from platform_health.views.platform import PlatformHealth
    from platform_health.views.view import Ref

    kind = PlatformHealth.kind
    place = path(Ref(kind, "", report), kind.api_version)
    known = undone(await connection.get(place))
    ids = " ".join([*(other for other in known if other != entry.id), entry.id][-KEPT:])
    body = {"metadata": {"annotations": {UNDONE_ANNOTATION: ids}}}
    await connection.patch(place, body, MERGE_PATCH, {"fieldManager": UNDO_MANAGER})


async def _mark(connection: Connection, report: str, entry: Entry) -> None:
    """Marks it in the status, too, where no operator runs that would. That the operator was faster is no error."""
    from platform_health.connection import Conflict, Forbidden, Invalid
    from platform_health.remediation.apply import path
    from platform_health.remediation.guard import UNDO_MANAGER
    from platform_health.views.platform import PlatformHealth
    from platform_health.views.view import Ref

    kind = PlatformHealth.kind
    place = path(Ref(kind, "", report), kind.api_version)
    fixes = ((await connection.get(place)).get("status") or {}).get("fixes") or []
    index = next((index for index, plain in enumerate(fixes) if plain.get("id") == entry.id), None)
    if index is None:
        return
    operations = [
        {"op": "test", "path": f"/status/fixes/{index}/id", "value": entry.id},
        {"op": "replace", "path": f"/status/fixes/{index}/state", "value": "Undone"},
        {"op": "add", "path": f"/status/fixes/{index}/message", "value": "platform-health undo took it back"},
    ]
    try:
        await connection.patch(f"{place}/status", operations, params={"fieldManager": UNDO_MANAGER})
    except (Conflict, Invalid, Forbidden):
        return
