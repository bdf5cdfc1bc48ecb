"""Every gate of the plan, closed."""

from __future__ import annotations

import msgspec
import pytest
from tests.remediation.stage import NOW, Stage

from platform_health.invariant import Severity
from platform_health.knowledge import KindState
from platform_health.remediation import guard, journal, plan
from platform_health.remediation.journal import Entry, Target
from platform_health.remediation.plan import Apply, Braked, Plan, Propose, Skip
from platform_health.views.argo import Application
from platform_health.views.monitoring import Prometheus, ServiceMonitor
from platform_health.views.platform import PAUSE_ANNOTATION

INVARIANT = "MonitorIsLabelled"


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.prometheus()
    return stage


def planned(stage: Stage, name: str = INVARIANT) -> Plan:
    stage.sync()
    situation = msgspec.structs.replace(stage.remediator._situation(), braked=stage.remediator.braked)
    made = [one for one in plan.plans(stage.sightings(), situation) if one.finding.invariant == name]
    assert len(made) == 1
    return made[0]


def entry(stage: Stage, number: int = 0, **changes: object) -> Entry:
    finding = next(finding for finding in stage.found if finding.invariant == INVARIANT)
    monitor = Target(api_version="monitoring.coreos.com/v1", kind="ServiceMonitor", namespace="llm", name="vllm")
    given = {
        "id": f"fix-{number}",
        "finding": finding.id,
        "invariant": INVARIANT,
        "object": monitor,
        "state": "Applied",
        "started": journal.stamp(NOW - 60 * number),
        "object_version": "generation 1",
        "report_generation": 1,
        **changes,
    }
    return Entry(**given)


def test_open(stage):
    stage.monitor()
    made = planned(stage)
    assert made.decision == Apply()
    assert made.report == "all"


# --- 1: allowed


@pytest.mark.parametrize("safety", ["unsafe", "manual"])
def test_not_safe(stage, safety):
    stage.monitor(annotations={"safety": safety})
    assert planned(stage).decision == Propose(f"the fix is {safety}, it is never applied unattended")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"mode": "Report"}, Skip("every report that shows it is in mode Report")),
        ({"mode": "Propose"}, Propose("no report that shows it is in mode Apply")),
        (
            {"allow": frozenset({"LabelIsHarmless"})},
            Propose("no report in mode Apply has MonitorIsLabelled in its allow list"),
        ),
    ],
)
def test_not_allowed(stage, changes, expected):
    stage.monitor()
    stage.policies = [stage.policy(**changes)]
    made = planned(stage)
    assert (made.decision, made.report) == (expected, "")


def test_out_of_scope(stage):
    stage.monitor()
    stage.policies = [stage.policy(covers=lambda ref: ref.namespace == "other")]
    assert isinstance(planned(stage).decision, Propose)


@pytest.mark.parametrize("where", ["report", "another report", "object", "namespace"])
def test_paused(stage, where):
    stage.monitor(annotations={PAUSE_ANNOTATION: "until Monday"} if where == "object" else {})
    annotations = {PAUSE_ANNOTATION: "until Monday"} if where == "namespace" else {}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "llm", "annotations": annotations}}
    stage.server.put(namespace)
    if where == "report":
        stage.policies = [stage.policy(paused="until Monday")]
    if where == "another report":
        stage.policies.append(stage.policy("other", mode="Propose", paused="until Monday"))
    decision = planned(stage).decision
    assert isinstance(decision, Skip)
    assert "paused" in decision.because
    assert "until Monday" in decision.because


def test_the_oldest_report_that_allows_it_owns_the_fix(stage):
    stage.monitor()
    stage.policies = [
        stage.policy("oldest", created="2026-01-01T00:00:00Z", mode="Propose"),
        stage.policy("younger", created="2026-03-01T00:00:00Z"),
        stage.policy("b", created="2026-02-01T00:00:00Z"),
        stage.policy("a", created="2026-02-01T00:00:00Z"),
    ]
    assert planned(stage).report == "a"


# --- 2: owned by no one else


