"""Repairs on a real API server: what heals, what is left to its owner, and what survives a conflict or a crash."""

import asyncio
import copy
import json
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from e2e.kubectl import Cluster
from platform_health.cli.main import main
from platform_health.connection import MERGE_PATCH, ApiError, Busy, Connection, Invalid, NotFound, connect
from platform_health.engine import Engine
from platform_health.findings import Finding, findings
from platform_health.invariant import Operation
from platform_health.invariants import discover
from platform_health.inventory import Inventory
from platform_health.knowledge import ClusterKnowledge, KindState
from platform_health.remediation import patch
from platform_health.remediation.apply import ApiCluster, meaning, path
from platform_health.remediation.journal import Entry, MemoryJournal, to_status
from platform_health.remediation.patch import Raw
from platform_health.remediation.plan import Apply, Decision, Policy, Propose, Sighting
from platform_health.remediation.remediator import Remediator
from platform_health.reporting.report import kinds_needed
from platform_health.sources.decode import ViewDecoder
from platform_health.views.argo import Application
from platform_health.views.core import ConfigMap
from platform_health.views.inference import InferencePool
from platform_health.views.monitoring import ServiceMonitor
from platform_health.views.platform import PlatformHealth
from platform_health.views.view import Kind, Ref, View

pytestmark = pytest.mark.cluster

CRDS = Path(__file__).parent.parent / "crds"

MONITOR = """
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: main}
spec:
  serviceMonitorSelector: {matchLabels: {release: monitoring}}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: vllm, labels: {team: llm}, annotations: {owner: me}}
spec:
  selector: {matchLabels: {app: vllm}}
  endpoints: [{port: metrics}]
---
apiVersion: v1
kind: Service
metadata: {name: vllm, labels: {app: vllm}}
spec:
  ports: [{name: metrics, port: 8000}]
  selector: {app: vllm}
"""

POOL = """
apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata: {name: vllm}
spec:
  selector: {matchLabels: {app: vllm}}
  targetPorts: [{number: 8000}]
  endpointPickerRef: {name: picker, port: {number: 9999}}
---
apiVersion: v1
kind: Service
metadata: {name: picker}
spec:
  ports: [{name: grpc, port: 9002}]
  selector: {app: picker}
---
apiVersion: v1
kind: Pod
metadata: {name: picker, labels: {app: picker}}
spec:
  containers:
  - name: epp
    image: registry.k8s.io/gateway-api-inference-extension/epp:v1.1.0
    args: [--pool-name=vllm, --grpc-port=9002]
    ports: [{containerPort: 9002}]
"""

ARGO = """
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: llm}
spec:
  project: default
  destination: {server: "https://kubernetes.default.svc", namespace: NAMESPACE}
  source: {repoURL: "https://git.example.org/llm", path: prod}
  syncPolicy: {automated: {selfHeal: true}}
status:
  resources:
  - {group: apps, version: v1, kind: Deployment, namespace: NAMESPACE, name: router}
---
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: default}
spec: {destinations: [{server: "*", namespace: "*"}], sourceRepos: ["*"]}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: router
  annotations: {kubectl.kubernetes.io/last-applied-configuration: '{"spec": {"replicas": 2}}'}
spec:
  replicas: 1
  selector: {matchLabels: {app: router}}
  template:
    metadata: {labels: {app: router}}
    spec: {containers: [{name: router, image: router}]}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: router}
spec:
  scaleTargetRef: {name: router}
  minReplicaCount: 0
  maxReplicaCount: 5
  triggers: [{type: cron, metadata: {timezone: UTC, start: "0 8 * * *", end: "0 18 * * *", desiredReplicas: "3"}}]
"""

CASES: dict[str, tuple[str, type[View], str]] = {
    "MonitorIsSelected": (MONITOR, ServiceMonitor, "vllm"),
    "PickerPortMatches": (POOL, InferencePool, "vllm"),
    "AutoscaledReplicasAreIgnored": (ARGO, Application, "llm"),
}

