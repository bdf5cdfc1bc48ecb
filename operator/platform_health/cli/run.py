"""``platform-health run``: the operator."""

from __future__ import annotations

import argparse
from pathlib import Path

DESCRIPTION = """\
Watches a cluster, judges every change, and writes the verdicts into the status of every PlatformHealth object.

Several replicas may run: all of them judge, the one that holds the Lease writes. SIGTERM and Ctrl-C end it at once.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Declares the command."""
    command = commands.add_parser(
        "run",
        help="run the operator",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--kubeconfig", type=Path, metavar="FILE", help="default: KUBECONFIG, or the service account")
    command.add_argument("--context", metavar="NAME", help="context of the kubeconfig")
    command.add_argument(
        "--listen",
        metavar="[HOST]:PORT",
        default=":8080",
        type=_address,
        help="where /healthz, /readyz, /metrics and /findings are served (:8080); port 0 picks a free one",
    )
    command.add_argument(
        "--leader-elect",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="write only while holding the Lease platform-health (default)",
    )
    command.add_argument("--lease-namespace", metavar="NAMESPACE", help="default: the namespace we run in")
    command.add_argument(
        "--warm-up",
        metavar="SECONDS",
        type=float,
        default=120.0,
        help="how long after a start nothing is repaired (120)",
    )
    command.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    return command


def _address(text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not [HOST]:PORT, such as :8080 or 127.0.0.1:8080")
    return host.strip("[]"), int(port)


def run(args: argparse.Namespace) -> int:
    """Runs the operator until it is told to end; 3 where the cluster cannot be reached."""
    import asyncio

    from platform_health.controller.wiring import Options, serve

    host, port = args.listen
    options = Options(
        kubeconfig=args.kubeconfig,
        context=args.context,
        host=host,
        port=port,
        leader_elect=args.leader_elect,
        lease_namespace=args.lease_namespace,
        warm_up=args.warm_up,
        log_level=args.log_level,
    )
    return asyncio.run(serve(options))
