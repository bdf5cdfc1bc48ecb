"""DebugIsOff."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.documents.litellm import litellm_configs
from platform_health.documents.router import router_configs
from platform_health.invariant import INFO, Inventory, Violation, invariant
from platform_health.views.core import ConfigMap
from platform_health.views.files import LiteLLMConfigFile, RouterConfigFile


@invariant(severity=INFO, symptom="slower answers, and prompts and keys in the log")
def debug_is_off(
    subject: ConfigMap | LiteLLMConfigFile | RouterConfigFile, inventory: Inventory
) -> Iterator[Violation]:
    """A router does not run with its debug settings on.

    Why: `set_verbose`, `debug` and `debug_router` write every request with its headers and prompt into the log, which
    costs latency and stores what should not be stored.

    Remedy: remove the setting, or set it to false once the problem is found.

    See: LiteLLM, debugging.
    """
    found = [(text, at) for text, config in litellm_configs(subject) for at in config.debug]
    found += [(text, at) for text, router in router_configs(subject) for at in router.debug]
    for text, at in found:
        yield Violation(at=text.within(at), about=f"{text.key}: {at}", because=f"{at} is on")