HEALED: dict[str, dict[str, Any]] = {
    "MonitorIsSelected": {"/metadata/labels": {"team": "llm", "release": "monitoring"}},
    "PickerPortMatches": {"/spec/endpointPickerRef/port/number": 9002},
    "AutoscaledReplicasAreIgnored": {"/spec/syncPolicy/syncOptions": ["RespectIgnoreDifferences=true"]},
}


@pytest.fixture(scope="module")
def platform(cluster: Cluster) -> Cluster:
    """The cluster with the definitions of everything that is repaired here."""
    cluster.install_crds(CRDS, "prometheus", "inference", "gateway-api", "argocd", "keda", "nvidia")
    return cluster


@pytest.fixture
async def connection(platform: Cluster) -> AsyncIterator[Connection]:
    """A connection as the administrator."""
    opened = await connect(platform.kubeconfig)
    yield opened
    await opened.close()


def decoded(raw: Raw, view: type[View]) -> View:
    """A raw object as a view."""
    seen = ViewDecoder(view.kind, view.kind.versions[0]).from_raw(raw)
    if seen.value is None:
        raise msgspec.ValidationError(seen.because)
    value: View = seen.value
    return value


class StatusJournal(MemoryJournal):
    """A journal in the status of a PlatformHealth, without an operator around it."""

    connection: Connection

    async def record(self, report: str, entry: Entry) -> None:
        """Stores the entry."""
        await super().record(report, entry)
        await self._write(report)

    async def forget(self, report: str, entry_id: str) -> None:
        """Drops the entry."""
        await super().forget(report, entry_id)
        await self._write(report)

    async def _write(self, report: str) -> None:
        kind = PlatformHealth.kind
        body = {"status": {"fixes": [to_status(entry) for entry in self.entries(report)]}}
        place = path(Ref(kind, "", report), kind.api_version)
        await self.connection.patch(f"{place}/status", body, MERGE_PATCH, {"fieldManager": "platform-health-status"})


class Loop:
    """An operator's loop over one namespace: lists instead of watches, everything else as it is."""

    def __init__(self, connection: Connection, namespace: str, cluster: ApiCluster, **options: Any) -> None:
        self.connection, self.namespace, self.report = connection, namespace, namespace
        self.knowledge = ClusterKnowledge()
        self.inventory = Inventory(self.knowledge, time.time)
        self.engine = Engine(self.inventory, discover())
        self.journal = StatusJournal(self.inventory, time.time)
        self.journal.connection = connection
        self.cluster, self.found = cluster, list[Finding]()
        self.options = {"warm_up": 0.0, "verify_seconds": 3.0, "retry_seconds": 0.1, **options}
        self.remediator = self.new_leader()
        self.policy = Policy(
            report=self.report, covers=lambda ref: True, mode="Apply", allow=frozenset(CASES), generation=1
        )

    def new_leader(self) -> Remediator:
        """A remediator that knows only what the journal holds."""
        return Remediator(self.engine, self.cluster, self.journal, decoded, **self.options)

    async def look(self) -> dict[str, Decision]:
        """Lists everything and turns once; what happens to which invariant."""
        await asyncio.gather(*(self._list(kind) for kind in kinds_needed(self.engine.invariants)))
        self.engine.refresh()
        self.found = findings(self.engine.notable.values())
        made = await self.remediator.consider(self.found, [Sighting(self.policy, tuple(self.found))])
        return {one.finding.invariant: one.decision for one in made}

    async def settle(self) -> dict[str, Decision]:
        """Turns until no fix is under way."""
        await self.look()
        while self.remediator.busy:
            await asyncio.sleep(0.05)
            await self.look()
        return await self.look()

    async def _list(self, kind: Kind) -> None:
        if kind.via == "never":
            return
        namespace = self.namespace if kind.namespaced else ""
        for version in kind.versions:
            place = path(Ref(kind, namespace, ""), f"{kind.group}/{version}" if kind.group else version)
            try:
                listed = await self.connection.get(place.rstrip("/"))
            except NotFound:
                continue
            except Busy:
                await asyncio.sleep(0.2)
                await self._list(kind)
                return
            views = [decoded(raw, kind.view) for raw in listed["items"]]
            for gone in {view.ref for view in self.inventory.peek_all(kind)} - {view.ref for view in views}:
                self.inventory.remove(gone)
            for view in views:
                self.inventory.put(view)
            self.knowledge.set(kind, KindState.SYNCED)
            return
        self.knowledge.set(kind, KindState.ABSENT)

    @property
    def names(self) -> set[str]:
        """The invariants that do not hold."""
        return {finding.invariant for finding in self.found}

    @property
    def states(self) -> list[str]:
        """The states of the fixes, oldest first."""
        return [entry.state for entry in self.journal.entries(self.report)]


