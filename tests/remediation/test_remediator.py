"""Fixes from start to end against an API server in memory: what is done, what is refused, what survives."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from tests.remediation.stage import LABEL, Stage, refusal

from platform_health.connection import ApiError, Busy, Conflict, Forbidden, Invalid, Unreachable
from platform_health.invariant import Operation
from platform_health.knowledge import KindState
from platform_health.remediation import patch
from platform_health.remediation.guard import FIELD_MANAGER, Concern, durable_manager, is_healed
from platform_health.remediation.plan import Apply, Propose, Skip
from platform_health.remediation.repair import UNDONE_ANNOTATION
from platform_health.views.core import ConfigMap
from platform_health.views.monitoring import Prometheus
from platform_health.views.platform import PAUSE_ANNOTATION
from platform_health.views.view import Ref


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.prometheus()
    return stage


def decision(made, invariant="MonitorIsLabelled"):
    return next(one.decision for one in made if one.finding.invariant == invariant)


def relabel(stage: Stage, ref: Ref) -> Operation:
    return Operation("add", "/metadata/labels", {LABEL: "mine"})


def unlabel() -> Operation:
    return Operation("remove", "/metadata/labels")


# --- 6, 7, 9: applied, verified, recorded


async def test_healed(stage):
    ref = stage.monitor(labels={"app": "vllm"})
    before = stage.server.objects[ref]
    await stage.settle()
    after = stage.server.objects[ref]
    assert stage.labels(ref) == {"app": "vllm", LABEL: "main"}
    assert after["spec"] == before["spec"]
    assert stage.server.writes == [("patch", ref)]
    assert stage.states == ["Applied"]
    assert stage.found == []
    assert stage.notes.counts == [("MonitorIsLabelled", "applied")]
    assert [(about, reason) for about, reason, _ in stage.notes.events] == [("ServiceMonitor llm/vllm", "FixApplied")]
    assert f"platform-health undo {stage.entries[0].id}" in stage.notes.events[0][2]


async def test_the_intent_stands_before_the_patch(stage):
    stage.monitor()
    seen = []
    stage.server.before = lambda verb, ref: seen.append((verb, list(stage.states)))
    await stage.settle()
    assert seen == [("get", []), ("dry run", []), ("patch", ["Applying"])]


async def test_the_patch_is_guarded(stage):
    ref = stage.monitor()
    sent = []
    original = stage.server.patch

    async def spied(ref, api_version, operations, *, dry_run):
        sent.append((dry_run, operations))
        return await original(ref, api_version, operations, dry_run=dry_run)

    stage.server.patch = spied
    await stage.settle()
    assert [dry for dry, _ in sent] == [True, False]
    for _, operations in sent:
        uid, version = operations[:2]
        assert (uid.op, uid.path, uid.value) == ("test", "/metadata/uid", stage.server.objects[ref]["metadata"]["uid"])
        assert (version.op, version.path) == ("test", "/metadata/resourceVersion")
        assert operations[2:] == patch.guarded({"metadata": {}}, patch.unguarded(operations[2:]))


async def test_undone_by_its_own_inverse(stage):
    ref = stage.monitor()
    before = stage.server.objects[ref]["metadata"]
    await stage.settle()
    after = patch.applied(stage.server.objects[ref], stage.entries[0].undo)["metadata"]
    assert {**after, "resourceVersion": ""} == {**before, "resourceVersion": ""}


async def test_what_does_not_help_is_taken_back(stage):
    wrong = patch.encoded([Operation("add", f"/metadata/labels/{LABEL}", "main")])
    ref = stage.monitor(annotations={"patch": wrong})
    stage.watched = True
    stage.sync()

    def somebody_always_removes_the_label_from_our_view(verb, ref):
        stage.watched = False

    stage.server.after = somebody_always_removes_the_label_from_our_view
    heals = stage.remediator._repairs._is_healed

    async def never(concern, entry):
        await heals(concern, entry)
        return False

    stage.remediator._repairs._is_healed = never
    await stage.settle()
    assert stage.states == ["Failed"]
    assert stage.labels(ref) == {}
    assert [verb for verb, _ in stage.server.writes] == ["patch", "patch"]
    assert ("MonitorIsLabelled", "failed") in stage.notes.counts


async def test_a_late_watch_is_no_failure(stage):
    ref = stage.monitor()
    stage.sync()
    stage.server.after = lambda verb, ref: setattr(stage, "watched", False)
    await stage.settle()
    assert stage.states == ["Applied"]
    assert stage.labels(ref) == {LABEL: "main"}


async def test_a_failed_fix_that_was_changed_since_is_not_taken_back(stage):
    ref = stage.monitor()
    stage.sync()

    def after(verb, ref):
        stage.watched = False
        stage.server.after = lambda verb, ref: None
        stage.server.change(ref, Operation("replace", f"/metadata/labels/{LABEL}", "mine"))

    stage.server.after = after
    stage.remediator._repairs._is_healed = _never
    await stage.settle()
    assert stage.states == ["Failed"]
    assert "not taken back" in stage.entries[0].message
    assert stage.labels(ref) == {LABEL: "mine"}


async def _never(concern, entry):
    return False


async def test_unknown_is_not_healed(stage):
    stage.monitor()
    stage.sync()

    def after(verb, ref):
        stage.knowledge.set(Prometheus.kind, KindState.FORBIDDEN)
        stage.server.objects.pop(Ref(Prometheus.kind, "llm", "main"), None)

    stage.server.after = after
    await stage.settle()
    assert stage.found == []
    assert stage.states == ["Failed"]


# --- 4: predicted


async def test_a_patch_that_would_bring_another_finding_is_proposed(stage):
    ref = stage.monitor(annotations={"fragile": ""})
    asked = []
    stage.server.before = lambda verb, ref: asked.append(verb)
    await stage.settle()
    found = decision(await stage.look())
    assert isinstance(found, Propose)
    assert "would bring LabelIsHarmless" in found.because
    assert asked == ["get"], "the API server was asked although the prediction was bad"
    assert stage.server.writes == []
    assert stage.labels(ref) == {}


async def test_a_patch_that_would_not_help_is_proposed(stage):
    stage.monitor(annotations={"patch": patch.encoded([Operation("add", "/metadata/labels/other", "x")])})
    await stage.settle()
    found = decision(await stage.look())
    assert isinstance(found, Propose)
    assert "would not help" in found.because
    assert stage.server.writes == []


async def test_a_patch_after_which_nobody_knows_is_proposed(stage):
    stage.monitor(annotations={"patch": patch.encoded([Operation("add", f"/metadata/labels/{LABEL}", "unclear")])})
    await stage.settle()
    assert decision(await stage.look()) == Propose("after the patch it could not be known whether it holds")


async def test_nothing_is_healed_while_a_kind_cannot_be_read(stage):
    ref = stage.monitor(labels={LABEL: "main"})
    stage.sync()
    concern = Concern("id", "MonitorIsLabelled", ref)
    assert is_healed(concern, [], stage.engine)
    stage.knowledge.set(Prometheus.kind, KindState.STALE)
    assert not is_healed(concern, [], stage.engine)


async def test_a_patch_of_what_is_not_looked_at_is_proposed(stage):
    stage.monitor(annotations={"patch": patch.encoded([Operation("add", "/spec/unknownField", "x")])})
    await stage.settle()
    found = decision(await stage.look())
    assert isinstance(found, Propose)
    assert "nothing that the finding rests on" in found.because


async def test_a_patch_after_which_it_cannot_be_read_is_proposed(stage):
    stage.monitor(annotations={"patch": patch.encoded([Operation("add", "/metadata/labels", 5)])})
    await stage.settle()
    found = decision(await stage.look())
    assert isinstance(found, Propose)
    assert "could not be read" in found.because


# --- 3: judged on a fresh object


async def test_healed_by_somebody_in_between(stage):
    ref = stage.monitor()
    stage.sync()
    stage.watched = False
    stage.server.change(ref, relabel(stage, ref))
    await stage.settle()
    assert decision(await stage.look()) == Skip("it is no longer violated")
    assert stage.server.writes == []


async def test_replaced_in_between(stage):
    ref = stage.monitor()
    stage.sync()
    stage.watched = False
    del stage.server.objects[ref]
    stage.monitor()
    await stage.settle()
    assert "another object" in decision(await stage.look()).because
    assert stage.server.writes == []


async def test_deleted_in_between(stage):
    ref = stage.monitor()
    stage.sync()
    stage.watched = False
    del stage.server.objects[ref]
    await stage.settle()
    assert decision(await stage.look()) == Skip("ServiceMonitor llm/vllm is gone")


async def test_going_away_in_between(stage):
    ref = stage.monitor()
    stage.sync()
    stage.watched = False
    stage.server.change(ref, Operation("add", "/metadata/deletionTimestamp", "2026-01-01T00:00:00Z"))
    await stage.settle()
    assert decision(await stage.look()) == Skip("ServiceMonitor llm/vllm is being deleted")


async def test_taken_over_in_between(stage):
    ref = stage.monitor()
    stage.sync()
    stage.watched = False
    stage.server.change(ref, Operation("add", "/metadata/labels", {"olm.owner": "x"}))
    await stage.settle()
    assert "belongs to OLM" in decision(await stage.look()).because
    assert stage.server.writes == []


async def test_paused_in_between(stage):
    ref = stage.monitor()
    stage.sync()
    stage.watched = False
    stage.server.change(ref, Operation("add", "/metadata/annotations", {PAUSE_ANNOTATION: ""}))
    await stage.settle()
    assert "paused" in decision(await stage.look()).because


async def test_made_unsafe_in_between(stage):
    ref = stage.monitor()
    stage.sync()
    stage.watched = False
    stage.server.change(ref, Operation("add", "/metadata/annotations", {"safety": "unsafe"}))
    await stage.settle()
    assert decision(await stage.look()) == Skip("the fix is another one by now")


async def test_the_patch_of_the_fresh_object_is_applied(stage):
    """Positions in a list may have moved between the judgement and the GET."""
    ref = stage.monitor()
    stage.sync()
    stage.watched = False
    other = patch.encoded([Operation("add", f"/metadata/labels/{LABEL}", "fresh")])
    stage.server.change(ref, Operation("add", "/metadata/annotations", {"patch": other}))
    await stage.look()
    stage.watched = True
    await stage.settle()
    assert stage.labels(ref) == {LABEL: "fresh"}


# --- between the last look and the patch


async def test_a_conflicting_write_is_not_overwritten(stage):
    ref = stage.monitor()

    def before(verb, asked):
        if verb == "patch":
            stage.server.before = lambda verb, ref: None
            stage.server.change(ref, Operation("add", "/metadata/labels", {"theirs": "kept"}))

    stage.server.before = before
    await stage.settle()
    assert stage.notes.counts == [("MonitorIsLabelled", "refused"), ("MonitorIsLabelled", "applied")]
    assert stage.labels(ref) == {"theirs": "kept", LABEL: "main"}


@pytest.mark.parametrize("change", ["mode", "pause", "gone", "leader"])
async def test_a_change_of_mind_during_the_dry_run(stage, change):
    stage.monitor()

    def before(verb, ref):
        if verb != "dry run":
            return
        if change == "mode":
            stage.remediator._sightings = (
                msgspec.structs.replace(stage.sightings()[0], policy=stage.policy(mode="Propose")),
            )
        elif change == "pause":
            stage.remediator._sightings = (
                msgspec.structs.replace(stage.sightings()[0], policy=stage.policy(paused="")),
            )
        elif change == "gone":
            stage.remediator._sightings = ()
        else:
            stage.remediator.paused = True

    stage.server.before = before
    await stage.look()
    await stage.remediator.idle()
    assert stage.server.writes == []
    assert stage.states == []


async def test_a_change_of_mind_while_the_intent_is_written(stage):
    stage.monitor()
    record = stage.journal.record

    async def slow(report, entry):
        await record(report, entry)
        stage.remediator._sightings = (msgspec.structs.replace(stage.sightings()[0], policy=stage.policy(paused="")),)

    stage.journal.record = slow
    await stage.look()
    await stage.remediator.idle()
    assert stage.server.writes == []
    assert stage.states == []


async def test_an_intent_that_cannot_be_written_stops_the_patch(stage):
    stage.monitor()

    async def broken(report, entry):
        raise RuntimeError("the status is too large")

    stage.journal.record = broken
    await stage.settle()
    assert stage.server.writes == []
    assert "could not be recorded" in decision(await stage.look()).because


# --- 5 and errors


async def test_the_dry_run_is_refused(stage):
    stage.monitor()
    stage.server.before = refusal("dry run", Invalid, text="PATCH: spec.endpoints: Required value")
    await stage.settle()
    found = decision(await stage.look())
    assert isinstance(found, Propose)
    assert "Required value" in found.because
    assert stage.server.writes == []
    assert stage.states == []


async def test_admission_is_asked_what_it_makes_of_it(stage):
    """A webhook that turns the patch into something else is seen in the dry run."""
    stage.monitor()
    original = stage.server.patch

    async def mutating(ref, api_version, operations, *, dry_run):
        after = await original(ref, api_version, operations, dry_run=dry_run)
        del after["metadata"]["labels"]
        return after

    stage.server.patch = mutating
    await stage.settle()
    assert isinstance(decision(await stage.look()), Propose)
    assert stage.server.writes == []


async def test_forbidden_names_the_remediation_role(stage):
    stage.monitor()
    stage.server.before = refusal("dry run", Forbidden)
    await stage.settle()
    found = decision(await stage.look())
    assert isinstance(found, Propose)
    assert "may not patch servicemonitors.monitoring.coreos.com" in found.because
    assert "remediation role" in found.because


async def test_it_rests_after_a_no_and_not_longer_than_that(stage):
    stage.monitor()
    asked = []
    refuse = refusal("dry run", Forbidden)

    def before(verb, ref):
        asked.append(verb)
        refuse(verb, ref)

    stage.server.before = before
    await stage.settle()
    await stage.settle()
    assert asked == ["get", "dry run"]
    assert stage.remediator.next_change == stage.clock() + 300
    stage.clock.now += 300
    await stage.settle()
    assert stage.states == ["Applied"]


async def test_a_change_of_the_object_ends_the_rest(stage):
    ref = stage.monitor()
    stage.server.before = refusal("dry run", Forbidden)
    await stage.settle()
    stage.server.change(ref, Operation("add", "/metadata/labels", {"theirs": "x"}))
    await stage.settle()
    assert stage.states == ["Applied"]


@pytest.mark.parametrize("error", [Conflict, Busy])
async def test_a_write_that_surely_failed_leaves_no_trace(stage, error):
    stage.monitor()
    stage.server.before = refusal("patch", error, text="x") if error is Conflict else _too_many()
    await stage.settle()
    assert stage.states == []
    assert ("MonitorIsLabelled", "refused") in stage.notes.counts


def _too_many():
    def before(verb, ref):
        if verb == "patch":
            raise Busy("slow down", status=429)

    return before


async def test_a_lost_answer_to_a_write_that_took_place(stage):
    ref = stage.monitor()
    _lose_the_first_answer(stage)
    await stage.settle()
    assert stage.states == ["Applied"]
    assert stage.labels(ref) == {LABEL: "main"}
    assert [verb for verb, _ in stage.server.writes] == ["patch"]


def _lose_the_first_answer(stage):
    def after(verb, ref):
        stage.server.after = lambda verb, ref: None
        raise Unreachable("connection reset")

    stage.server.after = after


async def test_a_lost_answer_to_a_write_that_did_not(stage):
    stage.monitor()
    stage.server.before = refusal("patch", Unreachable)
    await stage.settle()
    assert stage.states == []
    assert stage.server.writes == []


async def test_the_api_server_comes_back_later(stage):
    stage.monitor()
    _lose_the_first_answer(stage)
    lost = refusal("get", Unreachable, times=3)
    calls = []

    def before(verb, ref):
        calls.append(verb)
        if "patch" in calls:
            lost(verb, ref)

    stage.server.before = before
    await stage.settle(turns=200)
    assert stage.states == ["Applied"]


# --- contested


async def test_reverted_is_contested_and_never_fought(stage):
    ref = stage.monitor()
    await stage.settle()
    stage.server.change(ref, unlabel())
    await stage.settle()
    assert stage.states == ["Contested"]
    assert "reverted by somebody" in stage.entries[0].message
    stage.clock.now += 100_000
    await stage.settle()
    assert [verb for verb, _ in stage.server.writes] == ["patch"]
    assert "contested" in decision(await stage.look()).because


async def test_contested_is_tried_again_once_the_spec_changes(stage):
    ref = stage.monitor()
    await stage.settle()
    stage.server.change(ref, unlabel())
    await stage.settle()
    stage.clock.now += 1
    stage.server.change(ref, Operation("replace", "/spec/selector", {}))
    await stage.settle()
    assert stage.states == ["Contested", "Applied"]


async def test_contested_without_a_generation_is_known_by_the_content(stage):
    stage.server.has_generations = False
    ref = stage.monitor()
    await stage.settle()
    stage.server.change(ref, unlabel())
    await stage.settle()
    stage.clock.now += 1000
    assert "was contested" in decision(await stage.settle()).because
    assert len(stage.server.writes) == 1
    stage.server.change(ref, Operation("replace", "/spec/selector", {}))
    await stage.settle()
    assert stage.states == ["Contested", "Applied"]


async def test_the_one_who_reverted_is_named(stage):
    ref = stage.monitor()
    await stage.settle()
    managed = [{"manager": "argocd-controller", "operation": "Apply", "time": "2099-01-01T00:00:00Z"}]
    stage.server.change(ref, unlabel(), Operation("add", "/metadata/managedFields", managed))
    await stage.settle()
    assert stage.entries[0].message == "it was reverted by argocd-controller"


async def test_undone_by_a_person_is_not_done_again(stage):
    ref = stage.monitor()
    await stage.settle()
    annotations = {UNDONE_ANNOTATION: f"another {stage.entries[0].id}"}
    stage.server.put(
        {
            "apiVersion": "platformhealth.dev/v1alpha1",
            "kind": "PlatformHealth",
            "metadata": {"name": "all", "annotations": annotations},
        }
    )
    stage.server.change(ref, unlabel())
    await stage.settle()
    await stage.settle()
    assert stage.states == ["Undone"]
    assert len(stage.server.writes) == 1


async def test_a_new_object_of_the_same_name_is_repaired_anew(stage):
    ref = stage.monitor()
    await stage.settle()
    del stage.server.objects[ref]
    stage.clock.now += 60
    stage.monitor()
    for _ in range(3):
        await stage.settle()
    assert stage.states == ["Applied", "Applied"]


async def test_violated_anew_with_the_fix_still_there_is_no_contest(stage):
    ref = stage.monitor(annotations={"patch": patch.encoded([Operation("add", f"/metadata/labels/{LABEL}", "main")])})
    await stage.settle()
    fixed = stage.entries[0]
    assert fixed.state == "Applied"
    finding = msgspec.structs.replace(_finding_like(stage, ref), id=fixed.finding)
    await stage.remediator.consider([finding], [])
    await stage.remediator.idle()
    assert stage.states == ["Applied"]


def _finding_like(stage, ref):
    other = stage.monitor("other")
    stage.sync()
    return msgspec.structs.replace(stage.found[0], subject=ref) if other else stage.found[0]


# --- crashes


async def test_a_crash_before_the_patch_is_forgotten(stage):
    stage.monitor()
    await _crash(stage, "before")
    assert stage.states == ["Applying"]
    stage.remediator = stage.new_leader()
    stage.remediator.recover(["all"])
    await stage.settle()
    await stage.settle()
    assert stage.states == ["Applied"]
    assert len(stage.server.writes) == 1


async def test_a_crash_after_the_patch_is_verified(stage):
    ref = stage.monitor()
    await _crash(stage, "after")
    assert stage.states == ["Applying"]
    assert stage.labels(ref) == {LABEL: "main"}
    stage.remediator = stage.new_leader()
    stage.remediator.recover(["all"])
    await stage.settle()
    assert stage.states == ["Applied"]
    assert len(stage.server.writes) == 1


async def test_nothing_is_verified_before_the_first_look(stage):
    stage.monitor()
    await _crash(stage, "after")
    stage.remediator = stage.new_leader(verify_seconds=5.0)
    stage.remediator.recover(["all"])
    await asyncio.sleep(0.05)
    assert stage.states == ["Applying"]
    await stage.settle()
    assert stage.states == ["Applied"]


async def _crash(stage: Stage, when: str) -> None:
    """Ends the process just before or after the patch, as far as that can be played."""

    def crash(verb, ref):
        if verb == "patch":
            raise asyncio.CancelledError

    setattr(stage.server, when, crash)
    await stage.look()
    await stage.remediator.idle()
    await stage.remediator.close()
    setattr(stage.server, when, lambda verb, ref: None)


async def test_budgets_survive_a_restart(stage):
    stage.policies = [stage.policy(max_fixes_per_hour=1)]
    stage.monitor("a")
    await stage.settle()
    stage.remediator = stage.new_leader()
    stage.monitor("b")
    await stage.settle()
    assert len(stage.server.writes) == 1


# --- 8: bounded


async def test_a_budget_holds_however_many_start_at_once(stage):
    stage.policies = [stage.policy(max_fixes_per_hour=3)]
    for number in range(4):
        stage.monitor(f"m{number}")
    await stage.settle()
    assert len(stage.server.writes) == 3


async def test_a_budget_holds_while_intents_are_slow_to_write(stage):
    stage.policies = [stage.policy(max_fixes_per_hour=2)]
    record = stage.journal.record

    async def slow(report, entry):
        await asyncio.sleep(0.01)
        await record(report, entry)

    stage.journal.record = slow
    for number in range(4):
        stage.monitor(f"m{number}")
    await stage.settle()
    assert len(stage.server.writes) == 2


async def test_one_fix_per_object_at_a_time(stage):
    ref = stage.monitor(annotations={"wants-settings": ""})
    await stage.look()
    assert len(stage.remediator.busy) == 2
    await stage.settle()
    assert sorted(verb for verb, _ in stage.server.writes) == ["create", "patch"]
    again = await stage.look()
    assert ref not in stage.remediator.busy
    assert again == []


async def test_the_brake_stays_on_until_a_person_acts(stage):
    for number in range(6):
        stage.monitor(f"m{number}")
    await stage.settle()
    assert stage.server.writes == []
    assert set(stage.remediator.braked) == {"all"}
    stage.clock.now += 3600
    await stage.settle()
    assert stage.server.writes == []
    restarted = stage.new_leader(braked=stage.remediator.braked)
    stage.remediator = restarted
    await stage.settle()
    assert stage.server.writes == []
    stage.policies = [stage.policy(generation=2)]
    await stage.settle()
    assert len(stage.server.writes) == 6


async def test_a_long_inverse_is_never_applied_unattended(stage):
    stage.monitor()
    long = patch.encoded([Operation("add", f"/metadata/labels/{LABEL}", "x" * 5000)])
    stage.monitor("long", annotations={"patch": long})
    await stage.settle()
    found = {one.finding.subject.name: one.decision for one in await stage.look()}
    assert "bytes" in found["long"].because
    assert len(stage.server.writes) == 1


@pytest.mark.parametrize(
    "operation",
    [
        Operation("add", "/spec/template/spec/containers/0/env/-", {"name": "A"}),
        Operation("add", "/spec/template/spec/containers/0/args", ["--x"]),
        Operation("add", "/spec/template", {"containers": [{"command": ["x"]}]}),
    ],
)
async def test_environment_and_arguments_are_never_touched_unattended(stage, operation):
    stage.monitor(annotations={"patch": patch.encoded([operation])})
    await stage.settle()
    assert "never done unattended" in decision(await stage.look()).because


async def test_a_label_called_env_is_only_a_label(stage):
    operations = [Operation("add", f"/metadata/labels/{LABEL}", "x"), Operation("add", "/metadata/labels/env", "prod")]
    ref = stage.monitor(annotations={"patch": patch.encoded(operations)})
    await stage.settle()
    assert stage.labels(ref) == {LABEL: "x", "env": "prod"}


async def test_paused_starts_nothing(stage):
    stage.monitor()
    stage.remediator.paused = True
    assert decision(await stage.look()) == Skip("repairs are paused")
    assert not stage.remediator.busy


# --- contested fields


def managed(manager: str, fields: dict, operation: str = "Update", **more: str) -> list[dict]:
    return [{"manager": manager, "operation": operation, "fieldsV1": fields, **more}]


LABELS = {"f:metadata": {"f:labels": {".": {}, "f:release": {}}}}


@pytest.mark.parametrize(
    ("entries", "pointer", "expected"),
    [
        (managed("argocd-controller", LABELS), "/metadata/labels/release", "argocd-controller"),
        (managed("argocd-controller", LABELS), "/metadata/labels/other", None),
        (managed("argocd-controller", LABELS), "/metadata/labels", "argocd-controller"),
        (managed("argocd-controller", {"f:spec": {"f:list": {}}}), "/spec/list/0/x", "argocd-controller"),
        (managed("kustomize-controller", {"f:spec": {"f:l": {'k:{"a":1}': {}}}}), "/spec/l/-", "kustomize-controller"),
        (managed("some-operator", LABELS, "Apply"), "/metadata/labels/release", "some-operator"),
        (managed("some-operator", LABELS), "/metadata/labels/release", None),
        (managed("kubectl", LABELS, "Apply"), "/metadata/labels/release", None),
        (managed(FIELD_MANAGER, LABELS, "Apply"), "/metadata/labels/release", None),
        (managed("argocd-controller", LABELS, subresource="status"), "/metadata/labels/release", None),
        ([], "/metadata/labels/release", None),
    ],
)
def test_durable_manager(entries, pointer, expected):
    assert durable_manager({"metadata": {"managedFields": entries}}, pointer) == expected


async def test_a_field_of_a_gitops_controller_is_proposed(stage):
    stage.monitor(managedFields=managed("argocd-controller", LABELS))
    await stage.settle()
    assert "managed by argocd-controller" in decision(await stage.look()).because
    assert stage.server.writes == []


# --- new objects


async def test_created_and_recorded(stage):
    stage.monitor(annotations={"wants-settings": ""}, labels={LABEL: "main"})
    settings = Ref(ConfigMap.kind, "llm", "vllm")
    await stage.settle()
    assert stage.server.objects[settings]["data"] == {"a": "b"}
    entry = stage.entries[0]
    assert (entry.state, entry.created, entry.object.uid) == (
        "Applied",
        True,
        stage.server.objects[settings]["metadata"]["uid"],
    )


async def test_an_object_that_may_not_be_asked_for_is_judged_as_the_watch_shows_it(stage):
    ref = stage.monitor(annotations={"wants-settings": ""}, labels={LABEL: "main"})

    def before(verb, asked):
        if verb == "get" and asked == ref:
            raise Forbidden("GET: no", status=403)

    stage.server.before = before
    await stage.settle()
    assert stage.states == ["Applied"]


async def test_an_object_that_is_gone_needs_nothing_new_beside_it(stage):
    ref = stage.monitor(annotations={"wants-settings": ""}, labels={LABEL: "main"})
    stage.sync()
    stage.watched = False
    del stage.server.objects[ref]
    await stage.settle()
    assert decision(await stage.look(), "SettingsExist") == Skip("ServiceMonitor llm/vllm is gone")


async def test_a_new_object_that_exists_by_now_is_left_alone(stage):
    stage.monitor(annotations={"wants-settings": ""}, labels={LABEL: "main"})
    stage.sync()
    stage.watched = False
    stage.server.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "vllm", "namespace": "llm"}})
    await stage.settle()
    assert decision(await stage.look(), "SettingsExist") == Skip("ConfigMap llm/vllm exists by now")


async def test_a_new_object_that_somebody_makes_in_the_same_moment(stage):
    stage.monitor(annotations={"wants-settings": ""}, labels={LABEL: "main"})
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "vllm", "namespace": "llm"}}

    def before(verb, ref):
        if verb == "create":
            stage.server.put(theirs)

    stage.server.before = before
    await stage.settle()
    assert stage.states == ["Contested"]


async def test_a_new_object_that_does_not_help_is_deleted_and_not_made_again(stage):
    stage.monitor(annotations={"wants-settings": ""}, labels={LABEL: "main"})
    stage.sync()
    stage.server.after = lambda verb, ref: setattr(stage, "watched", False)
    stage.remediator._repairs._is_healed = _never
    await stage.settle()
    assert stage.states == ["Failed"]
    assert [verb for verb, _ in stage.server.writes] == ["create", "delete"]
    stage.clock.now += 10_000
    stage.watched = True
    assert "failed" in decision(await stage.settle(), "SettingsExist").because


async def test_apply_is_what_the_plan_says_when_a_fix_starts(stage):
    stage.monitor()
    assert decision(await stage.look()) == Apply()
    await stage.settle()


async def test_the_loop_is_woken_when_a_fix_ends(stage):
    woken = []
    stage.remediator = stage.new_leader(wake=lambda: woken.append(True))
    stage.monitor()
    await stage.settle()
    assert woken


async def test_an_error_of_ours_does_not_stop_the_others(stage, caplog):
    stage.monitor("a")
    stage.monitor("b")

    def before(verb, ref):
        if ref.name == "a":
            raise ZeroDivisionError

    stage.server.before = before
    await stage.settle()
    assert [ref.name for _, ref in stage.server.writes] == ["b"]
    assert "ended in an error" in caplog.text


def test_errors_have_one_meaning():
    from platform_health.remediation.apply import meaning

    assert meaning(ApiError("teapot", status=418)) == "refused"
    assert meaning(Busy("x", status=503)) == "unknown"
    assert meaning(Forbidden("admission webhook denied the request", status=403)) == "refused"
