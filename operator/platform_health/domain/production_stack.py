"""The router of vLLM's production-stack: how it is recognised, and what its arguments say.

Facts: production-stack a6c01db0, ``src/vllm_router/parsers/parser.py``: ``--service-discovery static|k8s``, comma lists
``--static-backends`` and ``--static-models`` of equal length, ``--k8s-namespace`` default, ``--k8s-port`` 8000,
``--k8s-label-selector``, ``--k8s-service-discovery-type pod-ip|service-name``. It calls engines with ``VLLM_API_KEY``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from platform_health.domain.command import Command, commands
from platform_health.domain.images import image
from platform_health.inventory import Unknown
from platform_health.views.apps import Deployment, StatefulSet
from platform_health.views.core import Container
from platform_health.views.view import LabelSelector, Path

_EQUALS = re.compile(r"\s*([A-Za-z0-9._/-]+)\s*==?\s*([A-Za-z0-9._-]*)\s*")


class Router(NamedTuple):
    """One container that runs the router, with its path in the workload."""

    container: Container
    command: Command
    at: Path

    @property
    def discovers_pods(self) -> bool:
        """Whether it finds the engines' pods by label."""
        kind = self.command.value("--k8s-service-discovery-type") or "pod-ip"
        return self.command.value("--service-discovery") == "k8s" and kind == "pod-ip"

    def place(self, flag: str) -> str:
        """The path of a flag's value among the arguments, or of the arguments."""
        for field, words in (("args", self.container.args), ("command", self.container.command)):
            for index, word in enumerate(words):
                if word == flag and index + 1 < len(words):
                    return self.at / field / (index + 1)
                if word.startswith(f"{flag}="):
                    return self.at / field / index
        return self.at / ("args" if self.container.args else "command")

    def listed(self, flag: str) -> list[str]:
        """The entries of a comma list; empty where the flag is absent."""
        value = self.command.value(flag)
        return [entry.strip() for entry in value.split(",") if entry.strip()] if value else []

    @property
    def selector(self) -> LabelSelector:
        """The labels of the pods it discovers; Unknown where they are not plain equalities."""
        text = self.command.value("--k8s-label-selector") or ""
        labels = {}
        for part in filter(None, text.split(",")):
            found = _EQUALS.fullmatch(part)
            if found is None:
                raise Unknown(f"the selector {text!r} is not understood here")
            labels[found[1]] = found[2]
        return LabelSelector(match_labels=labels)


def routers(workload: Deployment | StatefulSet) -> Iterator[Router]:
    """Every container of a workload's template that runs the router."""
    for path, template in workload.templates():
        for at, container in template.spec.long_running():
            command = router_command(container)
            if command is not None:
                yield Router(container, command, path.join(at))


def is_router(container: Container) -> bool:
    """Whether a container runs the router."""
    return router_command(container) is not None


def router_command(container: Container) -> Command | None:
    """The router's command line, None where the container runs something else: known by image, or by its own flags."""
    repository = image(container.image).repository
    is_its_image = repository.endswith(("lmcache/lmstack-router", "production-stack/router"))
    for command in commands(container):
        if command.has("--service-discovery") and (is_its_image or command.has("--routing-logic")):
            return command
        if is_its_image and (command.from_image or command.program == "vllm-router"):
            return command
    return None