@pytest.fixture
async def loop(connection: Connection, platform: Cluster, namespace: str) -> AsyncIterator[Loop]:
    """A loop with a report of its own."""
    platform.apply(f"apiVersion: platformhealth.dev/v1alpha1\nkind: PlatformHealth\nmetadata: {{name: {namespace}}}\n")
    made = Loop(connection, namespace, ApiCluster(connection))
    yield made
    await made.remediator.close()
    platform.kubectl("delete", "platformhealth", namespace)


def put(loop: Loop, cluster: Cluster, invariant: str) -> Ref:
    """Creates the broken platform of one invariant; the object to be repaired."""
    text, view, name = CASES[invariant]
    cluster.kubectl("create", "-n", loop.namespace, "-f", "-", input=text.replace("NAMESPACE", loop.namespace))
    return Ref(view.kind, loop.namespace, name)


async def raw_of(loop: Loop, ref: Ref) -> Raw:
    """An object as it stands."""
    return await loop.cluster.get(ref, ref.kind.api_version)


def lasting(raw: Raw) -> Raw:
    """An object without what the API server changes by itself."""
    raw = copy.deepcopy(raw)
    for field in ("managedFields", "resourceVersion", "generation"):
        raw["metadata"].pop(field, None)
    return raw


def others(cluster: Cluster, namespace: str) -> list[Raw]:
    """The objects beside the repaired one that no controller of the cluster keeps changing."""
    kinds = "servicemonitors,prometheuses,inferencepools,applications,appprojects,scaledobjects,services"
    found = json.loads(cluster.kubectl("get", kinds, "-n", namespace, "-o", "json"))["items"]
    return [lasting(raw) for raw in found]


@pytest.mark.parametrize("invariant", CASES)
async def test_healed_and_undone(loop, platform, capsys, invariant):
    """One patch, nothing else touched, the finding gone; undo restores, and it is not done again."""
    ref = put(loop, platform, invariant)
    before, beside = await raw_of(loop, ref), others(platform, loop.namespace)
    await loop.look()
    assert invariant in loop.names
    await loop.settle()
    assert loop.states == ["Applied"]
    assert invariant not in loop.names
    after = await raw_of(loop, ref)
    entry = loop.journal.entries(loop.report)[0]
    assert lasting(after) == lasting(patch.applied(before, patch.decoded(entry.patch)))
    for place, value in HEALED[invariant].items():
        assert patch.value_at(after, place) == value
    assert [raw for raw in others(platform, loop.namespace) if raw != lasting(after)] == [
        raw for raw in beside if raw != lasting(before)
    ]
    managers = {item["manager"]: item["operation"] for item in after["metadata"]["managedFields"]}
    assert managers["platform-health-remediator"] == "Update"

    def undo(*more):
        return asyncio.to_thread(main, ["undo", entry.id, f"--kubeconfig={platform.kubeconfig}", *more])

    assert await undo("--dry-run") == 0
    assert lasting(await raw_of(loop, ref)) == lasting(after)
    assert await undo() == 0
    assert f"fix {entry.id} is taken back" in capsys.readouterr().out
    assert lasting(await raw_of(loop, ref)) == lasting(before)
    stored = json.loads(platform.kubectl("get", "platformhealth", loop.report, "-o", "json"))
    assert [fix["state"] for fix in stored["status"]["fixes"]] == ["Undone"]
    assert await undo() == 0, "undoing twice does no harm"

    await loop.settle()
    await loop.settle()
    assert loop.states == ["Undone"]
    assert lasting(await raw_of(loop, ref)) == lasting(before), "the operator did it again"


