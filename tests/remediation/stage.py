"""A stage for repairs: an API server in memory, two toy invariants, and an operator's loop of three lines.

The server keeps uid, resourceVersion and generation as the real one does, and refuses what the real one refuses; that
the two agree is shown by e2e/test_remediation.py.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from platform_health.connection import ApiError, Conflict, Forbidden, Invalid, NotFound, Unreachable
from platform_health.engine import Engine
from platform_health.findings import Finding, findings
from platform_health.invariant import ERROR, Fix, Invariant, Inventory, Operation, Unknown, Violation
from platform_health.knowledge import ClusterKnowledge, KindState
from platform_health.remediation import patch
from platform_health.remediation.journal import Entry, MemoryJournal, Target
from platform_health.remediation.patch import PatchError, Raw
from platform_health.remediation.plan import Plan, Policy, Sighting
from platform_health.remediation.remediator import Remediator
from platform_health.views.core import ConfigMap, Secret
from platform_health.views.kinds import KINDS, of_api_version
from platform_health.views.monitoring import Prometheus, ServiceMonitor
from platform_health.views.view import Ref, View

NOW = 1_800_000_000.0
LABEL = "release"


def monitor_is_labelled(monitor: ServiceMonitor, inventory: Inventory) -> Iterator[Violation]:
    """A ServiceMonitor has the label that the Prometheus of its namespace asks for."""
    server = inventory.named(Prometheus, monitor.namespace, "main")
    if monitor.labels.get(LABEL) == "unclear":
        raise Unknown("nobody knows")
    if server is None or LABEL in monitor.labels:
        return
    yield Violation(
        at="metadata.labels",
        because=f"{monitor.ref} lacks {LABEL}",
        fix=Fix(
            title="add the label",
            safety=monitor.annotations.get("safety", "safe"),
            target=monitor.ref,
            patch=operations_of(monitor),
        ),
    )


def operations_of(monitor: ServiceMonitor) -> tuple[Operation, ...]:
    if "patch" in monitor.annotations:
        return patch.decoded(monitor.annotations["patch"])
    return (Operation("add", f"/metadata/labels/{LABEL}", "main"),)


def label_is_harmless(monitor: ServiceMonitor, inventory: Inventory) -> Iterator[Violation]:
    """A fragile ServiceMonitor does not bear the label."""
    if LABEL in monitor.labels and "fragile" in monitor.annotations:
        yield Violation(at="metadata.labels", because="the label harms it")


def settings_exist(monitor: ServiceMonitor, inventory: Inventory) -> Iterator[Violation]:
    """A ServiceMonitor that asks for it has a ConfigMap of its name."""
    if "wants-settings" in monitor.annotations and not inventory.named(ConfigMap, monitor.namespace, monitor.name):
        document = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": monitor.name, "namespace": monitor.namespace},
            "data": {"a": "b"},
        }
        yield Violation(at="", because="no settings", fix=Fix(title="create it", safety="safe", create=document))


def toys() -> tuple[Invariant, ...]:
    return (
        Invariant(monitor_is_labelled, ERROR, "no data", (Prometheus, Secret), "configuration", (ServiceMonitor,)),
        Invariant(label_is_harmless, ERROR, "harm", (), "configuration", ()),
        Invariant(settings_exist, ERROR, "no settings", (ConfigMap,), "configuration", ()),
    )


TOYS = ("MonitorIsLabelled", "LabelIsHarmless", "SettingsExist")


def decode(raw: Raw, view: type[View]) -> View:
    return msgspec.convert(raw, view)


class Server:
    """Objects by kind, namespace and name."""

    def __init__(self) -> None:
        self.objects: dict[Ref, Raw] = {}
        self.writes: list[tuple[str, Ref]] = []
        self.has_generations = True
        """ConfigMaps and Services have none."""
        self.before: Callable[[str, Ref], None] = lambda verb, ref: None
        """Called before each request, to change something or to raise."""
        self.after: Callable[[str, Ref], None] = lambda verb, ref: None
        """Called after each request took place, to lose its answer."""
        self._numbers = itertools.count(1)

    def put(self, raw: Raw) -> Raw:
        """Creates or overwrites an object, as somebody else would."""
        raw = copy.deepcopy(raw)
        kind = of_api_version(raw["apiVersion"], raw["kind"])
        assert kind is not None
        metadata = raw["metadata"]
        ref = Ref(kind, metadata.get("namespace", ""), metadata["name"])
        old = self.objects.get(ref)
        number = next(self._numbers)
        metadata["uid"] = old["metadata"]["uid"] if old else f"uid-{number}"
        metadata["resourceVersion"] = str(number)
        if self.has_generations:
            metadata["generation"] = (old["metadata"]["generation"] + (content(old) != content(raw))) if old else 1
        if metadata.get("labels") == {}:
            del metadata["labels"]
        self.objects[ref] = raw
        return raw

    def change(self, ref: Ref, *operations: Operation) -> None:
        """Somebody else's write."""
        self.put(patch.applied(self.objects[ref], operations))

    async def get(self, ref: Ref, api_version: str) -> Raw:
        await self._ask("get", ref)
        if ref not in self.objects:
            raise NotFound(f"GET {ref}", status=404)
        return copy.deepcopy(self.objects[ref])

    async def patch(self, ref: Ref, api_version: str, operations: Sequence[Operation], *, dry_run: bool) -> Raw:
        verb = "dry run" if dry_run else "patch"
        await self._ask(verb, ref)
        if ref not in self.objects:
            raise NotFound(f"PATCH {ref}", status=404)
        try:
            after = patch.applied(self.objects[ref], operations)
        except PatchError as error:
            text = f"PATCH: the server rejected our request due to an error in our request ({error})"
            raise Invalid(text, status=422) from None
        if dry_run:
            return after
        self.writes.append((verb, ref))
        after = copy.deepcopy(self.put(after))
        self.after(verb, ref)
        return after

    async def create(self, ref: Ref, document: Raw, *, dry_run: bool) -> tuple[Raw, bool]:
        verb = "dry run" if dry_run else "create"
        await self._ask(verb, ref)
        is_new = ref not in self.objects
        raw = copy.deepcopy(document)
        raw["metadata"]["managedFields"] = [{"manager": "platform-health-remediator", "operation": "Apply"}]
        if dry_run:
            raw["metadata"]["uid"] = "dry"
            return raw, is_new
        self.writes.append((verb, ref))
        raw = copy.deepcopy(self.put(raw))
        self.after(verb, ref)
        return raw, is_new

    async def delete(self, ref: Ref, api_version: str, uid: str) -> None:
        await self._ask("delete", ref)
        if ref not in self.objects:
            raise NotFound(f"DELETE {ref}", status=404)
        if self.objects[ref]["metadata"]["uid"] != uid:
            raise Conflict("DELETE: the uid in the precondition does not match", status=409)
        self.writes.append(("delete", ref))
        del self.objects[ref]

    async def _ask(self, verb: str, ref: Ref) -> None:
        await asyncio.sleep(0)
        self.before(verb, ref)


