"""The router of vLLM's production-stack: how it is recognised, and what its arguments say.

Facts: production-stack a6c01db0, ``src/vllm_router/parsers/parser.py``.
"""

from __future__ import annotations

from platform_health.domain.command import Command, commands
from platform_health.domain.images import image
from platform_health.views.core import Container


def is_router(container: Container) -> bool:
    """Whether a container runs the production-stack router: by its image, or by flags that only it has."""
    return router_command(container) is not None


def router_command(container: Container) -> Command | None:
    """The command line of the production-stack router, None where the container runs something else."""
    repository = image(container.image).repository
    is_its_image = repository.endswith(("lmcache/lmstack-router", "production-stack/router"))
    for command in commands(container):
        if command.has("--service-discovery") and (is_its_image or command.has("--routing-logic")):
            return command
        if is_its_image and (command.from_image or command.program in ("vllm-router",)):
            return command
    return None