async def test_undo_refuses_what_was_changed_since(loop, platform, capsys):
    """Somebody else has set another port since: their write stays."""
    ref = put(loop, platform, "PickerPortMatches")
    await loop.settle()
    platform.kubectl(
        "patch", "inferencepool", ref.name, "-n", loop.namespace, "--type=json",
        "-p", '[{"op": "replace", "path": "/spec/endpointPickerRef/port/number", "value": 9003}]',
    )  # fmt: skip
    entry = loop.journal.entries(loop.report)[0]
    code = await asyncio.to_thread(main, ["undo", entry.id, f"--kubeconfig={platform.kubeconfig}"])
    assert code == 1
    assert "was changed since: /spec/endpointPickerRef/port/number is 9003, expected 9002" in capsys.readouterr().err
    assert await asyncio.to_thread(main, ["undo", "no-such-fix", f"--kubeconfig={platform.kubeconfig}"]) == 2


async def test_undo_leaves_what_others_put_beside_it(loop, platform):
    """The label goes, the map that had to be created for it stays as long as others use it."""
    ref = put(loop, platform, "MonitorIsSelected")
    platform.kubectl("label", "servicemonitor", ref.name, "-n", loop.namespace, "team-")
    assert "labels" not in (await raw_of(loop, ref))["metadata"]
    await loop.settle()
    platform.kubectl("label", "servicemonitor", ref.name, "-n", loop.namespace, "theirs=kept")
    entry = loop.journal.entries(loop.report)[0]
    assert await asyncio.to_thread(main, ["undo", entry.id, f"--kubeconfig={platform.kubeconfig}"]) == 0
    assert (await raw_of(loop, ref))["metadata"]["labels"] == {"theirs": "kept"}


TRACKED = {
    "argo": {"annotations": {"argocd.argoproj.io/tracking-id": "llm:monitoring.coreos.com/ServiceMonitor:NS/vllm"}},
    "flux": {
        "labels": {
            "kustomize.toolkit.fluxcd.io/name": "apps",
            "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
        }
    },
    "helm": {
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "vllm", "meta.helm.sh/release-namespace": "NS"},
    },
}


@pytest.mark.parametrize("owner", TRACKED)
async def test_owned_is_proposed(loop, platform, owner):
    """What Argo CD, Flux or Helm look after is not written to."""
    ref = put(loop, platform, "MonitorIsSelected")
    body = json.loads(json.dumps({"metadata": TRACKED[owner]}).replace("NS", loop.namespace))
    await loop.connection.patch(path(ref, ref.kind.api_version), body, MERGE_PATCH)
    before = await raw_of(loop, ref)
    made = await loop.settle()
    assert isinstance(made["MonitorIsSelected"], Propose)
    assert "belongs to" in made["MonitorIsSelected"].because
    assert await raw_of(loop, ref) == before
    assert loop.states == []


async def test_listed_by_an_application_is_proposed(loop, platform):
    """No mark on the object itself; the proposal says which repository."""
    ref = put(loop, platform, "MonitorIsSelected")
    put(loop, platform, "AutoscaledReplicasAreIgnored")
    tracked = {"group": "monitoring.coreos.com", "version": "v1", "kind": "ServiceMonitor"}
    resources = [{**tracked, "namespace": loop.namespace, "name": "vllm"}]
    place = path(Ref(Application.kind, loop.namespace, "llm"), "argoproj.io/v1alpha1")
    await loop.connection.patch(place, {"status": {"resources": resources}}, MERGE_PATCH)
    before = await raw_of(loop, ref)
    made = await loop.settle()
    assert isinstance(made["MonitorIsSelected"], Propose)
    assert "https://git.example.org/llm prod" in made["MonitorIsSelected"].because
    assert await raw_of(loop, ref) == before


