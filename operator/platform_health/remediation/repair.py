"""The life of one fix: dry run, intent, patch, verification, and taking it back.

Whatever happens between two lines here (a crash, a lost answer, a new leader), the journal holds the intent from before
the patch, and :meth:`Repairs.settle` finds out from the object itself how far it came.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal, Protocol, TypeVar

import msgspec

from platform_health.connection import ApiError, Conflict, NotFound
from platform_health.engine import Engine
from platform_health.findings import Finding
from platform_health.remediation import guard, journal, patch
from platform_health.remediation.apply import Cluster, may_not, meaning
from platform_health.remediation.guard import Closed, Concern, Decode, Fresh, Prepared
from platform_health.remediation.journal import Entry, Journal, State, Target
from platform_health.remediation.patch import Operations, PatchError, Raw
from platform_health.remediation.plan import Propose, Skip
from platform_health.views.platform import GROUP, PlatformHealth
from platform_health.views.view import Ref, View

log = logging.getLogger(__name__)

VERIFY_SECONDS = 30.0
RETRY_SECONDS = 5.0
MAX_MESSAGE = 256

EventType = Literal["Normal", "Warning"]
Outcome = TypeVar("Outcome")


class Recorder(Protocol):
    """Where repairs are made known beside the journal. Neither may fail."""

    async def event(self, target: Target, kind: EventType, reason: str, note: str) -> None:
        """An Event on the object."""

    def count(self, invariant: str, outcome: str) -> None:
        """One more fix with this outcome: applied, failed, contested, undone or refused."""


class Silent:
    """A recorder that tells nobody."""

    async def event(self, target: Target, kind: EventType, reason: str, note: str) -> None:
        """Nothing."""

    def count(self, invariant: str, outcome: str) -> None:
        """Nothing."""


WaitUntilGone = Callable[[Concern, float], Awaitable[bool]]
"""Waits until the watch shows that a finding is gone, at most so many seconds; whether it is."""


class Repairs:
    """Carries out single fixes. Which ones is decided elsewhere."""

    def __init__(
        self,
        engine: Engine,
        cluster: Cluster,
        journal: Journal,
        decode: Decode,
        wait_until_gone: WaitUntilGone,
        *,
        recorder: Recorder,
        clock: Callable[[], float],
        verify_seconds: float = VERIFY_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._engine, self._cluster, self._journal, self._decode = engine, cluster, journal, decode
        self._wait_until_gone, self._recorder, self._clock = wait_until_gone, recorder, clock
        self._verify_seconds, self._retry_seconds = verify_seconds, retry_seconds

    # --- up to the patch ---------------------------------------------------------------------------------------

    async def ready(self, finding: Finding, target: Ref, entries: list[Entry]) -> Prepared:
        """The fix on the fresh object, past every gate up to and including the dry run; Closed otherwise."""
        fresh = await self._fresh(target, finding.subject)
        prepared = guard.prepare(finding, fresh, self._engine, entries, self._decode)
        async with self._translated(target):
            after, _ = await self._write(prepared, dry_run=True)
        guard.it_will_help(prepared, after, self._engine, self._decode)
        if fresh.raw is None:
            return msgspec.structs.replace(prepared, patched=after)
        undo = guard.undo_of(fresh.raw, prepared.patch, after)
        return msgspec.structs.replace(prepared, patched=after, undo=undo)

    async def _fresh(self, target: Ref, subject: Ref) -> Fresh:
        raw, view = await self._read(target)
        beside = await self._beside(subject) if subject != target else None
        return Fresh(target=target, raw=raw, view=view, subject=beside)

    async def _beside(self, subject: Ref) -> View | None:
        """The judged object where it is not the one to patch; what the watch knows of it where we may not ask."""
        try:
            raw = await self._cluster.get(subject, self._api_version(subject))
            return self._decode(raw, subject.kind.view)
        except NotFound:
            raise Closed(Skip(f"{subject} is gone")) from None
        except (ApiError, msgspec.ValidationError) as error:
            log.debug("%s is judged as the watch shows it: %s", subject, error)
            return self._engine.inventory.peek(subject)

    async def _read(self, ref: Ref) -> tuple[Raw | None, View | None]:
        async with self._translated(ref):
            try:
                raw = await self._cluster.get(ref, self._api_version(ref))
                return raw, self._decode(raw, ref.kind.view)
            except NotFound:
                return None, None
            except msgspec.ValidationError as error:
                raise Closed(Skip(f"{ref} cannot be read: {error}")) from None

    def _api_version(self, ref: Ref) -> str:
        view = self._engine.inventory.peek(ref)
        return (view.api_version if view is not None else "") or ref.kind.api_version

    @asynccontextmanager
    async def _translated(self, ref: Ref) -> AsyncIterator[None]:
        """Turns an error of a request before the patch into the answer of a gate."""
        try:
            yield
        except ApiError as error:
            match meaning(error):
                case "denied":
                    verb = "patch" if "PATCH" in str(error) else "get"
                    raise Closed(Propose(may_not(verb, ref))) from error
                case "refused":
                    raise Closed(Propose(f"the API server would refuse it: {error}")) from error
            raise Closed(Skip(str(error))) from error

    async def _write(self, prepared: Prepared, *, dry_run: bool) -> tuple[Raw, bool]:
        target, raw = prepared.fresh.target, prepared.fresh.raw
        if raw is None:
            assert prepared.fix.create is not None
            return await self._cluster.create(target, prepared.fix.create, dry_run=dry_run)
        operations = patch.identity_guards(raw) + patch.guarded(raw, prepared.patch)
        after = await self._cluster.patch(target, raw["apiVersion"], operations, dry_run=dry_run)
        return after, False

    # --- intent and patch --------------------------------------------------------------------------------------

    def intent(self, prepared: Prepared, report_generation: int) -> Entry:
        """The entry that stands in the journal before the patch."""
        finding, now = prepared.finding, self._clock()
        creates = prepared.fresh.raw is None
        target = journal.target(prepared.fresh.target.kind, prepared.fresh.raw or prepared.patched)
        return Entry(
            id=journal.entry_id(finding.id, now),
            finding=finding.id,
            invariant=finding.invariant,
            title=_short(prepared.fix.title),
            object=msgspec.structs.replace(target, uid="") if creates else target,
            subject=_subject(prepared),
            state="Applying",
            patch=patch.encoded(prepared.patch),
            inverse=patch.encoded(prepared.undo),
            created=creates,
            object_version=_version_of_subject(prepared) if creates else "",
            report_generation=report_generation,
            started=journal.stamp(now),
        )

    async def carry_out(self, report: str, entry: Entry, prepared: Prepared) -> None:
        """Patches, and stays until it is known whether it helped. The intent must stand in the journal.

        Raises Closed where the patch surely did not take place; then the intent is dropped again.
        """
        target = prepared.fresh.target
        try:
            after, created = await self._write(prepared, dry_run=False)
        except ApiError as error:
            if meaning(error) == "unknown":
                log.warning("fix %s: whether it took place is not known, reading %s: %s", entry.id, target, error)
                if not await self.settle(report, entry):
                    raise Closed(Skip(f"it did not take place: {error}")) from error
                return
            await self.drop(report, entry)
            self._recorder.count(entry.invariant, "refused")
            async with self._translated(target):
                raise
        if entry.created and not created:
            await self._end(report, entry, "Contested", f"{target} was created by somebody else in the same moment")
            return
        await self.verify(report, self._done(entry, prepared, after))

    def _done(self, entry: Entry, prepared: Prepared, after: Raw) -> Entry:
        target = journal.target(prepared.fresh.target.kind, after)
        if prepared.fresh.raw is None:
            return msgspec.structs.replace(entry, object=target)
        undo = patch.encoded(guard.undo_of(prepared.fresh.raw, prepared.patch, after))
        return msgspec.structs.replace(entry, object=target, inverse=undo, object_version=journal.version(after))

    # --- after the patch ---------------------------------------------------------------------------------------

    async def verify(self, report: str, entry: Entry) -> None:
        """Waits until the finding is gone; takes the fix back where it stays."""
        concern = _concern(entry)
        await self._record(report, entry)
        if await self._wait_until_gone(concern, self._verify_seconds) or await self._is_healed(concern, entry):
            await self._end(report, entry, "Applied", "")
        else:
            await self.take_back(report, entry)

    async def _is_healed(self, concern: Concern, entry: Entry) -> bool:
        """Whether the fresh object heals it: then only our watch is late."""
        target = entry.object.ref
        assert target is not None
        fresh = await self._persistently(lambda: self._reread(target, concern.subject))
        return fresh is not None and guard.is_healed(concern, fresh.views, self._engine)

    async def _reread(self, target: Ref, subject: Ref) -> Fresh | None:
        """The fresh objects once more; None where they cannot be had for good. ApiError where it is worth a retry."""
        try:
            raw = await self._cluster.get(target, self._api_version(target))
            view = self._decode(raw, target.kind.view)
            beside = await self._beside(subject) if subject != target else None
            return Fresh(target=target, raw=raw, view=view, subject=beside)
        except (msgspec.ValidationError, Closed):
            return None
        except ApiError as error:
            if meaning(error) in ("later", "unknown"):
                raise
            return None

    async def take_back(self, report: str, entry: Entry) -> None:
        """Applies the inverse of a fix that did not help."""
        try:
            after = await self._persistently(lambda: self._revert(entry))
        except PatchError as error:
            because = f"it did not help; not taken back, because the object was changed since: {error}"
            await self._end(report, entry, "Failed", because)
        except ApiError as error:
            await self._end(report, entry, "Failed", f"it did not help and could not be taken back: {error}")
        else:
            because = f"the finding was still there after {self._verify_seconds:g} s; the fix was taken back"
            await self._end(report, entry, "Failed", because, after)

    async def _revert(self, entry: Entry) -> Raw | None:
        """Reverts once. Done twice it does no harm: what is not there any more is not taken back."""
        ref, api_version = entry.object.ref, entry.object.api_version
        assert ref is not None
        if entry.created:
            await self._delete(ref, entry)
            return None
        raw = await self._cluster.get(ref, api_version)
        return await self._cluster.patch(ref, api_version, undo_operations(entry, raw), dry_run=False)

    async def _delete(self, ref: Ref, entry: Entry) -> None:
        try:
            await self._cluster.delete(ref, entry.object.api_version, entry.object.uid)
        except NotFound:
            log.info("fix %s: %s is gone already", entry.id, ref)
        except Conflict as error:
            raise PatchError(f"{ref} is another object than the one that was created: {error}") from error

    async def settle(self, report: str, entry: Entry) -> bool:
        """Finds out whether an intent took place: verifies it where it did, drops it where it did not."""
        done = await self._persistently(lambda: self._found(entry))
        if done is None:
            log.info("fix %s never took place", entry.id)
            await self.drop(report, entry)
            return False
        await self.verify(report, done)
        return True

    async def _found(self, entry: Entry) -> Entry | None:
        """The entry with the uid and version of the object that bears its fix; None where none does."""
        ref = entry.object.ref
        assert ref is not None
        try:
            raw = await self._cluster.get(ref, entry.object.api_version)
        except NotFound:
            return None
        if not bears(entry, raw):
            return None
        version = entry.object_version if entry.created else journal.version(raw)
        return msgspec.structs.replace(entry, object=journal.target(ref.kind, raw), object_version=version)

    async def revisit(self, report: str, entry: Entry) -> None:
        """An applied fix whose finding is back: was it reverted? Then it is contested, or undone by a person."""
        ref = entry.object.ref
        assert ref is not None
        try:
            raw = await self._cluster.get(ref, entry.object.api_version)
        except ApiError as error:
            log.info("fix %s: %s cannot be looked at: %s", entry.id, entry.object, error)
            return
        if raw["metadata"].get("uid") != entry.object.uid or bears(entry, raw):
            return
        if await self._is_undone(report, entry):
            await self._end(report, entry, "Undone", "platform-health undo took it back", raw)
        else:
            manager = guard.last_manager(raw, since=entry.started_at)
            await self._end(report, entry, "Contested", f"it was reverted by {manager}", raw)

    async def _is_undone(self, report: str, entry: Entry) -> bool:
        """Whether a person took it back on purpose; where the report cannot be read, that is not assumed."""
        kind = PlatformHealth.kind
        try:
            raw = await self._cluster.get(Ref(kind, "", report), kind.api_version)
        except ApiError as error:
            log.info("platformhealth %s cannot be read: %s", report, error)
            return False
        return entry.id in undone(raw)

    # --- telling -----------------------------------------------------------------------------------------------

    async def _end(self, report: str, entry: Entry, state: State, message: str, raw: Raw | None = None) -> None:
        ended = msgspec.structs.replace(
            entry,
            state=state,
            message=_short(message),
            ended=journal.stamp(self._clock()),
            object_version=journal.version(raw) if raw is not None else entry.object_version,
        )
        await self._record(report, ended)
        self._recorder.count(entry.invariant, state.lower())
        note = f"{entry.invariant}: {entry.title}" + (f"; {message}" if message else "")
        kind: EventType = "Normal" if state in ("Applied", "Undone") else "Warning"
        if state == "Applied":
            note += f"; undo it with: platform-health undo {entry.id}"
        await self._recorder.event(entry.object, kind, f"Fix{state}", note)

    async def _record(self, report: str, entry: Entry) -> None:
        """Writes down what has happened. It has happened, so this is tried until it succeeds."""
        while True:
            try:
                await self._journal.record(report, entry)
            except Exception as error:
                log.warning("fix %s cannot be recorded, will try again: %s", entry.id, error)
                await asyncio.sleep(self._retry_seconds)
            else:
                return

    async def drop(self, report: str, entry: Entry) -> None:
        """Drops an intent that never took place. Where that fails, the next leader finds out for itself."""
        try:
            await self._journal.forget(report, entry.id)
        except Exception as error:
            log.warning("fix %s never took place, but its intent is still recorded: %s", entry.id, error)

    async def _persistently(self, act: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Repeats what cannot be left half done until the API server answers; other errors are raised."""
        pause = self._retry_seconds
        while True:
            try:
                return await act()
            except ApiError as error:
                if meaning(error) not in ("later", "unknown", "changed"):
                    raise
                log.warning("will try again in %g s: %s", pause, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, 60.0)


