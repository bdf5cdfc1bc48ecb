"""Endpoint pickers: the pods behind a pool's picker reference, and what their flags and environment say.

Facts: flags and defaults from ``options.go`` of Gateway API Inference Extension (GIE) v0.3 to v1.5 and of llm-d-router
0.9 and 0.10. Versions count only for the official images; a custom build has flags and plugins of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from platform_health.domain.command import Command, commands, is_literal
from platform_health.domain.images import Release, image, release
from platform_health.domain.selection import PICKER_FLAGS, pods_of_service
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import Container, Pod, Service
from platform_health.views.inference import GROUP, LEGACY_GROUP, Pool
from platform_health.views.view import Path

GRPC_PORT, HEALTH_PORT, METRICS_PORT = 9002, 9003, 9090

_BOOLEAN = frozenset(
    {
        "allow-experimental-plugins",
        "disable-endpoint-subset-filter",
        "emit-endpoint-scores",
        "enable-cert-reload",
        "enable-grpc-stream-metrics",
        "enable-pprof",
        "ha-enable-leader-election",
        "health-checking",
        "metrics-endpoint-auth",
        "model-server-metrics-https-insecure-skip-verify",
        "secure-serving",
        "tracing",
        "zap-devel",
    }
)
_CAMEL = re.compile(r"(?<=[a-z])([A-Z])")


class Flag(NamedTuple):
    """One flag as it was given; ``name`` in kebab case without dashes, ``word`` as written."""

    name: str
    value: str
    word: str

    @property
    def is_camel(self) -> bool:
        """Whether it is spelled as only v0.x spells it (``-poolName``)."""
        return _CAMEL.search(self.word.partition("=")[0]) is not None


class Picker(NamedTuple):
    """The container of an endpoint picker in a pod."""

    pod: Pod
    container: Container
    at: Path
    command: Command

    @property
    def release(self) -> Release | None:
        """The release it runs, None for other builds and moving tags."""
        return release(self.container.image)

    @property
    def is_recognised(self) -> bool:
        """Whether the image is a picker's by name, so that the published defaults are its own."""
        return is_picker_image(self.container.image)

    def is_gie(self, first: str = "0.0.0", before: str = "") -> bool:
        """Whether it is a GIE release from ``first`` on, up to but without ``before``."""
        return self._is_between("gie", first, before)

    def is_router(self, first: str = "0.0.0", before: str = "") -> bool:
        """Whether it is an llm-d-router release from ``first`` on, up to but without ``before``."""
        return self._is_between("llm-d-router", first, before)

    def _is_between(self, program: str, first: str, before: str) -> bool:
        found = self.release
        if found is None or found.program != program:
            return False
        return _numbers(first) <= found.version and (not before or found.version < _numbers(before))

    @property
    def flags(self) -> tuple[Flag, ...]:
        """Its flags in order, as this version reads them."""
        return tuple(_parsed(self.command.arguments, stops=self.is_gie(before="1.3.0")))

    def flag(self, name: str) -> str | None:
        """The value of a flag (the last counts), None where it is not given; Unknown where it is not literal."""
        values = [flag.value for flag in self.flags if flag.name == name]
        if not values:
            return None
        if not is_literal(values[-1]):
            raise Unknown(f"--{name} of {self.pod.workload} is {values[-1]!r}, which is not literal")
        return values[-1]

    def switch(self, name: str, default: bool) -> bool:
        """A boolean flag."""
        value = self.flag(name)
        return default if value is None else value.lower() in ("true", "1", "t")

    def port(self, name: str, default: int) -> int:
        """A port flag; Unknown where a build that we do not know leaves it to its default."""
        value = self.flag(name)
        if value is None:
            if not self.is_recognised:
                raise Unknown(f"the default of --{name} in image {self.container.image} is not known")
            return default
        if not value.isdigit():
            raise Unknown(f"--{name} of {self.pod.workload} is {value!r}, which is no number")
        return int(value)

    @property
    def grpc_port(self) -> int:
        """Where gateways ask it."""
        return self.port("grpc-port", GRPC_PORT)

    @property
    def health_port(self) -> int:
        """Where it answers gRPC health probes."""
        return self.port("grpc-health-port", HEALTH_PORT)

    @property
    def metrics_port(self) -> int:
        """Where it serves metrics."""
        return self.port("metrics-port", METRICS_PORT)

    @property
    def elects_leader(self) -> bool:
        """Whether only one replica at a time is Ready."""
        return self.switch("ha-enable-leader-election", False)

    @property
    def is_ancient(self) -> bool:
        """Whether it is a v0.x, which knows pools of the legacy group only."""
        return self.is_gie(before="1.0.0") or any(flag.is_camel for flag in self.flags)

    @property
    def pool_name(self) -> str | None:
        """The pool it serves; None where it selects endpoints by labels, or where no flag says."""
        return self.flag("pool-name") or None

    @property
    def pool_namespace(self) -> str:
        """The namespace of its pool: the flag, else the variable ``NAMESPACE``, else ``default``."""
        given = self.flag("pool-namespace")
        if given:
            return given
        entry = self.container.variable("NAMESPACE")
        if entry is None:
            if self.container.env_from:
                raise Unknown(f"NAMESPACE of {self.pod.workload} may come from envFrom")
            return "default"
        if entry.value_from is None:
            return entry.value or "default"
        if entry.value_from.field_ref is not None and entry.value_from.field_ref.field_path == "metadata.namespace":
            return self.pod.namespace
        raise Unknown(f"NAMESPACE of {self.pod.workload} is not literal")

    @property
    def pool_group(self) -> str | None:
        """The API group of the pool it watches; None where that is not known."""
        if self.is_ancient:
            return LEGACY_GROUP
        if self.is_router("0.9.0") or self.is_gie("1.5.0"):
            return GROUP
        if self.is_gie("1.0.0"):
            return self.flag("pool-group") or GROUP
        return None

    def place_of_value(self, name: str, value: str) -> tuple[Path, str] | None:
        """Where the value of a flag stands in the pod and what it would be with ``value``; None where it is no word."""
        for field, words in (("args", self.container.args), ("command", self.container.command)):
            for index, word in enumerate(words):
                if not word.startswith("-") or _kebab(word) != name:
                    continue
                if "=" in word:
                    return self.at / field / index, f"{word.partition('=')[0]}={value}"
                if index + 1 < len(words):
                    return self.at / field / (index + 1), value
        return None

    def path_of(self, name: str) -> Path:
        """Where a flag stands in the pod; the arguments as a whole where it cannot be found."""
        for field, words in (("args", self.container.args), ("command", self.container.command)):
            for index, word in enumerate(words):
                if word.startswith("-") and _kebab(word) == name:
                    return self.at / field / index
        return self.at / "args" if self.container.args else self.at