async def test_a_field_that_a_gitops_controller_applies_is_proposed(loop, platform):
    """Only managedFields show the owner."""
    ref = put(loop, platform, "PickerPortMatches")
    spec = (await raw_of(loop, ref))["spec"]
    applied = {
        "apiVersion": ref.kind.api_version,
        "kind": "InferencePool",
        "metadata": {"name": ref.name},
        "spec": spec,
    }
    platform.kubectl(
        "apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller", "-n", loop.namespace,
        "-f", "-", input=json.dumps(applied),
    )  # fmt: skip
    before = await raw_of(loop, ref)
    made = await loop.settle()
    assert "managed by argocd-controller" in made["PickerPortMatches"].because
    assert await raw_of(loop, ref) == before


class Interrupted(ApiCluster):
    """Something happens right before or after the patch."""

    async def nothing(self) -> None:
        """What happens unless a test says otherwise."""

    before = after = nothing

    async def patch(self, ref: Ref, api_version: str, operations: Sequence[Operation], *, dry_run: bool) -> Raw:
        """The patch, between the two."""
        if not dry_run:
            await self.before()
        done = await super().patch(ref, api_version, operations, dry_run=dry_run)
        if not dry_run:
            await self.after()
        return done


async def interrupted(loop: Loop) -> Interrupted:
    """Puts an interrupted cluster into the loop."""
    loop.cluster = Interrupted(loop.connection)
    loop.remediator = loop.new_leader()
    return loop.cluster


async def test_a_write_between_get_and_patch_is_not_overwritten(loop, platform):
    """The guards refuse, the object is judged anew, and the fix fits what is there now."""
    ref = put(loop, platform, "PickerPortMatches")
    cluster = await interrupted(loop)
    patches = []

    async def before():
        patches.append(1)
        if len(patches) == 1:
            replace = '[{"op": "replace", "path": "/spec/endpointPickerRef/port/number", "value": 9998}]'
            platform.kubectl("patch", "inferencepool", "vllm", "-n", loop.namespace, "--type=json", "-p", replace)

    cluster.before = before
    await loop.look()
    await loop.remediator.idle()
    assert patch.value_at(await raw_of(loop, ref), "/spec/endpointPickerRef/port/number") == 9998
    assert loop.states == []
    await loop.settle()
    assert patch.value_at(await raw_of(loop, ref), "/spec/endpointPickerRef/port/number") == 9002
    assert len(patches) == 2


async def test_an_object_made_anew_between_get_and_patch_is_not_patched(loop, platform):
    """The same name is not the same object."""
    ref = put(loop, platform, "MonitorIsSelected")
    cluster = await interrupted(loop)

    async def before():
        raw = lasting(await raw_of(loop, ref))
        del raw["metadata"]["uid"], raw["metadata"]["creationTimestamp"]
        platform.kubectl("delete", "servicemonitor", ref.name, "-n", loop.namespace)
        platform.kubectl("create", "-f", "-", input=json.dumps(raw))

    cluster.before = before
    await loop.look()
    await loop.remediator.idle()
    assert "release" not in (await raw_of(loop, ref))["metadata"]["labels"]
    assert loop.states == []


async def test_reverted_is_contested(loop, platform):
    """Whoever took the label away wins."""
    ref = put(loop, platform, "MonitorIsSelected")
    await loop.settle()
    platform.kubectl("label", "servicemonitor", ref.name, "-n", loop.namespace, "release-")
    made = await loop.settle()
    assert loop.states == ["Contested"]
    assert isinstance(made["MonitorIsSelected"], Propose)
    await loop.settle()
    assert "release" not in (await raw_of(loop, ref))["metadata"]["labels"]