@pytest.mark.parametrize(
    "metadata",
    [
        {"ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "x", "uid": "u", "controller": True}]},
        {"annotations": {"argocd.argoproj.io/tracking-id": "a:monitoring.coreos.com/ServiceMonitor:llm/vllm"}},
        {"labels": {"kustomize.toolkit.fluxcd.io/name": "a", "kustomize.toolkit.fluxcd.io/namespace": "b"}},
        {"labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": {"meta.helm.sh/release-name": "a"}},
        {"labels": {"olm.owner": "a"}},
    ],
)
def test_owned(stage, metadata):
    stage.monitor(**metadata)
    decision = planned(stage).decision
    assert isinstance(decision, Propose)
    assert "belongs to" in decision.because


def test_owner_unknown(stage):
    stage.monitor()
    stage.knowledge.set(Application.kind, KindState.FORBIDDEN)
    decision = planned(stage).decision
    assert isinstance(decision, Propose)
    assert "cannot be known whether Argo CD" in decision.because


def test_a_new_object_belongs_to_whom_its_neighbour_belongs(stage):
    stage.monitor(annotations={"wants-settings": ""}, labels={"olm.owner": "a"})
    assert isinstance(planned(stage, "SettingsExist").decision, Propose)


# --- 3: settled


def test_not_settled(stage):
    stage.monitor()
    stage.settle_seconds = 15
    assert planned(stage).decision == Skip("it has not settled yet")
    stage.clock.now += 15
    assert planned(stage).decision == Apply()


def test_needed_kind_not_read(stage):
    stage.monitor()
    stage.sync()
    stage.knowledge.set(Prometheus.kind, KindState.STALE)
    decision = planned(stage).decision
    assert isinstance(decision, Skip)
    assert "prometheuses" in decision.because


def test_kinds_that_are_never_requested_do_not_count(stage):
    stage.monitor()
    assert isinstance(planned(stage).decision, Apply)


# --- 8: bounded


def test_warming_up(stage):
    stage.monitor()
    stage.remediator = stage.new_leader(warm_up=120.0)
    assert planned(stage).decision == Skip("the operator has just started, 120 s are left")
    stage.clock.now += 120
    assert planned(stage).decision == Apply()


def test_braked(stage):
    stage.monitor()
    stage.remediator.braked["all"] = Braked(generation=1, because="everything broke")
    decision = planned(stage).decision
    assert isinstance(decision, Skip)
    assert "everything broke" in decision.because
    stage.policies = [stage.policy(generation=2)]
    assert planned(stage).decision == Apply()


async def test_breaker_open(stage):
    stage.monitor()
    stage.sync()
    for number in range(plan.BREAKER_COUNT):
        other = Target(
            api_version="monitoring.coreos.com/v1", kind="ServiceMonitor", namespace="llm", name=f"m{number}"
        )
        await stage.journal.record("all", entry(stage, number, state="Failed", object=other, finding=f"f{number}"))
    decision = planned(stage).decision
    assert isinstance(decision, Skip)
    assert "did not last" in decision.because
    stage.policies = [stage.policy(generation=2)]
    assert planned(stage).decision == Apply()


@pytest.mark.parametrize("state", ["Failed", "Contested", "Undone"])
async def test_unwanted_before(stage, state):
    stage.monitor()
    stage.sync()
    uid = stage.inventory.peek(ServiceMonitor.kind and stage.found[0].subject).metadata.uid
    target = msgspec.structs.replace(entry(stage).object, uid=uid)
    await stage.journal.record("all", entry(stage, state=state, object=target, message="why"))
    assert planned(stage).decision == Propose(f"fix fix-0 was {state.lower()}: why")
    await stage.journal.record("all", entry(stage, state=state, object=target, object_version="generation 0"))
    assert planned(stage).decision == Apply()


async def test_object_busy_across_restarts(stage):
    stage.monitor()
    stage.sync()
    await stage.journal.record("all", entry(stage, state="Applying", finding="another"))
    assert planned(stage).decision == Skip("another fix of ServiceMonitor llm/vllm is under way")


async def test_budget_spent_and_refilled(stage):
    stage.monitor()
    stage.policies = [stage.policy(max_fixes_per_hour=2)]
    stage.sync()
    for number in (1, 2):
        await stage.journal.record("all", entry(stage, number, finding="another"))
    assert planned(stage).decision == Skip("report all has used its 2 fixes of this hour")
    stage.clock.now += 3600 - 60
    assert planned(stage).decision == Apply()


async def test_no_budget_at_all(stage):
    stage.monitor()
    stage.policies = [stage.policy(max_fixes_per_hour=0)]
    assert isinstance(planned(stage).decision, Skip)


async def test_journal_full(stage):
    stage.monitor()
    stage.policies = [stage.policy(generation=2, max_fixes_per_hour=20)]
    stage.sync()
    old = journal.stamp(NOW - 7200)
    for number in range(journal.CAPACITY):
        await stage.journal.record("all", entry(stage, number, state="Contested", started=old, finding=f"f{number}"))
    decision = planned(stage).decision
    assert isinstance(decision, Skip)
    assert "need attention" in decision.because


# --- the journal


async def test_the_journal_keeps_what_is_needed(stage):
    stage.monitor()
    stage.sync()
    old = journal.stamp(NOW - 7200)
    await stage.journal.record("all", entry(stage, 0, state="Contested", started=old))
    for number in range(1, 40):
        await stage.journal.record("all", entry(stage, number, started=old))
    kept = stage.journal.entries("all")
    assert len(kept) == journal.CAPACITY
    assert (kept[0].id, kept[-1].id) == ("fix-0", "fix-39")


async def test_the_journal_keeps_an_intent_however_old(stage):
    stage.monitor()
    stage.sync()
    old = journal.stamp(NOW - 7200)
    await stage.journal.record("all", entry(stage, 0, state="Applying", started=old))
    for number in range(1, 40):
        await stage.journal.record("all", entry(stage, number, started=old))
    assert stage.journal.entries("all")[0].state == "Applying"


async def test_the_journal_lets_go_once_the_spec_changes(stage):
    stage.monitor()
    stage.sync()
    old = journal.stamp(NOW - 7200)
    await stage.journal.record("all", entry(stage, 0, state="Contested", started=old, object_version="generation 7"))
    for number in range(1, 40):
        await stage.journal.record("all", entry(stage, number, started=old))
    assert "fix-0" not in [kept.id for kept in stage.journal.entries("all")]


def test_an_entry_survives_a_status(stage):
    stage.monitor()
    stage.sync()
    before = entry(stage, inverse='[{"op":"test","path":"/a","value":null}]', message="x")
    assert journal.from_status(journal.to_status(before)) == before


def test_a_kind_without_generation_is_barred_by_its_content(stage):
    stage.monitor()
    stage.sync()
    raw = {"apiVersion": "v1", "metadata": {"name": "x", "uid": "u"}, "data": {"a": "b"}}
    target = Target(api_version="v1", kind="ConfigMap", name="x", uid="u")
    failed = entry(stage, state="Failed", object=target, object_version=journal.version(raw))
    assert journal.bars(failed, raw)
    assert not journal.bars(failed, {**raw, "data": {}})
    assert not journal.bars(failed, {**raw, "metadata": {"name": "x", "uid": "another"}})
    assert not journal.bars(msgspec.structs.replace(failed, state="Applied"), raw)
    finding = stage.found[0]
    fresh = guard.Fresh(target=finding.subject, raw=raw, view=None)
    with pytest.raises(guard.Closed, match="was failed"):
        guard.it_was_not_unwanted_before(finding, fresh, [failed])


def test_version_without_generation():
    raw = {"metadata": {"name": "x"}, "data": {"a": "b"}}
    assert journal.version(raw) == journal.version({**raw, "metadata": {"labels": {"a": "b"}}, "status": {}})
    assert journal.version(raw) != journal.version({**raw, "data": {"a": "c"}})


# --- the brake


def brake(stage: Stage, since: float = 0.0) -> str | None:
    stage.sync()
    return plan.mass_failure(stage.found, stage.inventory, stage.clock(), since)


def test_the_brake(stage):
    for number in range(20):
        stage.monitor(f"healthy-{number}", labels={"release": "main"})
    for number in range(5):
        stage.monitor(f"broken-{number}")
    assert brake(stage) is None, "5 of 25 are not more than a fifth"
    stage.monitor("broken-5")
    assert brake(stage) == "6 of 26 objects of kind ServiceMonitor became violated within a minute"


def test_the_brake_needs_five(stage):
    for number in range(4):
        stage.monitor(f"broken-{number}")
    assert brake(stage) is None


def test_the_brake_forgets_after_a_minute_and_before_the_start(stage):
    for number in range(6):
        stage.monitor(f"broken-{number}")
    assert brake(stage) is not None
    assert brake(stage, since=stage.clock() + 1) is None
    stage.clock.now += 61
    assert brake(stage) is None


def test_the_brake_ignores_what_was_violated_before_and_mere_infos(stage):
    for number in range(6):
        stage.monitor(f"broken-{number}")
    stage.sync()
    first = [msgspec.structs.replace(finding, first_seen=NOW - 100) for finding in stage.found]
    second = [msgspec.structs.replace(finding, id=f"{finding.id}x", first_seen=NOW) for finding in stage.found]
    assert plan.mass_failure([*first, *second], stage.inventory, NOW, 0.0) is None
    infos = [msgspec.structs.replace(finding, severity=Severity.INFO) for finding in second]
    assert plan.mass_failure(infos, stage.inventory, NOW, 0.0) is None