def is_picker_image(reference: str) -> bool:
    """Whether an image is named like the published endpoint pickers."""
    name = image(reference).name.lower()
    return name in ("epp", "lwepp") or "inference-scheduler" in name or "endpoint-picker" in name


def pickers_in(pod: Pod) -> Iterator[Picker]:
    """The endpoint pickers among the containers of a pod."""
    for at, container in pod.spec.long_running():
        command = _picker_command(container)
        if command is not None:
            yield Picker(pod, container, at, command)


def _picker_command(container: Container) -> Command | None:
    """The command of a container that is a picker's, None where there is none."""
    found = commands(container)
    if "sidecar" in image(container.image).name.lower():
        return None
    with_flags = next((command for command in found if command.has(*PICKER_FLAGS)), None)
    alone = found[0] if len(found) == 1 and is_picker_image(container.image) else None
    return with_flags or alone


def service_of(pool: Pool, inventory: Inventory) -> Service | None:
    """The Service of a pool's picker; None where it has none, or where it is no Service."""
    reference = pool.picker
    if reference is None or (reference.group, reference.kind) != ("", "Service"):
        return None
    return inventory.named(Service, pool.namespace, reference.name)


def picker_pods(pool: Pool, inventory: Inventory) -> list[Pod]:
    """The pods behind a pool's picker reference; none where the reference does not resolve."""
    service = service_of(pool, inventory)
    if service is None or service.is_external_name or service.selector is None:
        return []
    return pods_of_service(service, inventory)


def pickers_of(pool: Pool, inventory: Inventory) -> list[Picker]:
    """The endpoint pickers behind a pool's picker reference; none where they are not recognised."""
    return [picker for pod in picker_pods(pool, inventory) for picker in pickers_in(pod)]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _kebab(word: str) -> str:
    return _CAMEL.sub(lambda found: "-" + found[1].lower(), word.lstrip("-").partition("=")[0])


def _parsed(words: tuple[str, ...], *, stops: bool) -> Iterator[Flag]:
    """Flags as pflag reads them; ``stops``: as Go's own package does, which ends at the first word that is none."""
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if not word.startswith("-") or word == "-":
            if stops:
                return
            continue
        if word == "--":
            return
        short = re.fullmatch(r"-v(\d+)", word)
        if short:
            yield Flag("v", short[1], word)
            continue
        name, value = _kebab(word), word.partition("=")[2]
        if "=" not in word:
            following = words[index] if index < len(words) else ""
            if name in _BOOLEAN or (following.startswith("-") and name not in _KNOWN):
                value = "true"
            else:
                value, index = following, index + 1
        yield Flag(name, value, word)


_KNOWN = frozenset(
    {
        "cert-path",
        "config-file",
        "config-text",
        "drain-timeout",
        "endpoint-selector",
        "endpoint-target-ports",
        "grpc-health-port",
        "grpc-port",
        "metrics-port",
        "pool-group",
        "pool-name",
        "pool-namespace",
        "v",
        "zap-encoder",
        "zap-log-level",
    }
)
"""Flags that take a value, whatever it looks like."""