async def test_what_does_not_help_is_taken_back(loop, platform):
    """The Prometheus asks for another label a moment after the patch: the label that was added goes again."""
    ref = put(loop, platform, "MonitorIsSelected")
    before = await raw_of(loop, ref)
    cluster = await interrupted(loop)
    change = {"spec": {"serviceMonitorSelector": {"matchLabels": {"release": "monitoring", "also": "this"}}}}

    async def after():
        text = json.dumps(change)
        platform.kubectl("patch", "prometheus", "main", "-n", loop.namespace, "--type=merge", "-p", text)
        cluster.after = cluster.nothing

    cluster.after = after
    await loop.look()
    while loop.states != ["Failed"]:
        await asyncio.sleep(0.05)
        await loop.look()
    assert lasting(await raw_of(loop, ref)) == lasting(before)
    await loop.settle()
    assert loop.states == ["Failed"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_around_the_patch_is_settled_by_the_next_leader(loop, platform, when):
    """The intent is in the status; the object tells how far it came."""
    ref = put(loop, platform, "PickerPortMatches")
    cluster = await interrupted(loop)

    async def crash():
        raise asyncio.CancelledError

    setattr(cluster, when, crash)
    await loop.look()
    await loop.remediator.idle()
    assert loop.states == ["Applying"]
    stored = json.loads(platform.kubectl("get", "platformhealth", loop.report, "-o", "json"))["status"]["fixes"]
    assert [fix["state"] for fix in stored] == ["Applying"]
    port = patch.value_at(await raw_of(loop, ref), "/spec/endpointPickerRef/port/number")
    assert port == (9999 if when == "before" else 9002)

    loop.cluster = ApiCluster(loop.connection)
    loop.remediator = loop.new_leader()
    loop.remediator.recover([loop.report])
    await loop.settle()
    await loop.settle()
    assert loop.states == ["Applied"]
    assert patch.value_at(await raw_of(loop, ref), "/spec/endpointPickerRef/port/number") == 9002


async def test_without_the_right_it_says_which_role_is_missing(loop, platform):
    """Without the remediation role a fix is a proposal that says so."""
    ref = put(loop, platform, "MonitorIsSelected")
    platform.kubectl("create", "serviceaccount", "reader", "-n", loop.namespace)
    platform.kubectl(
        "create", "rolebinding", "reader", "-n", loop.namespace, "--clusterrole=view",
        f"--serviceaccount={loop.namespace}:reader",
    )  # fmt: skip
    platform.kubectl("create", "role", "reader", "-n", loop.namespace, "--verb=get", "--resource=servicemonitors")
    platform.kubectl(
        "create", "rolebinding", "reads", "-n", loop.namespace, "--role=reader",
        f"--serviceaccount={loop.namespace}:reader",
    )  # fmt: skip
    reader = await connect(platform.service_account_kubeconfig(loop.namespace, "reader"))
    loop.cluster = ApiCluster(reader)
    loop.remediator = loop.new_leader()
    made = await loop.settle()
    await reader.close()
    assert made["MonitorIsSelected"].because.startswith("may not patch servicemonitors.monitoring.coreos.com")
    assert "release" not in (await loop.connection.get(path(ref, ref.kind.api_version)))["metadata"]["labels"]


async def test_paused_by_annotation(loop, platform):
    """The annotation on the namespace stops repairs, and its removal lets them go on."""
    ref = put(loop, platform, "MonitorIsSelected")
    platform.kubectl("annotate", "namespace", loop.namespace, "platformhealth.dev/pause=maintenance")
    made = await loop.settle()
    assert made["MonitorIsSelected"].because.endswith(": maintenance")
    assert "release" not in (await raw_of(loop, ref))["metadata"]["labels"]
    platform.kubectl("annotate", "namespace", loop.namespace, "platformhealth.dev/pause-")
    await loop.settle()
    assert loop.states == ["Applied"]


# --- what the API server really answers


async def configured(connection: Connection, namespace: str) -> Ref:
    """A ConfigMap to write to."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "1"}}
    await connection.post(f"/api/v1/namespaces/{namespace}/configmaps", body)
    return Ref(ConfigMap.kind, namespace, "x")


async def answer(cluster: ApiCluster, ref: Ref, *operations: Operation, dry_run: bool = True) -> Raw | ApiError:
    """The object, or the error."""
    try:
        return await cluster.patch(ref, ref.kind.api_version, operations, dry_run=dry_run)
    except ApiError as error:
        return error


async def test_a_failed_guard_means_that_something_changed(connection, namespace):
    """422 says both that and "invalid"; the words differ."""
    ref, cluster = await configured(connection, namespace), ApiCluster(connection)
    for operation in (
        Operation("test", "/data/a", "2"),
        Operation("test", "/metadata/uid", "another"),
        Operation("test", "/data/a", None),
        Operation("replace", "/nowhere/a", "x"),
        Operation("remove", "/data/b"),
    ):
        error = await answer(cluster, ref, operation)
        assert isinstance(error, Invalid), operation
        assert meaning(error) == "changed", (operation, str(error))


async def test_absence_can_be_tested(connection, namespace):
    """The API server goes beyond RFC 6902 here, and inverses rely on it."""
    ref, cluster = await configured(connection, namespace), ApiCluster(connection)
    after = await answer(cluster, ref, Operation("test", "/data/b", None), Operation("add", "/data/b", "2"))
    assert isinstance(after, dict)
    assert after["data"] == {"a": "1", "b": "2"}


async def test_our_patches_and_the_api_servers_agree(connection, namespace):
    """What is predicted is what is stored."""
    ref, cluster = await configured(connection, namespace), ApiCluster(connection)
    before = await cluster.get(ref, "v1")
    operations = patch.completed(
        before, [Operation("add", "/metadata/labels/a~1b", "x"), Operation("remove", "/data/a")]
    )
    guarded = patch.identity_guards(before) + patch.guarded(before, operations)
    after = await cluster.patch(ref, "v1", guarded, dry_run=False)
    ours = lasting(patch.applied(before, operations))
    assert lasting(after)["metadata"] == ours["metadata"]
    undo = patch.guarded(after, patch.inverse(before, operations)) if "data" in after else ()
    assert "data" not in after or not undo or patch.taken_back(after, undo)


async def test_an_invalid_object_is_refused_for_good(connection, namespace):
    """Neither validation nor an unknown field is worth another try."""
    ref, cluster = await configured(connection, namespace), ApiCluster(connection)
    for operation in (Operation("add", "/metadata/labels", {"a b": "c"}), Operation("add", "/nonsense", "x")):
        error = await answer(cluster, ref, operation)
        assert isinstance(error, Invalid), operation
        assert meaning(error) == "refused", (operation, str(error))


async def test_a_new_object_and_its_end(connection, namespace):
    """Whether it was created is told, and only that very object is deleted."""
    cluster = ApiCluster(connection)
    ref = Ref(ConfigMap.kind, namespace, "new")
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new", "namespace": namespace}}
    dry, created = await cluster.create(ref, document, dry_run=True)
    assert created
    with pytest.raises(NotFound):
        await cluster.get(ref, "v1")
    raw, created = await cluster.create(ref, document, dry_run=False)
    assert created
    _, created = await cluster.create(ref, document, dry_run=False)
    assert not created
    with pytest.raises(ApiError) as refused:
        await cluster.delete(ref, "v1", "another")
    assert refused.value.status == 409
    await cluster.delete(ref, "v1", raw["metadata"]["uid"])
    with pytest.raises(NotFound):
        await cluster.get(ref, "v1")
    assert dry["metadata"]["name"] == "new"


async def test_applying_starts_when_every_gate_is_open(loop, platform):
    """The plan of the turn that starts a fix says so."""
    put(loop, platform, "MonitorIsSelected")
    assert (await loop.look())["MonitorIsSelected"] == Apply()
    await loop.settle()
