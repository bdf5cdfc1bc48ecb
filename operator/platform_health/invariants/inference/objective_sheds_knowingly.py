"""ObjectiveShedsKnowingly."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.invariant import INFO, Inventory, Path, Violation, invariant
from platform_health.views.inference import InferenceModel, InferenceObjective, LegacyInferenceObjective


@invariant(
    severity=INFO,
    category="capacity",
    symptom='HTTP 429 "system saturated, sheddable request dropped" while the pool is saturated',
)
def objective_sheds_knowingly(
    objective: InferenceObjective | LegacyInferenceObjective | InferenceModel, inventory: Inventory
) -> Iterator[Violation]:
    """An objective with a negative priority is meant to be shed under saturation.

    Why: requests of a negative priority (in the legacy API: criticality Sheddable) are dropped with 429 when queues and
    KV cache are full. That is their purpose; it is said here so that nobody looks for a bug.

    Remedy: a priority of 0 or more, where these requests should wait instead.

    See: Gateway API Inference Extension, "InferenceObjective"; troubleshooting guide, 429.
    """
    if isinstance(objective, InferenceModel):
        if objective.spec.criticality == "Sheddable":
            because = "requests of criticality Sheddable are dropped while the pool is saturated"
            yield Violation(at=Path("spec.criticality"), because=because)
    elif (objective.spec.priority or 0) < 0:
        because = f"requests of priority {objective.spec.priority} are dropped while the pool is saturated"
        yield Violation(at=Path("spec.priority"), because=because)
