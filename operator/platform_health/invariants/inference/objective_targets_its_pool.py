"""ObjectiveTargetsItsPool."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.pickers import Picker, pickers_of
from platform_health.invariant import WARNING, Fix, Inventory, Path, Violation, invariant, nearest
from platform_health.knowledge import FileKnowledge
from platform_health.views.core import Pod, Service
from platform_health.views.inference import (
    GROUP,
    InferenceModel,
    InferenceObjective,
    InferencePool,
    LegacyInferenceObjective,
    LegacyInferencePool,
    Pool,
)

Objective = InferenceObjective | LegacyInferenceObjective | InferenceModel


@invariant(
    severity=WARNING,
    symptom="requests that name the objective get the default priority 0",
    needs=(InferencePool, LegacyInferencePool, Service, Pod),
    fixes=(InferenceObjective,),
)
def objective_targets_its_pool(
    objective: InferenceObjective | LegacyInferenceObjective | InferenceModel, inventory: Inventory
) -> Iterator[Violation]:
    """The pool of an objective exists, in the API group that its picker watches.

    Why: a picker reads only objectives that name its own pool, by name and group; its status stays Pending in any case.
    Where the CRD of `llm-d.ai` is installed, llm-d-router ignores objectives of `inference.networking.x-k8s.io`. An
    InferenceModel means nothing to pickers from v1.0 on.

    Remedy: correct `poolRef`; create the same objective in group `llm-d.ai` beside the old one (the fix does).

    See: Gateway API Inference Extension, "InferenceObjective"; llm-d-router pull request 1449.
    """
    reference = objective.spec.pool_ref
    kind: type[InferencePool] | type[LegacyInferencePool] = (
        InferencePool if reference.group == GROUP else LegacyInferencePool
    )
    pool: Pool | None = inventory.named(kind, objective.namespace, reference.name)
    if pool is None:
        yield _without_pool(objective, kind, inventory)
        return
    with inventory.part():
        pickers = pickers_of(pool, inventory)
        if isinstance(objective, InferenceModel):
            yield from _unread_model(pickers)
        else:
            yield from _other_group(objective, pickers)
            yield from _ignored(objective, pickers, inventory)
    if isinstance(objective, LegacyInferenceObjective):
        yield from _two_priorities(objective, inventory)


def _without_pool(
    objective: Objective, kind: type[InferencePool] | type[LegacyInferencePool], inventory: Inventory
) -> Violation:
    name, namespace = objective.spec.pool_ref.name, objective.namespace
    other: type[InferencePool] | type[LegacyInferencePool] = (
        LegacyInferencePool if kind is InferencePool else InferencePool
    )
    twin = any(entry.name == name for entry in inventory.near(other, namespace))
    hint = f"; there is one in {other.kind.group}" if twin else ""
    return Violation(
        at=Path("spec.poolRef.group" if twin and objective.spec.pool_ref.group else "spec.poolRef.name"),
        about="pool",
        because=f"InferencePool {namespace}/{name} ({kind.kind.group}) does not exist{hint}",
        nearest=None if twin else nearest(name, (entry.name for entry in inventory.near(kind, namespace))),
    )


def _unread_model(pickers: list[Picker]) -> Iterator[Violation]:
    if pickers and all(picker.is_gie("1.0.0") or picker.is_router() for picker in pickers):
        yield Violation(
            at=Path("metadata.name"),
            about="unread",
            because=f"{pickers[0].release} does not read InferenceModels, which became InferenceObjectives in v1.0",
            related=(pickers[0].pod.workload,),
        )


def _other_group(
    objective: InferenceObjective | LegacyInferenceObjective, pickers: list[Picker]
) -> Iterator[Violation]:
    """A picker whose ``--pool-group`` is another one passes the objective over."""
    groups = {picker.flag("pool-group") or GROUP for picker in pickers if picker.is_gie("1.0.0") or picker.is_router()}
    if pickers and groups and objective.spec.pool_ref.group not in groups:
        yield Violation(
            at=Path("spec.poolRef.group"),
            about="group",
            because=f"poolRef is of group {objective.spec.pool_ref.group}, the picker reads objectives for "
            f"{', '.join(sorted(groups))}",
            related=(pickers[0].pod.workload,),
        )


def _ignored(
    objective: InferenceObjective | LegacyInferenceObjective, pickers: list[Picker], inventory: Inventory
) -> Iterator[Violation]:
    """An objective of the legacy group, where the picker reads those of llm-d.ai only."""
    if isinstance(objective, InferenceObjective) or not any(picker.is_router("0.9.0") for picker in pickers):
        return
    if not _serves_current(inventory):
        return
    copy = _copy(objective, inventory)
    if copy is None:
        yield Violation(
            at=Path("metadata.name"),
            about="ignored",
            because=f"{InferenceObjective.kind.resource} is installed, so the picker ignores objectives of "
            f"{objective.kind.group}",
            related=(pickers[0].pod.workload,),
            fix=Fix(
                title=f"the same objective in {InferenceObjective.kind.group}",
                safety="safe",
                target=objective.ref,
                create=_created(objective),
            ),
        )


def _serves_current(inventory: Inventory) -> bool:
    """Whether the CRD of llm-d.ai is installed; files show it by an object of it."""
    if isinstance(inventory.knowledge, FileKnowledge):
        return bool(inventory.near(InferenceObjective))
    return inventory.is_installed(InferenceObjective)


def _copy(objective: LegacyInferenceObjective, inventory: Inventory) -> InferenceObjective | None:
    found = (entry for entry in inventory.near(InferenceObjective, objective.namespace))
    return next((entry for entry in found if entry.name == objective.name), None)


def _created(objective: LegacyInferenceObjective) -> dict[str, object]:
    reference = objective.spec.pool_ref
    spec: dict[str, object] = {"poolRef": {"group": reference.group, "kind": reference.kind, "name": reference.name}}
    if objective.spec.priority is not None:
        spec["priority"] = objective.spec.priority
    return {
        "apiVersion": InferenceObjective.kind.api_version,
        "kind": InferenceObjective.kind.name,
        "metadata": {"name": objective.name, "namespace": objective.namespace},
        "spec": spec,
    }


def _two_priorities(objective: LegacyInferenceObjective, inventory: Inventory) -> Iterator[Violation]:
    copy = _copy(objective, inventory)
    own = objective.spec.priority or 0
    if copy is not None and (copy.spec.priority or 0) != own:
        yield Violation(
            at=Path("spec.priority"),
            about="priority",
            because=f"priority is {own} here and {copy.spec.priority or 0} in the objective of the same name of "
            f"{copy.kind.group}, which counts where both are installed",
            related=(copy.ref,),
        )
