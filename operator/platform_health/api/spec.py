"""What a PlatformHealth asks for.

The API server checks the same rules through the generated CRD. They are checked here again because an older CRD may
be installed; whoever reads the status then sees a sentence and not a crash.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from platform_health.api.model import ATOMIC, Int32, Model, SeverityName, cel

MODES = ("Report", "Propose", "Apply")

InvariantPattern = Annotated[str, StringConstraints(min_length=1, max_length=128)]
InvariantName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]+$", max_length=128)]
NamespaceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
LabelValue = Annotated[str, StringConstraints(max_length=63)]
Pattern = Annotated[str, StringConstraints(max_length=253)]

BOTH_NAMESPACE_FIELDS = "matchNames and matchLabels exclude each other: name the namespaces or select them by label"
YAML_BOOLEAN = (
    "mode is {found}: YAML reads Off, No and On without quotes as a boolean; write Report, Propose or Apply "
    "(Report only reports)"
)


class InvalidSpec(Exception):
    """A spec that cannot be followed. The text is for whoever wrote it: field, what was found, what was expected."""


class Namespaces(Model):
    """Which namespaces are reported. With neither field all of them are, and cluster-scoped objects too."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            "!(has(self.matchNames) && size(self.matchNames) > 0 && has(self.matchLabels) && "
            "size(self.matchLabels) > 0)",
            BOTH_NAMESPACE_FIELDS,
        )
    )

    match_names: Annotated[list[NamespaceName], Field(max_length=500, json_schema_extra={**ATOMIC})] = []
    """Names of namespaces."""
    match_labels: Annotated[dict[str, LabelValue], Field(max_length=64)] = {}
    """Labels that a namespace must carry, all of them."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Namespaces:
        if self.match_names and self.match_labels:
            raise ValueError(BOTH_NAMESPACE_FIELDS)
        return self


class Ignore(Model):
    """Silences findings that are known and accepted. Empty fields and `*` match everything."""

    invariant: InvariantPattern
    """Name of the invariant; `*` and `?` are wildcards."""
    kind: Annotated[str, StringConstraints(max_length=63)] = ""
    """Kind of the object."""
    namespace: Pattern = ""
    """Namespace of the object."""
    name: Pattern = ""
    """Name of the object."""
    reason: Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"\S")]
    """Why these findings are accepted."""
    until: date | None = None
    """Last day on which it holds, such as 2027-01-31 (UTC)."""


class Remediation(Model):
    """What may be repaired, and how much of it."""

    mode: Literal["Report", "Propose", "Apply"] = "Propose"
    """Report: say what is wrong. Propose: also show the patch. Apply: also apply safe fixes of allowed invariants."""
    allow: Annotated[list[InvariantName], Field(max_length=200, json_schema_extra={**ATOMIC})] = []
    """Names of the invariants whose safe fixes may be applied in mode Apply."""
    max_fixes_per_hour: Annotated[Int32, Field(ge=0, le=20)] = 10
    """How many fixes may be applied within an hour."""

    @field_validator("mode", mode="before")
    @classmethod
    def _is_no_boolean(cls, value: object) -> object:
        if isinstance(value, bool):
            raise ValueError(YAML_BOOLEAN.format(found=str(value).lower()))
        return value


class Prometheus(Model):
    """A Prometheus whose API may be asked for the health of scrape targets."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^@\s]+$", max_length=512)]
    """Its address, without credentials, such as http://prometheus-operated.monitoring:9090."""


class Probes(Model):
    """What may be asked beyond the Kubernetes API. Nothing is, unless it is set here."""

    prometheus: Prometheus | None = None
    """Where the health of scrape targets is read."""
    discover: bool = False
    """Whether Services that look like a Prometheus may be asked without being named."""


class Spec(Model):
    """What is reported, and what may be done about it."""

    namespaces: Namespaces = Namespaces()
    """Which namespaces are reported; all by default."""
    select: Annotated[list[InvariantPattern], Field(max_length=200, json_schema_extra={**ATOMIC})] = ["*"]
    """Invariants (with `*` and `?` as wildcards) or families that are part of the report."""
    severity: Annotated[dict[str, SeverityName], Field(max_length=200)] = {}
    """Other severities than the invariants' own, by name of the invariant."""
    ignore: Annotated[list[Ignore], Field(max_length=200, json_schema_extra={**ATOMIC})] = []
    """Findings that are known and accepted."""
    remediation: Remediation = Remediation()
    """What may be repaired."""
    probes: Probes = Probes()
    """What may be asked beyond the Kubernetes API."""
    settle_seconds: Annotated[Int32, Field(ge=0, le=3600)] = 15
    """How long a violation must last before it counts. It is shown as settling until then."""
    max_findings: Annotated[Int32, Field(ge=1, le=200)] = 50
    """How many findings stand in the status. The totals always count all of them."""
    object_ignores: Literal["Honour", "Refuse"] = "Honour"
    """Whether an object may silence its own findings with the annotation platformhealth.dev/ignore."""


def parse_spec(spec: object) -> Spec:
    """The spec of a PlatformHealth as it came from the API server; InvalidSpec where it cannot be followed."""
    if spec is not None and not isinstance(spec, Mapping):
        raise InvalidSpec("spec must be an object")
    try:
        return Spec.model_validate(_without_nulls(spec or {}))
    except ValidationError as error:
        raise InvalidSpec("; ".join(_sentence(dict(problem)) for problem in error.errors()[:5])) from None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _sentence(problem: dict[str, Any]) -> str:
    path = "spec"
    for step in problem["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    if problem["type"] == "missing":
        return f"{path} is required"
    text = str(problem["msg"]).removeprefix("Value error, ")
    return f"{path}: {text[:1].lower() + text[1:]}"
