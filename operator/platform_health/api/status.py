"""What a PlatformHealth says. These models make the schema; `reporting.status` fills it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from platform_health.api.model import ATOMIC, Int32, Int64, Model, SeverityName

MAX_FINDINGS = 200
MAX_FIXES = 20
MAX_TEXT = 256

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
PatchText = Annotated[str, StringConstraints(max_length=16_384)]
PRESERVED: dict[str, Any] = {"x-kubernetes-preserve-unknown-fields": True}
Anything = Annotated[Any, Field(json_schema_extra={**PRESERVED})]


class Condition(Model):
    """A condition as every Kubernetes API has it (metav1.Condition)."""

    type: Annotated[str, StringConstraints(max_length=316)]
    """Healthy, Ready, Remediating or Truncated."""
    status: Literal["True", "False", "Unknown"]
    """Whether it is so."""
    reason: Annotated[str, StringConstraints(max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    """One word for machines."""
    message: Annotated[str, StringConstraints(max_length=32768)]
    """A sentence for people."""
    observed_generation: Annotated[Int64, Field(ge=0)]
    """The generation of the spec it speaks of."""
    last_transition_time: Time
    """When the status last changed."""


class Summary(Model):
    """Exact totals, whatever `maxFindings` says."""

    errors: Int32 = 0
    """Active findings of severity error."""
    warnings: Int32 = 0
    """Active findings of severity warning."""
    infos: Int32 = 0
    """Active findings of severity info."""
    consequences: Int32 = 0
    """Active findings that another finding explains; they count in their severity, too."""
    settling: Int32 = 0
    """Findings that have not lasted for settleSeconds yet."""
    unknown: Int32 = 0
    """Judgements, or parts of one, that could not be made."""
    ignored: Int32 = 0
    """Findings that an ignore silences."""
    fixed: Int32 = 0
    """Fixes that were applied and verified since the report was created."""


class Coverage(Model):
    """What the report rests on."""

    invariants: Int32 = 0
    """How many invariants are part of the report."""
    judged: Int64 = 0
    """How many judgements (one invariant about one object) the operator keeps in step, for all reports together."""
    unreadable: Annotated[list[Text], Field(max_length=200, json_schema_extra={**ATOMIC})] = []
    """Kinds that the invariants of this report need and that cannot be read."""


class ObjectReference(Model):
    """The object that a finding names."""

    api_version: Text = ""
    """Group and version under which it was read."""
    kind: Text
    """Its kind."""
    namespace: Text = ""
    """Its namespace; absent for cluster-scoped objects."""
    name: Text
    """Its name."""


class Operation(Model):
    """One operation of a JSON Patch (RFC 6902)."""

    op: Literal["add", "replace", "remove", "test"]
    """What it does."""
    path: Annotated[str, StringConstraints(max_length=1024)]
    """Where, as a JSON pointer."""
    value: Anything = None
    """The new or expected value."""


class ProposedFix(Model):
    """A repair that the finding proposes."""

    title: Text
    """What it does, in words."""
    safety: Literal["safe", "unsafe", "manual"]
    """Safe fixes may be applied unattended; manual ones are only words."""
    because: Text = ""
    """Why it is not applied: who owns the object, or which gate is shut."""
    target: ObjectReference | None = None
    """The object to patch."""
    patch: Annotated[list[Operation], Field(max_length=64, json_schema_extra={**ATOMIC})] = []
    """The patch. Left out where it is long or may carry values that do not belong into a status."""
    create: Annotated[dict[str, Any] | None, Field(json_schema_extra={**PRESERVED})] = None
    """The object to create instead; left out likewise."""


class Finding(Model):
    """One violation."""

    id: Annotated[str, StringConstraints(max_length=64)]
    """Stays the same as long as the object, the invariant and the names involved do."""
    invariant: Text
    """What does not hold; `platform-health explain` says more about it."""
    severity: SeverityName
    """error: requests fail or the object is inert; warning: degraded, or one failure away."""
    category: Literal["configuration", "capacity", "observability"]
    """Saturation under load is of category capacity: expected, and never repaired."""
    state: Literal["settling", "active"]
    """Only active findings count."""
    object: ObjectReference
    """The object."""
    at: Text = ""
    """The field."""
    message: Text
    """What was found, and what was expected."""
    symptom: Text = ""
    """What a client sees."""
    verify: Text = ""
    """A command that shows it."""
    cause: Annotated[str, StringConstraints(max_length=64)] = ""
    """The id of the finding that explains this one."""
    first_seen: Time
    """Since when it is violated."""
    fix: ProposedFix | None = None
    """How it can be repaired (not in mode Report)."""


class FixedObject(ObjectReference):
    """This very object: another one of the same name has another uid."""

    uid: Text = ""
    """Its uid."""


class AppliedFix(Model):
    """One fix of the journal, with what is needed to undo it. `remediation.journal` writes and reads it."""

    id: Text
    """What `platform-health undo` is given."""
    finding: Text
    """The id of the finding."""
    invariant: Text
    """The invariant that was violated."""
    title: Text = ""
    """What was done, in words."""
    object: FixedObject
    """What was patched."""
    subject: FixedObject | None = None
    """The object of the finding, where it is another one."""
    state: Literal["Applying", "Applied", "Failed", "Contested", "Undone"]
    """Applying: about to be patched. Failed: the finding stayed, the patch was taken back. Contested: someone else
    reverted it."""
    message: Annotated[str, StringConstraints(max_length=1024)] = ""
    """Why it is in this state."""
    patch: PatchText = ""
    """The JSON Patch that was applied, as `kubectl patch --type=json` takes it."""
    inverse: PatchText = ""
    """The JSON Patch that takes it back."""
    created: bool = False
    """Whether the fix created the object."""
    object_version: Text = ""
    """What of the object must change before the fix is tried again."""
    report_generation: Int64 = 0
    """The generation of the report that allowed it."""
    started: Text = ""
    """When it began."""
    ended: Text = ""
    """When it was decided."""


class Status(Model):
    """The report. Written whole, and only when it changed."""

    observed_generation: Annotated[Int64, Field(ge=0)] = 0
    """The generation of the spec that this report follows."""
    conditions: Annotated[
        list[Condition],
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = []
    """Healthy: the verdict. Ready: this generation was judged with every needed kind read."""
    summary: Summary | None = None
    """Exact totals."""
    top_finding: Text = ""
    """The first active finding, in one line."""
    coverage: Coverage | None = None
    """What the report rests on."""
    findings: Annotated[list[Finding], Field(max_length=MAX_FINDINGS, json_schema_extra={**ATOMIC})] = []
    """Causes first, then by severity, invariant and object; at most maxFindings of them."""
    fixes: Annotated[list[AppliedFix], Field(max_length=MAX_FIXES, json_schema_extra={**ATOMIC})] = []
    """The last fixes."""
