"""PickerLogsQuietly."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.pickers import Picker, pickers_in
from platform_health.invariant import INFO, WARNING, Fix, Inventory, Unknown, Violation, invariant
from platform_health.views.apps import Deployment, StatefulSet
from platform_health.views.core import Namespace

_TRIALS = frozenset({"dev", "development", "test", "testing", "staging", "stage", "sandbox"})
_DEBUG = 4


@invariant(severity=INFO, symptom="latency under load: every request is logged several times", needs=(Namespace,))
def picker_logs_quietly(workload: Deployment | StatefulSet, inventory: Inventory) -> Iterator[Violation]:
    """The verbosity of an endpoint picker is not left at debug.

    Why: a picker logs every request from level 4 (debug) on, and much at 2 and 3; under high concurrency that costs
    latency. The guides recommend 1. `--zap-log-level`, if given, overrides `--v`.

    Remedy: `--v=1`. The picker restarts for it, so choose the moment where it runs alone and fails closed.

    See: Gateway API Inference Extension, troubleshooting guide, "High latency under high concurrency".
    """
    for pod in workload.pods():
        for picker in pickers_in(pod):
            with inventory.part():
                level, said = _verbosity(picker)
                if level is None or level < 2:
                    continue
                by = f" (--{said})" if said else ", its default"
                loud = level >= _DEBUG and bool(said) and not _is_for_trials(workload.namespace, inventory)
                yield Violation(
                    at=picker.pod.template_path.join(picker.path_of(said) if said else picker.at),
                    because=f"the picker logs at level {level}{by}; 1 is recommended",
                    severity=WARNING if loud else INFO,
                    fix=Fix(title="--v=1", safety="manual", target=workload.ref),
                )


def _verbosity(picker: Picker) -> tuple[int | None, str]:
    """The level a picker logs at and the flag that says so; None where it is not known."""
    level = picker.flag("zap-log-level")
    if level is not None:
        return ({"debug": 1, "info": 0, "error": 0}.get(level, _number(level))), "zap-log-level"
    verbosity = picker.flag("v")
    if verbosity is not None:
        return _number(verbosity), "v"
    return (2 if picker.is_router() else None), ""


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _is_for_trials(name: str, inventory: Inventory) -> bool:
    """Whether a namespace is labelled as one for development or tests."""
    try:
        namespace = inventory.named(Namespace, "", name)
    except Unknown:
        return False
    return namespace is not None and any(value.lower() in _TRIALS for value in namespace.labels.values())
