"""``platform-health``: the entry point. It knows the commands, not what they do."""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import signal
import sys
from collections.abc import Sequence

from platform_health import __version__, cli

DESCRIPTION = """\
Finds, explains and heals misconfigurations of LLM inference platforms on Kubernetes.

  platform-health scan deploy/         what is wrong in these files, before they are applied
  platform-health scan --cluster       the same verdicts on a live cluster
  platform-health explain NAME         what an invariant means, and what to do about it
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="platform-health", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--version", action="version", version=f"platform-health {__version__}")
    commands = top.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    for module in pkgutil.iter_modules(cli.__path__):
        if module.name == "main":
            continue
        loaded = importlib.import_module(f"{cli.__name__}.{module.name}")
        command = loaded.add_parser(commands)
        command.set_defaults(run=loaded.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    args = parser().parse_args(arguments)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return code


if __name__ == "__main__":
    sys.exit(main())