def content(raw: Raw) -> Raw:
    return {key: value for key, value in raw.items() if key not in ("metadata", "status")}


def refusal(verb: str, kind: type[ApiError], times: int = 1, text: str = "") -> Callable[[str, Ref], None]:
    """Fails the first requests of a verb."""
    left = [times]

    def before(asked: str, ref: Ref) -> None:
        if asked == verb and left[0] > 0:
            left[0] -= 1
            status = {Forbidden: 403, Invalid: 422, Conflict: 409, Unreachable: 0}.get(kind, 500)
            raise kind(text or f"PATCH {ref}: {kind.__name__}", status=status)

    return before


class Notes:
    """A recorder that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str]] = []
        self.counts: list[tuple[str, str]] = []

    async def event(self, target: Target, kind: str, reason: str, note: str) -> None:
        self.events.append((str(target), reason, note))

    def count(self, invariant: str, outcome: str) -> None:
        self.counts.append((invariant, outcome))


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


class Stage:
    """One platform, one report that applies, and the operator's loop."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.knowledge = ClusterKnowledge()
        for kind in KINDS:
            if kind.via != "never":
                self.knowledge.set(kind, KindState.SYNCED)
        self.inventory = Inventory(self.knowledge, self.clock)
        self.engine = Engine(self.inventory, toys())
        self.server, self.notes = Server(), Notes()
        self.journal = MemoryJournal(self.inventory, self.clock)
        self.watched = True
        """Whether the watch delivers."""
        self.found: list[Finding] = []
        self.first_seen: dict[str, float] = {}
        self.settle_seconds = 0.0
        self.policies = [self.policy()]
        self.options = {"warm_up": 0.0, "verify_seconds": 0.1, "retry_seconds": 0.01, **options}
        self.remediator = self.new_leader()

    def new_leader(self, **options: Any) -> Remediator:
        return Remediator(
            self.engine,
            self.server,
            self.journal,
            decode,
            recorder=self.notes,
            clock=self.clock,
            **{**self.options, **options},
        )

    def policy(self, report: str = "all", **changes: Any) -> Policy:
        given = {"mode": "Apply", "allow": frozenset(TOYS), "covers": lambda ref: True, "generation": 1, **changes}
        return Policy(report=report, **given)

    def prometheus(self, namespace: str = "llm") -> Ref:
        metadata = {"name": "main", "namespace": namespace}
        raw = {"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus", "metadata": metadata}
        self.server.put(raw)
        return Ref(Prometheus.kind, namespace, "main")

    def monitor(self, name: str = "vllm", namespace: str = "llm", **metadata: Any) -> Ref:
        self.server.put(
            {
                "apiVersion": "monitoring.coreos.com/v1",
                "kind": "ServiceMonitor",
                "metadata": {"name": name, "namespace": namespace, **metadata},
                "spec": {"selector": {"matchLabels": {"app": name}}},
            }
        )
        return Ref(ServiceMonitor.kind, namespace, name)

    def sync(self) -> None:
        """What the watches and the engine do."""
        if self.watched:
            known = {view.ref for kind in self.inventory.kinds() for view in self.inventory.peek_all(kind)}
            for ref in known - self.server.objects.keys():
                self.inventory.remove(ref)
            for ref, raw in self.server.objects.items():
                self.inventory.put(decode(raw, ref.kind.view))
        self.engine.refresh()
        self.found = [
            msgspec.structs.replace(finding, first_seen=self.first_seen.setdefault(finding.id, self.clock()))
            for finding in findings(self.engine.notable.values())
        ]

    def sightings(self) -> list[Sighting]:
        shown = tuple(
            msgspec.structs.replace(
                finding, state="settling" if self.clock() < finding.first_seen + self.settle_seconds else "active"
            )
            for finding in self.found
        )
        return [Sighting(policy, shown) for policy in self.policies]

    async def look(self) -> list[Plan]:
        """One turn of the operator's loop."""
        self.sync()
        return await self.remediator.consider(self.found, self.sightings())

    async def settle(self, turns: int = 60) -> list[Plan]:
        """Turns of the loop until no fix is under way; the plans of the last one."""
        made = await self.look()
        for _ in range(turns):
            if not self.remediator.busy:
                break
            await asyncio.sleep(0.01)
            made = await self.look()
        assert not self.remediator.busy
        return made

    @property
    def entries(self) -> list[Entry]:
        return [entry for policy in self.policies for entry in self.journal.entries(policy.report)]

    @property
    def states(self) -> list[str]:
        return [entry.state for entry in self.entries]

    def labels(self, ref: Ref) -> dict[str, str]:
        return dict(self.server.objects[ref]["metadata"].get("labels", {}))
