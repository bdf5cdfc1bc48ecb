"""``platform-health scan``: judge files or a cluster and report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platform_health.reporting.report import Scope
    from platform_health.reporting.scan import Scan
    from platform_health.sources.manifests import Manifests

EPILOG = """\
exit codes:
  0  nothing at or above --fail-on
  1  findings at or above --fail-on
  2  unreadable input, input without a single object, or wrong usage
  3  the cluster could not be reached

examples:
  platform-health scan deploy/
  kustomize build overlays/prod | platform-health scan -
  platform-health scan deploy/ -o json=report.json -o text
  platform-health scan dump.yaml --closed-world --fail-on warning
"""

FORMATS = ("text", "json")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Declares the command."""
    command = commands.add_parser(
        "scan",
        help="judge files or a cluster and report what does not hold",
        description="Judges manifests (files, directories, - for standard input) or a live cluster.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("paths", nargs="*", metavar="PATH", help="a file, a directory, or - for standard input")
    command.add_argument("--cluster", action="store_true", help="judge the live cluster; PATHs are laid over it")
    command.add_argument("--context", metavar="NAME", help="the kubeconfig context (default: the current one)")
    command.add_argument("--kubeconfig", metavar="FILE", help="the kubeconfig (default: KUBECONFIG, ~/.kube/config)")
    command.add_argument(
        "--namespace", "-n", metavar="NS", help="namespace of objects without one; with --cluster: report only this one"
    )
    command.add_argument("--select", action="append", metavar="NAME", help="only these invariants or families (glob)")
    command.add_argument("--ignore", action="append", metavar="NAME", help="not these invariants or families (glob)")
    command.add_argument(
        "--fail-on", choices=("error", "warning", "info", "never"), default="error", help="exit 1 from here (error)"
    )
    command.add_argument(
        "--closed-world", action="store_true", help="what is not in the input does not exist (Secrets excepted)"
    )
    command.add_argument("--now", metavar="TIME", help="judge ages at this RFC 3339 time")
    command.add_argument(
        "--output", "-o", action="append", metavar="FORMAT[=FILE]", help=f"{', '.join(FORMATS)}; repeatable (text)"
    )
    command.add_argument("--verbose", "-v", action="store_true", help="list every unknown verdict and skipped document")
    return command


class Usage(Exception):
    """Arguments that make no sense together."""


def run(args: argparse.Namespace) -> int:
    """Scans and reports; returns the exit code."""
    try:
        outputs = _outputs(args.output or ["text"])
        scan = _scan_cluster(args) if args.cluster else _scan_files(args)
    except Usage as usage:
        print(f"platform-health scan: {usage}", file=sys.stderr)
        return 2
    except Exception as error:
        if not args.cluster or not _is_api_error(error):
            raise
        print(f"platform-health scan: {error}", file=sys.stderr)
        return 3
    _write(scan, outputs, args.verbose)
    return exit_code(scan, args.fail_on)


def exit_code(scan: Scan, fail_on: str) -> int:
    """2 where something could not be read or nothing was there, else 1 from ``fail_on`` up, else 0."""
    if any(entry.file for entry in scan.unreadable):
        return 2
    if not scan.objects:
        print("platform-health scan: the input holds no Kubernetes object", file=sys.stderr)
        return 2
    if fail_on == "never":
        return 0
    severities = ("error", "warning", "info")
    failing = severities[: severities.index(fail_on) + 1]
    return int(any(str(finding.severity) in failing for finding in scan.report.active))


def _is_api_error(error: Exception) -> bool:
    from platform_health.connection import ApiError

    return isinstance(error, ApiError)


def _read_files(args: argparse.Namespace) -> Manifests:
    from platform_health.sources.manifests import Manifests, Text

    manifests = Manifests(default_namespace=args.namespace or "default")
    for path in args.paths:
        if path == "-":
            manifests.read_text(Text("<stdin>", sys.stdin.buffer.read()))
        else:
            manifests.read(Path(path))
    return manifests


def _now(args: argparse.Namespace) -> float | None:
    from platform_health.inventory import parse_time

    now = parse_time(args.now)
    if args.now and now is None:
        raise Usage(f"--now {args.now!r} is no RFC 3339 time, expected e.g. 2026-11-21T12:00:00Z")
    return now


def _scan_files(args: argparse.Namespace) -> Scan:
    from platform_health.scanning import scan_files

    if not args.paths:
        raise Usage("nothing to scan: name a file, a directory, or - for standard input, or pass --cluster")
    now = _now(args)
    scan, _ = scan_files(_read_files(args), _scope(args), closed_world=args.closed_world, now=now)
    return scan


def _scan_cluster(args: argparse.Namespace) -> Scan:
    import asyncio

    from platform_health.invariants import discover
    from platform_health.reporting.report import kinds_needed
    from platform_health.scanning import scan_cluster
    from platform_health.sources.cluster import read_cluster

    if args.closed_world:
        raise Usage("--closed-world is about files; a cluster is always known as far as it can be read")
    now, scope, overlay = _now(args), _scope(args), _read_files(args)
    kubeconfig = Path(args.kubeconfig) if args.kubeconfig else None
    snapshot = asyncio.run(read_cluster(kinds_needed(discover()), args.context, kubeconfig))
    return scan_cluster(snapshot.views, snapshot.knowledge, scope, overlay, now=now)


def _scope(args: argparse.Namespace) -> Scope:
    from platform_health.invariants import discover
    from platform_health.reporting.report import Scope

    known = {name for invariant in discover() for name in (invariant.name, invariant.family)}
    for pattern in (*(args.select or ()), *(args.ignore or ())):
        if not any(character in pattern for character in "*?[") and pattern not in known:
            from platform_health.invariant import nearest

            hint = nearest(pattern, known)
            raise Usage(f"there is no invariant or family {pattern!r}" + (f"; did you mean {hint}?" if hint else ""))
    return Scope(
        select=tuple(args.select or ("*",)),
        deselect=tuple(args.ignore or ()),
        match_names=(args.namespace,) if args.cluster and args.namespace else (),
    )


def _outputs(wanted: list[str]) -> list[tuple[str, str | None]]:
    outputs = []
    for entry in wanted:
        name, _, file = entry.partition("=")
        if name not in FORMATS:
            raise Usage(f"unknown output format {name!r}, expected one of {', '.join(FORMATS)}")
        outputs.append((name, file or None))
    return outputs


def _write(scan: Scan, outputs: list[tuple[str, str | None]], verbose: bool) -> None:
    from platform_health.reporting import json, text

    for name, file in outputs:
        if name == "json":
            rendered = json.render(scan)
        else:
            rendered = text.render(scan, colour=file is None and sys.stdout.isatty(), verbose=verbose)
        if file is None:
            sys.stdout.write(rendered)
        else:
            Path(file).write_text(rendered, encoding="utf-8")
