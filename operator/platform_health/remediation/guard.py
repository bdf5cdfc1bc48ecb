"""What only the object itself can tell: gates that are asked after a fresh GET, and again after the dry run.

All of it is pure: raw objects and the engine in, an answer out. The inventory is laid over for the duration of a
question and never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from platform_health.domain.ownership import owner_of
from platform_health.engine import Engine, Judgement
from platform_health.findings import Finding, findings, named
from platform_health.invariant import Fix, Operation, Severity
from platform_health.inventory import Unknown, parse_time
from platform_health.remediation import patch
from platform_health.remediation.journal import Entry, bars
from platform_health.remediation.patch import Operations, PatchError, Raw
from platform_health.remediation.plan import Propose, Skip, gap, target_of
from platform_health.views.platform import PAUSE_ANNOTATION
from platform_health.views.view import Ref, View

MAX_INVERSE_BYTES, MAX_PATCH_BYTES = 4096, 16_384

FIELD_MANAGER = "platform-health-remediator"
UNDO_MANAGER = "platform-health-undo"
OURS = frozenset({FIELD_MANAGER, UNDO_MANAGER})

GITOPS_MANAGERS = frozenset(
    {
        "argocd-controller",
        "argocd-application-controller",
        "kustomize-controller",
        "helm-controller",
        "helm",
        "Helm",
        "flux",
        "fleetagent",
        "config-sync",
        "configsync.gke.io",
    }
)
PEOPLE = ("kubectl", "k9s", "lens", "Mozilla", "before-first-apply")
"""Managers that stand for a person's one act, even where it was an apply."""

DELICATE = frozenset({"env", "envFrom", "args", "command"})
"""Fields that may carry secrets or change what a program does."""

Decode = Callable[[Raw, type[View]], View]
"""How a raw object becomes a view; raises msgspec.ValidationError."""


class Concern(NamedTuple):
    """What a fix is about: the finding's id, its invariant, and the object it names."""

    id: str
    invariant: str
    subject: Ref

    @classmethod
    def of(cls, finding: Finding) -> Concern:
        """The concern of a finding."""
        return cls(finding.id, finding.invariant, finding.subject)


