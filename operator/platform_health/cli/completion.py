"""``platform-health completion``: shell completion scripts."""

from __future__ import annotations

import argparse

EPILOG = """\
  bash  platform-health completion bash > ~/.local/share/bash-completion/completions/platform-health
  zsh   platform-health completion zsh > "${fpath[1]}/_platform-health"
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Declares the command."""
    command = commands.add_parser(
        "completion",
        help="print a shell completion script",
        description="Prints a completion script.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    return command


def run(args: argparse.Namespace) -> int:
    """Prints the script."""
    import shtab

    from platform_health.cli.main import parser

    print(shtab.complete(parser(), args.shell))
    return 0
