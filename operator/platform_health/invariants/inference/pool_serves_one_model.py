"""PoolServesOneModel."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.picker_configs import config_of
from platform_health.domain.pickers import Picker, pickers_of
from platform_health.domain.selection import is_worker, one_per_template, pods_of_pool
from platform_health.domain.servers import base_models, model_servers
from platform_health.invariant import WARNING, Inventory, Unknown, Violation, invariant
from platform_health.views.core import ConfigMap, Pod, Service
from platform_health.views.inference import (
    InferenceModelRewrite,
    InferencePool,
    LegacyInferenceModelRewrite,
    LegacyInferencePool,
    Pool,
)

_TELLS_MODELS_APART = (
    "by-label",
    "by-label-selector",
    "endpoint-attribute-filter",
    "header-based-testing-filter",
    "header-label-affinity-scorer",
    "header-profile-handler",
    "label-selector-filter",
    "lora-affinity-filter",
    "lora-affinity-scorer",
    "models-data-extractor",
    "models-data-source",
)


@invariant(
    severity=WARNING,
    symptom='HTTP 404 "model does not exist" for a share of the requests',
    needs=(Pod, Service, ConfigMap, InferenceModelRewrite, LegacyInferenceModelRewrite),
)
def pool_serves_one_model(pool: InferencePool | LegacyInferencePool, inventory: Inventory) -> Iterator[Violation]:
    """The pods of a pool serve the same base model, unless the picker tells models apart.

    Why: the picker may send a request to any pod of the pool. A pod that serves another model answers 404. Names that
    some pods have in addition (aliases, adapters) do no harm as long as all pods share one.

    Remedy: a pool per model, with routes that match the model's header; or a picker that filters by model.

    See: llm-d-router issue 158; Gateway API Inference Extension, "Serve multiple generative AI models".
    """
    models = _models(pool, inventory)
    apart = next(((one, two) for one in models for two in models if one < two and not models[one] & models[two]), None)
    if apart is None or _is_rewritten(pool, inventory):
        return
    pickers = pickers_of(pool, inventory)
    if not pickers:
        raise Unknown(f"the picker of {pool.ref} is not known, it may tell models apart")
    if any(_tells_apart(picker, inventory) for picker in pickers):
        return
    one, two = (f"{', '.join(sorted(models[name]))} ({name})" for name in apart)
    yield Violation(
        at=pool.selector_at,
        because=f"the pods of the pool serve different models: {one} and {two}",
        verify=f"kubectl get pods -n {pool.namespace} -l '{pool.selector}' -o yaml",
    )


def _models(pool: Pool, inventory: Inventory) -> dict[str, frozenset[str]]:
    """The names of the base model per workload whose pods are Ready, where they are literal."""
    found: dict[str, frozenset[str]] = {}
    for pod in one_per_template(pod for pod in pods_of_pool(pool, inventory) if pod.is_ready):
        names = [base_models(server) for server in model_servers(pod) if not server.is_headless]
        if not is_worker(pod) and names and all(names):
            found[str(pod.workload)] = frozenset(name for entry in names for name in entry or ())
    return found


def _is_rewritten(pool: Pool, inventory: Inventory) -> bool:
    rewrites: list[InferenceModelRewrite | LegacyInferenceModelRewrite] = []
    rewrites += inventory.modifying(InferenceModelRewrite, pool.namespace)
    rewrites += inventory.modifying(LegacyInferenceModelRewrite, pool.namespace)
    return any(entry.spec.pool_ref is None or entry.spec.pool_ref.name == pool.name for entry in rewrites)


def _tells_apart(picker: Picker, inventory: Inventory) -> bool:
    config = config_of(picker, inventory)
    if config is None:
        if not picker.is_recognised:
            raise Unknown(f"the built-in configuration of {picker.container.image} is not known")
        return False
    return bool(config.of_type(*_TELLS_MODELS_APART))