def bears(entry: Entry, raw: Raw) -> bool:
    """Whether this is the object of the entry, and what the fix did stands in it."""
    uid = raw["metadata"].get("uid", "")
    if entry.object.uid and entry.object.uid != uid:
        return False
    if entry.created:
        return any(item.get("manager") == guard.FIELD_MANAGER for item in raw["metadata"].get("managedFields") or ())
    return patch.is_present(raw, entry.undo)


UNDONE_ANNOTATION = f"{GROUP}/undone"
"""On a report: the ids of the fixes that ``platform-health undo`` took back; a status would be rewritten."""


def undone(report: Raw) -> list[str]:
    """The ids of the fixes that a person took back, oldest first."""
    annotations = report["metadata"].get("annotations") or {}
    return str(annotations.get(UNDONE_ANNOTATION, "")).split()


def undo_operations(entry: Entry, raw: Raw) -> Operations:
    """The inverse of a fix for the object as it is now, guarded; PatchError where the fix does not stand there."""
    if raw["metadata"].get("uid") != entry.object.uid:
        raise PatchError(f"{entry.object} is another object than the one that was repaired")
    return patch.identity_guards(raw) + patch.taken_back(raw, entry.undo)


def _subject(prepared: Prepared) -> Target | None:
    """The object that the finding names, where it is another one than the target."""
    ref, view = prepared.finding.subject, prepared.fresh.subject
    if view is None:
        return None
    version = prepared.finding.api_version
    return Target(
        api_version=version, kind=ref.kind.name, namespace=ref.namespace, name=ref.name, uid=view.metadata.uid
    )


def _version_of_subject(prepared: Prepared) -> str:
    view = prepared.fresh.subject
    return f"generation {view.metadata.generation}" if view is not None else ""


def _concern(entry: Entry) -> Concern:
    subject = entry.judged.ref
    assert subject is not None
    return Concern(entry.finding, entry.invariant, subject)


def _short(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE else f"{text[: MAX_MESSAGE - 1]}…"
