"""``platform-health crd``: the CustomResourceDefinition."""

from __future__ import annotations

import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Declares the command."""
    return commands.add_parser(
        "crd",
        help="print the CustomResourceDefinition of PlatformHealth",
        description="Prints the CustomResourceDefinition of PlatformHealth: platform-health crd | kubectl apply -f -",
    )


def run(args: argparse.Namespace) -> int:
    """Prints it."""
    from platform_health.api.generate import crd_yaml

    print(crd_yaml(), end="")
    return 0
