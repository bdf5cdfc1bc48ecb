"""ConfigIsValid."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.documents.litellm import litellm_configs
from platform_health.documents.router import router_configs
from platform_health.domain import router_faults, routers
from platform_health.domain.router_faults import Fault
from platform_health.invariant import ERROR, Inventory, Violation, invariant
from platform_health.views.core import ConfigMap
from platform_health.views.files import LiteLLMConfigFile, RouterConfigFile

Carrier = ConfigMap | LiteLLMConfigFile | RouterConfigFile


@invariant(
    severity=ERROR,
    symptom="requests to this upstream fail",
    needs=routers.NEEDS,
)
def config_is_valid(subject: Carrier, inventory: Inventory) -> Iterator[Violation]:
    """A router's configuration parses, its URLs and ports can be called, and what it refers to exists.

    Why: routers read their configuration when they start or when a request comes. A syntax error ends them, a URL
    without scheme or a backend that is not defined fails each request that takes it, and a master key from a variable
    that is not set leaves LiteLLM open to everybody.

    Remedy: correct what is named; set the environment variable in the workload that reads the configuration.

    See: LiteLLM, `config.yaml` and `os.environ/`.
    """
    for fault in _faults(subject, inventory):
        yield Violation(
            at=fault.at, about=fault.about, because=fault.because, severity=fault.severity, symptom=fault.symptom
        )


def _faults(subject: Carrier, inventory: Inventory) -> Iterator[Fault]:
    yield from router_faults.unparsable(subject)
    for text, config in litellm_configs(subject):
        yield from router_faults.of_litellm(text, config)
        with inventory.part():
            yield from router_faults.of_variables(text, config, subject, inventory)
    if isinstance(subject, LiteLLMConfigFile):
        return
    for text, router in router_configs(subject):
        with inventory.part():
            pieces = routers.merged(subject, inventory)
            known = frozenset(backend.name for piece in pieces for backend in piece.config.backends)
            yield from router_faults.of_router(text, router, known)
