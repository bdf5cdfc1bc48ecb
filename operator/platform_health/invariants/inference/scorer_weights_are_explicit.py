"""ScorerWeightsAreExplicit."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.documents.picker_config import PickerConfig, Profile, picker_config
from platform_health.documents.texts import Broken
from platform_health.domain.picker_configs import Missing, Source, source
from platform_health.domain.pickers import pickers_in
from platform_health.invariant import INFO, WARNING, Inventory, Path, Severity, Violation, invariant
from platform_health.views.apps import Deployment, StatefulSet
from platform_health.views.core import ConfigMap
from platform_health.views.files import EndpointPickerConfigFile

Remark = tuple[str, str, Path, Severity]


@invariant(severity=INFO, symptom="requests are not spread as the configuration seems to say", needs=(ConfigMap,))
def scorer_weights_are_explicit(
    subject: Deployment | StatefulSet | EndpointPickerConfigFile, inventory: Inventory
) -> Iterator[Violation]:
    """Every scorer of a picker's profile has a weight, and the weights mean what they seem to mean.

    Why: a scorer without a weight counts 1, less than the 2 or 3 of the built-in configuration; a weight on a filter or
    picker is ignored; if all weights are 0, the scorers decide nothing. A plugin that no profile uses does nothing.

    Remedy: write the weight down, also where it is 1.

    See: Gateway API Inference Extension guides, "Configuring the plugins via configuration YAML file".
    """
    if isinstance(subject, EndpointPickerConfigFile):
        config = picker_config(subject.text)
        for about, because, at, severity in () if isinstance(config, Broken) else _remarks(config):
            yield Violation(at=at, about=about, because=because, severity=severity)
        return
    for pod in subject.pods():
        for picker in pickers_in(pod):
            with inventory.part():
                found = source(picker, inventory)
                for violation in _about(found):
                    place = picker.pod.template_path.join(violation[2])
                    yield Violation(
                        at=place,
                        about=violation[0],
                        because=violation[1],
                        severity=violation[3],
                        related=(found.carrier,) if isinstance(found, Source) and found.carrier is not None else (),
                    )


def _about(found: Source | Missing) -> Iterator[Remark]:
    if isinstance(found, Source) and isinstance(found.config, PickerConfig):
        for about, because, at, severity in _remarks(found.config):
            yield about, f"{found.where(at)}: {because}", found.at, severity


def _remarks(config: PickerConfig) -> Iterator[Remark]:
    for profile in config.profiles:
        yield from _of_profile(config, profile)
    unused = [
        plugin
        for plugin in config.plugins
        if plugin.type.endswith(("-scorer", "-filter", "-picker")) and plugin.name not in config.mentioned
    ]
    if unused and config.has_profiles:
        names = ", ".join(plugin.name for plugin in unused)
        yield "unused", f"declared, but used by no profile: {names}", unused[0].at, INFO


def _of_profile(config: PickerConfig, profile: Profile) -> Iterator[Remark]:
    used = config.used(profile)
    scorers = [entry for entry, plugin in used if plugin.type.endswith("-scorer")]
    silent = [entry for entry in scorers if entry.weight is None]
    if silent:
        names = ", ".join(entry.ref for entry in silent)
        because = f"scorers of profile {profile.name} without a weight count 1 each: {names}"
        yield f"weights of {profile.name}", because, silent[0].at, INFO
    for entry, plugin in used:
        if entry.weight is not None and plugin.type.endswith(("-filter", "-picker", "-handler")):
            because = f"the weight of {entry.ref} in profile {profile.name} is ignored: it is no scorer"
            yield f"{entry.ref} of {profile.name}", because, entry.at / "weight", INFO
    if scorers and all(entry.weight is not None and entry.weight == 0 for entry in scorers):
        because = f"all scorers of profile {profile.name} have weight 0, so that endpoints are picked at random"
        yield f"weights of {profile.name}", because, profile.at / "plugins", WARNING
