"""The engine: incremental judging equals judging from scratch, and a change re-judges only what it touches."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from platform_health.engine import Engine
from platform_health.invariant import ERROR, Invariant, Violation
from platform_health.invariants import discover
from platform_health.inventory import Inventory, Unknown
from platform_health.knowledge import ClusterKnowledge, KindState
from platform_health.views.core import ConfigMap, Namespace, Pod, PodSpec, Service, ServicePort, ServiceSpec
from platform_health.views.gateway import BackendRef, HTTPRoute, RouteSpec, Rule
from platform_health.views.kinds import KINDS
from platform_health.views.view import LabelSelector, Metadata, View


def everything_read() -> ClusterKnowledge:
    knowledge = ClusterKnowledge()
    for kind in KINDS:
        knowledge.set(kind, KindState.SYNCED)
    return knowledge


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def declare(judge, severity=ERROR, needs=()):
    return Invariant(judge, severity, "", needs, "configuration", ())


def service_selects_pods(service: Service, inventory: Inventory) -> Iterator[Violation]:
    """A Service selects pods."""
    if service.selector and not inventory.selected(Pod, service.namespace, service.selector):
        yield Violation(at="spec.selector", because=f"{service.ref} selects no pod")


def service_is_old(service: Service, inventory: Inventory) -> Iterator[Violation]:
    """A Service is younger than a minute."""
    if inventory.lasted(service.metadata.creation_timestamp, 60):
        yield Violation(at="metadata", because="old")


def service_has_settings(service: Service, inventory: Inventory) -> Iterator[Violation]:
    """A Service has settings, and its namespace a label."""
    if inventory.named(ConfigMap, service.namespace, service.name) is None:
        yield Violation(at="metadata.name", because="no settings")
    with inventory.part():
        raise Unknown("never known")
    with inventory.part():
        if inventory.named(Namespace, "", service.namespace) is None:
            yield Violation(at="metadata.namespace", because="no namespace")


def pod(name: str, labels: dict[str, str], namespace: str = "a") -> Pod:
    return Pod(metadata=Metadata(name=name, namespace=namespace, labels=labels), spec=PodSpec())


def service(name: str, selector: dict[str, str], namespace: str = "a", created: str | None = None) -> Service:
    return Service(
        metadata=Metadata(name=name, namespace=namespace, creation_timestamp=created),
        spec=ServiceSpec(selector=selector, ports=(ServicePort(port=80),)),
    )


@pytest.fixture
def engine() -> Engine:
    inventory = Inventory(everything_read(), Clock())
    return Engine(inventory, [declare(service_selects_pods, needs=(Pod,))])


def test_a_change_judges_only_who_read_it(engine: Engine) -> None:
    for number in range(50):
        engine.inventory.put(service(f"s{number}", {"app": f"{number}"}))
        engine.inventory.put(pod(f"p{number}", {"app": f"{number}"}))
    engine.refresh()
    assert engine.judged == 50
    engine.inventory.put(pod("another", {"app": "7"}))
    engine.refresh()
    assert engine.judged == 51


def test_what_was_looked_for_and_not_found_is_a_read(engine: Engine) -> None:
    engine.inventory.put(service("s", {"app": "x"}))
    engine.refresh()
    assert engine.notable
    engine.inventory.put(pod("p", {"app": "x"}))
    assert engine.refresh()
    assert not engine.notable


def test_an_equal_view_touches_nothing(engine: Engine) -> None:
    engine.inventory.put(service("s", {"app": "x"}))
    engine.inventory.put(pod("p", {"app": "x"}))
    engine.refresh()
    judged = engine.judged
    assert not engine.inventory.put(pod("p", {"app": "x"}))
    assert not engine.refresh()
    assert engine.judged == judged


def test_a_removed_subject_leaves_nothing_behind(engine: Engine) -> None:
    view = service("s", {"app": "x"})
    engine.inventory.put(view)
    engine.refresh()
    engine.inventory.remove(view.ref)
    assert engine.refresh()
    assert not engine.notable
    assert engine.size == 0
    assert not engine._readers


def test_an_object_on_its_way_out_is_not_judged(engine: Engine) -> None:
    view = service("s", {"app": "x"})
    going = msgspec.structs.replace(view.metadata, deletion_timestamp="2026-01-01T00:00:00Z")
    engine.inventory.put(msgspec.structs.replace(view, metadata=going))
    engine.refresh()
    assert not engine.notable


def test_ages_recheck_themselves() -> None:
    clock = Clock()
    clock.now = 1_767_225_600.0
    engine = Engine(Inventory(everything_read(), clock), [declare(service_is_old)])
    engine.inventory.put(service("s", {}, created="2026-01-01T00:00:00Z"))
    engine.refresh()
    assert not engine.notable
    assert engine.next_recheck == clock.now + 60
    clock.now += 61
    assert engine.refresh()
    assert engine.notable


def test_parts_are_judged_independently() -> None:
    engine = Engine(
        Inventory(everything_read(), Clock()), [declare(service_has_settings, needs=(ConfigMap, Namespace))]
    )
    engine.inventory.put(service("s", {}))
    engine.refresh()
    (judgement,) = engine.notable.values()
    assert [violation.because for violation in judgement.violations] == ["no settings", "no namespace"]
    assert judgement.unknown == ("never known",)


def test_a_crash_is_unknown_and_stops_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    def crashes(subject: Service, inventory: Inventory) -> Iterator[Violation]:
        """Crashes."""
        yield Violation(at="metadata", because="said before the crash")
        raise ZeroDivisionError

    engine = Engine(Inventory(everything_read(), Clock()), [declare(crashes), declare(service_selects_pods)])
    engine.inventory.put(service("s", {"app": "x"}))
    engine.refresh()
    verdicts = {judgement.invariant.name: judgement for judgement in engine.notable.values()}
    assert len(verdicts["Crashes"].violations) == 1
    assert "failed" in verdicts["Crashes"].unknown[0]
    assert verdicts["ServiceSelectsPods"].violations


def test_a_kind_that_may_not_be_read_is_unknown_and_heals() -> None:
    knowledge = everything_read()
    knowledge.set(Pod.kind, KindState.FORBIDDEN)
    inventory = Inventory(knowledge, Clock())
    engine = Engine(inventory, [declare(service_selects_pods, needs=(Pod,))])
    inventory.put(service("s", {"app": "x"}))
    engine.refresh()
    (judgement,) = engine.notable.values()
    assert not judgement.violations
    assert judgement.unknown
    knowledge.set(Pod.kind, KindState.SYNCED)
    inventory.touch_kind(Pod.kind)
    assert engine.refresh()
    (judgement,) = engine.notable.values()
    assert judgement.violations


def test_prediction_changes_nothing(engine: Engine) -> None:
    engine.inventory.put(service("s", {"app": "x"}))
    engine.refresh()
    before, after = engine.predict([pod("p", {"app": "x"})])
    assert [judgement.invariant.name for judgement in before] == ["ServiceSelectsPods"]
    assert after == []
    assert engine.notable
    assert not engine.refresh()
    assert engine.inventory.peek(pod("p", {}).ref) is None


def test_selectors_with_expressions_are_reads_too(engine: Engine) -> None:
    selector = LabelSelector(match_labels={"app": "x"})
    with engine.inventory.recording() as reads:
        engine.inventory.selected(Pod, "a", selector)
    assert ("term", Pod.kind, "a", "app=x") in reads.tokens


NAMES = st.sampled_from(["one", "two", "three"])
NAMESPACES = st.sampled_from(["a", "b"])
LABELS = st.fixed_dictionaries({"app": NAMES})


class Incremental(RuleBasedStateMachine):
    """Any sequence of changes, judged step by step, equals judging the final state from scratch."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[object, View] = {}
        self.inventory = Inventory(everything_read(), Clock())
        self.engine = Engine(self.inventory, discover())

    def put(self, view: View) -> None:
        self.objects[view.ref] = view
        self.inventory.put(view)

    @rule(name=NAMES, namespace=NAMESPACES, labels=LABELS)
    def put_pod(self, name: str, namespace: str, labels: dict[str, str]) -> None:
        self.put(pod(name, labels, namespace))

    @rule(name=NAMES, namespace=NAMESPACES, labels=LABELS)
    def put_service(self, name: str, namespace: str, labels: dict[str, str]) -> None:
        self.put(service(name, labels, namespace))

    @rule(name=NAMES, namespace=NAMESPACES, backend=NAMES, port=st.sampled_from([80, 81]))
    def put_route(self, name: str, namespace: str, backend: str, port: int) -> None:
        rules = (Rule(backend_refs=(BackendRef(name=backend, port=port),)),)
        self.put(HTTPRoute(metadata=Metadata(name=name, namespace=namespace), spec=RouteSpec(rules=rules)))

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        if self.objects:
            ref = data.draw(st.sampled_from(sorted(self.objects, key=lambda ref: ref.sort_key)))
            del self.objects[ref]
            self.inventory.remove(ref)

    @rule()
    def judge(self) -> None:
        self.engine.refresh()

    @invariant()
    def equals_from_scratch(self) -> None:
        self.engine.refresh()
        inventory = Inventory(everything_read(), Clock())
        for view in self.objects.values():
            inventory.put(view)
        fresh = Engine(inventory, discover())
        fresh.refresh()
        assert verdicts(self.engine) == verdicts(fresh)


def verdicts(engine: Engine) -> dict[object, object]:
    return {key: (judgement.violations, judgement.unknown) for key, judgement in engine.notable.items()}


Incremental.TestCase.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
test_incremental = Incremental.TestCase
