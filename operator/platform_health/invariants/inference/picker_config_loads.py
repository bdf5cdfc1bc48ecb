"""PickerConfigLoads."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.documents.picker_config import PickerConfig, picker_config
from platform_health.documents.texts import Broken
from platform_health.domain.picker_configs import Missing, Source, source
from platform_health.domain.picker_rules import Problem, flag_problems, problems, protocol_problem
from platform_health.domain.pickers import Picker, pickers_in
from platform_health.invariant import ERROR, Inventory, Violation, invariant
from platform_health.views.apps import Deployment, StatefulSet
from platform_health.views.core import ConfigMap
from platform_health.views.files import EndpointPickerConfigFile
from platform_health.views.inference import InferencePool


@invariant(
    severity=ERROR,
    symptom="the endpoint picker ends at start, again and again: HTTP 500 or 503 for every request to its pool",
    needs=(ConfigMap, InferencePool),
)
def picker_config_loads(
    subject: Deployment | StatefulSet | EndpointPickerConfigFile, inventory: Inventory
) -> Iterator[Violation]:
    """An endpoint picker accepts its flags and its EndpointPickerConfig.

    Why: flags that were removed, a plugin type that this release does not register, a misspelled field or a ConfigMap
    that does not exist end the picker at start (crash loop), or keep its pod from being created. What a release knows
    is compared for official images with a release tag only.

    Remedy: correct what the message names; for flags of metric names use `engineConfigs` of `core-metrics-extractor`,
    for `SD_*` variables the parameters of `utilization-detector`.

    See: llm-d-router, `pkg/epp/server/options.go` and `apix/config/v1alpha1`; Gateway API Inference Extension guides,
    "Configuring the plugins via configuration YAML file".
    """
    if isinstance(subject, EndpointPickerConfigFile):
        config = picker_config(subject.text)
        if not isinstance(config, Broken):
            for problem in problems(config, None, experimental=True):
                yield Violation(at=problem.at, about=problem.about, because=problem.because, severity=problem.severity)
        return
    for pod in subject.pods():
        for picker in pickers_in(pod):
            for problem in flag_problems(picker):
                yield _violation(picker, problem, str(problem.at))
            with inventory.part():
                yield from _configuration(picker, source(picker, inventory), inventory)


def _configuration(picker: Picker, found: Source | Missing, inventory: Inventory) -> Iterator[Violation]:
    if isinstance(found, Missing):
        yield _violation(picker, Problem(found.because, found.at, "configuration"), str(found.at))
        return
    config = found.config
    if config is None:
        return
    if isinstance(config, Broken):
        because = f"{found.text} cannot be parsed: line {config.line}: {config.because}"
        yield _violation(picker, Problem(because, found.at, "configuration"), str(found.at), found)
        return
    if picker.release is not None:
        experimental = picker.switch("allow-experimental-plugins", False)
        for problem in problems(config, picker.release, experimental=experimental):
            shown = Problem(f"{found.where(problem.at)}: {problem.because}", found.at, problem.about, problem.severity)
            yield _violation(picker, shown, str(found.at), found)
        yield from _protocol(picker, found, config, inventory)


def _protocol(picker: Picker, found: Source, config: PickerConfig, inventory: Inventory) -> Iterator[Violation]:
    if picker.pool_name is None or not config.of_type("vllmgrpc-parser", "vertexai-parser"):
        return
    with inventory.part():
        pool = inventory.named(InferencePool, picker.pool_namespace, picker.pool_name)
        problem = protocol_problem(config, pool) if pool is not None else None
        if problem is not None and pool is not None:
            yield _violation(picker, problem, str(found.at), found)


def _violation(picker: Picker, problem: Problem, at: str, found: Source | None = None) -> Violation:
    workload = picker.pod.workload
    name = f"{picker.release or picker.container.image}: "
    return Violation(
        at=picker.pod.template_path.join(at),
        about=problem.about,
        because=(name if picker.release is not None else "") + problem.because,
        severity=problem.severity,
        symptom="the setting has no effect" if problem.severity is not None else None,
        verify=f"kubectl logs -n {workload.namespace} {workload.kind.name.lower()}/{workload.name} --previous",
        related=(found.carrier,) if found is not None and found.carrier is not None else (),
    )