class Fresh(msgspec.Struct, frozen=True, kw_only=True):
    """The objects of one case as they are now: the one to patch (None where it is to be created) and the judged one."""

    target: Ref
    raw: Raw | None
    view: View | None
    subject: View | None = None
    """The judged object, where it is another one than the target."""

    @property
    def views(self) -> tuple[View, ...]:
        """The views, to be laid over the inventory."""
        return tuple(view for view in (self.view, self.subject) if view is not None)


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A fix that all gates before the dry run let through. ``undo`` is the guarded inverse."""

    finding: Finding
    fix: Fix
    fresh: Fresh
    patch: Operations = ()
    undo: Operations = ()
    patched: Raw


class Closed(Exception):
    """A gate is closed; ``decision`` is its answer."""

    def __init__(self, decision: Propose | Skip) -> None:
        super().__init__(decision.because)
        self.decision = decision


def prepare(finding: Finding, fresh: Fresh, engine: Engine, entries: Sequence[Entry], decode: Decode) -> Prepared:
    """The fix made ready for the dry run; Closed with the answer of the first gate that is not open."""
    object_is_itself(finding, fresh, engine)
    nothing_is_paused(fresh)
    nobody_owns_it(fresh, engine)
    it_was_not_unwanted_before(finding, fresh, entries)
    found = it_is_still_violated(finding, fresh, engine)
    assert found.fix is not None
    if found.fix.create is not None:
        prepared = Prepared(finding=found, fix=found.fix, fresh=fresh, patched=found.fix.create)
    else:
        prepared = _patched(found, found.fix, fresh)
        it_can_be_left_alone(prepared)
        no_field_is_contested(prepared)
    it_will_help(prepared, prepared.patched, engine, decode)
    return prepared


def _patched(finding: Finding, fix: Fix, fresh: Fresh) -> Prepared:
    assert fresh.raw is not None
    try:
        operations = patch.unguarded(patch.completed(fresh.raw, fix.patch))
        patched = patch.applied(fresh.raw, operations)
    except PatchError as error:
        raise Closed(Skip(f"the patch does not fit the object as it is now: {error}")) from None
    undo = undo_of(fresh.raw, operations, patched)
    return Prepared(finding=finding, fix=fix, fresh=fresh, patch=operations, undo=undo, patched=patched)


def undo_of(before: Raw, operations: Sequence[Operation], after: Raw) -> Operations:
    """The inverse of a patch, guarded by what really stands in the object ``after`` it.

    The API server may have completed what the patch put there; a guard on what was sent would then never hold.
    """
    return patch.guarded(after, patch.inverse(before, operations))


# --- gates ------------------------------------------------------------------------------------------------------


def object_is_itself(finding: Finding, fresh: Fresh, engine: Engine) -> None:
    """The object is there, is not being deleted, and is the one that was judged; one to be created is not there."""
    creates = finding.fix is not None and finding.fix.create is not None
    if creates != (fresh.view is None):
        raise Closed(Skip(f"{fresh.target} exists by now" if creates else f"{fresh.target} is gone"))
    for view in fresh.views:
        if view.is_going:
            raise Closed(Skip(f"{view.ref} is being deleted"))
        known = engine.inventory.peek(view.ref)
        if known is None or known.metadata.uid != view.metadata.uid:
            raise Closed(Skip(f"{view.ref} is another object than the one that was judged"))


def nothing_is_paused(fresh: Fresh) -> None:
    """No pause annotation has been put on the object since."""
    for view in fresh.views:
        if PAUSE_ANNOTATION in view.annotations:
            raise Closed(Skip(f"{view.ref} is paused by its annotation {PAUSE_ANNOTATION}"))


def nobody_owns_it(fresh: Fresh, engine: Engine) -> None:
    """Nobody has taken the object over since; for a new object its neighbour that lacks it is asked."""
    for view in fresh.views if fresh.view is None else (fresh.view,):
        with engine.inventory.recording():
            try:
                owner = owner_of(view, engine.inventory)
            except Unknown as unknown:
                because = f"it cannot be known whether Argo CD tracks {view.ref}: {unknown.because}"
                raise Closed(Propose(because)) from None
        if owner is not None:
            raise Closed(Propose(f"{view.ref} belongs to {owner}: {owner.because}"))


def it_was_not_unwanted_before(finding: Finding, fresh: Fresh, entries: Sequence[Entry]) -> None:
    """No earlier try at this very object failed, was contested or was undone."""
    for entry in entries:
        if fresh.raw is not None and entry.is_about(finding) and bars(entry, fresh.raw):
            raise Closed(Propose(f"fix {entry.id} was {entry.state.lower()}: {entry.message}"))


def it_is_still_violated(finding: Finding, fresh: Fresh, engine: Engine) -> Finding:
    """The finding as it is on the fresh objects, with the fix that fits them: list positions may have moved."""
    now = {other.id: other for other in findings(judged(Concern.of(finding), fresh.views, engine))}
    found = now.get(finding.id)
    if found is None:
        raise Closed(Skip("it is no longer violated"))
    if found.fix is None or found.fix.safety != "safe" or target_of(found.subject, found.fix) != fresh.target:
        raise Closed(Skip("the fix is another one by now"))
    if (found.fix.create is None) != (finding.fix is not None and finding.fix.create is None):
        raise Closed(Skip("the fix is another one by now"))
    return found


def judged(concern: Concern, views: Iterable[View], engine: Engine) -> list[Judgement]:
    """What the judgements behind a finding say when ``views`` are laid over the inventory."""
    keys = [key for key in engine.notable if key[0].name == concern.invariant]
    with engine.inventory.overlaid(views):
        again = [
            engine.rejudge(invariant, ref)
            for invariant, ref in keys
            if (subject := engine.inventory.peek(ref)) is not None and named(subject) == concern.subject
        ]
    return [judgement for judgement in again if judgement is not None]


def is_healed(concern: Concern, views: Iterable[View], engine: Engine) -> bool:
    """Whether the finding is known to be gone when ``views`` are laid over the inventory."""
    invariant = next((known for known in engine.invariants if known.name == concern.invariant), None)
    if invariant is None or gap(invariant, engine.inventory) is not None:
        return False
    judgements = judged(concern, views, engine)
    unknown = any(judgement.unknown for judgement in judgements)
    return not unknown and all(other.id != concern.id for other in findings(judgements))


def it_can_be_left_alone(prepared: Prepared) -> None:
    """Patch and inverse fit into a status, and nothing touches the environment or the arguments of a program."""
    if (size := patch.size(prepared.patch)) > MAX_PATCH_BYTES:
        raise Closed(Propose(f"it has {size} bytes, more than the {MAX_PATCH_BYTES} that are kept"))
    if (size := patch.size(prepared.undo)) > MAX_INVERSE_BYTES:
        raise Closed(Propose(f"its inverse has {size} bytes, more than the {MAX_INVERSE_BYTES} that are kept"))
    for operation in prepared.patch:
        if not operation.path.startswith("/metadata/") and (field := _delicate(operation)):
            raise Closed(Propose(f"it touches {field} ({operation.path}), which is never done unattended"))


def _delicate(operation: Operation) -> str | None:
    names = [*patch.steps(operation.path), *_keys(operation.value)]
    return next((name for name in names if name in DELICATE), None)


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item)


def no_field_is_contested(prepared: Prepared) -> None:
    """No field to be changed belongs to a GitOps controller, or to whoever else applies it again and again."""
    assert prepared.fresh.raw is not None
    for operation in prepared.patch:
        manager = durable_manager(prepared.fresh.raw, operation.path)
        if manager is not None:
            raise Closed(Propose(f"{operation.path} is managed by {manager}, which would set it back"))


def durable_manager(raw: Raw, pointer: str) -> str | None:
    """The manager that holds the field at a pointer for good, as far as ``managedFields`` tell; None where nobody does.

    Whoever owns a list or map as a whole owns what is in it. An update by somebody else than a GitOps controller was
    one act, and so was an apply by kubectl.
    """
    for entry in raw["metadata"].get("managedFields") or ():
        manager = entry.get("manager", "")
        if entry.get("subresource") == "status" or manager in OURS:
            continue
        is_durable = manager in GITOPS_MANAGERS or (
            entry.get("operation") == "Apply" and not manager.startswith(PEOPLE)
        )
        if is_durable and _owns(entry.get("fieldsV1") or {}, patch.steps(pointer)):
            return str(manager)
    return None


def _owns(fields: dict[str, Any], path: Sequence[str]) -> bool:
    for step in path:
        if f"f:{step}" in fields:
            fields = fields[f"f:{step}"]
            if not fields:
                return True
        else:
            return any(key[:2] in ("k:", "v:", "i:") for key in fields)
    return True


def it_will_help(prepared: Prepared, after: Raw, engine: Engine, decode: Decode) -> None:
    """With ``after`` in place the finding is gone, and no error or warning comes in its stead.

    Gone means known to be gone, unless the patch goes to another object, whose controller has yet to follow: then only
    the verification can tell.
    """
    try:
        patched = decode(after, prepared.fresh.target.kind.view)
    except msgspec.ValidationError as error:
        raise Closed(Propose(f"the patched object could not be read: {error}")) from None
    before, then = outlook(engine, prepared.fresh, patched)
    finding = prepared.finding
    now, later = ({other.id: other for other in findings(judgements)} for judgements in (before, then))
    if finding.id not in now:
        raise Closed(Propose("the patch changes nothing that the finding rests on"))
    if finding.id in later:
        raise Closed(Propose(f"the patch would not help: {later[finding.id].message}"))
    if prepared.fresh.target == finding.subject and _blurs(finding, before, then):
        raise Closed(Propose("after the patch it could not be known whether it holds"))
    for other in later.values():
        if other.severity is not Severity.INFO and _is_worse(other, now.get(other.id)):
            raise Closed(Propose(f"the patch would bring {other.invariant} about {other.subject}: {other.message}"))


def outlook(engine: Engine, fresh: Fresh, patched: View) -> tuple[list[Judgement], list[Judgement]]:
    """What the judgements that the patch touches say of the fresh object, and what they would say of the patched."""
    if fresh.view is None:
        with engine.inventory.overlaid(fresh.views):
            return engine.predict([patched])
    with engine.inventory.overlaid(fresh.views):
        with engine.inventory.overlaid([patched]):
            _, now = engine.predict([fresh.view])
        _, then = engine.predict([patched])
    return now, then


def _blurs(finding: Finding, before: Sequence[Judgement], then: Sequence[Judgement]) -> bool:
    """Whether the patch only makes the finding unknown."""

    def unknown(judgements: Iterable[Judgement]) -> set[str]:
        return {
            because
            for judgement in judgements
            if judgement.invariant.name == finding.invariant and named(judgement.subject) == finding.subject
            for because in judgement.unknown
        }

    return bool(unknown(then) - unknown(before))


def _is_worse(later: Finding, now: Finding | None) -> bool:
    return now is None or later.severity.rank < now.severity.rank


def last_manager(raw: Raw, since: float) -> str:
    """Who wrote the object last since a time, as far as ``managedFields`` tell; we and status writers left aside.

    Who only removed a field leaves no trace there.
    """
    written = {
        str(entry.get("manager")): parse_time(entry.get("time")) or 0.0
        for entry in raw["metadata"].get("managedFields") or ()
        if entry.get("manager") != FIELD_MANAGER and entry.get("subresource") != "status"
    }
    recent = {manager: time for manager, time in written.items() if time >= int(since)}
    return max(recent, key=lambda manager: recent[manager], default="somebody")
