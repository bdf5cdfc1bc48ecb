"""Live sources against a real API server: what is known is what is there, through crashes and lost rights."""

import asyncio
import base64
import json
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from e2e.controlplane import ControlPlane
from platform_health.connection import Unauthorized, Unreachable, connect
from platform_health.controller.live import LiveSources
from platform_health.inventory import Inventory
from platform_health.knowledge import ClusterKnowledge, KindState
from platform_health.sources.cluster import read_cluster
from platform_health.sources.feed import InventorySink
from platform_health.sources.pace import Timing
from platform_health.views.core import ConfigMap, Namespace, Secret, Service
from platform_health.views.gateway import Gateway, HTTPRoute
from platform_health.views.networking import NetworkPolicy
from platform_health.views.view import Kind

pytestmark = pytest.mark.cluster

KINDS = (Namespace.kind, Service.kind, ConfigMap.kind, Gateway.kind, HTTPRoute.kind, NetworkPolicy.kind, Secret.kind)
CHANGING = (Service.kind, HTTPRoute.kind, NetworkPolicy.kind)
TIMING = Timing(refused_pause=(1.0, 2.0), look=3.0, last_pause=2.0)
SPECS = {
    Service.kind: {"ports": [{"port": 80}]},
    HTTPRoute.kind: {"rules": [{"matches": [{"path": {"value": "/"}}]}]},
    NetworkPolicy.kind: {"podSelector": {}},
}
READER = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
- {apiGroups: [""], resources: [namespaces, services], verbs: [get, list, watch]}
- {apiGroups: [networking.k8s.io], resources: [networkpolicies], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: default}]
"""
MORE_RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: more}
rules:
- {apiGroups: [""], resources: [configmaps], verbs: [get, list, watch]}
- {apiGroups: [gateway.networking.k8s.io], resources: [gateways, httproutes], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: more}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: more}
subjects: [{kind: ServiceAccount, name: reader, namespace: default}]
"""


class Live:
    """Live sources and what has come of them."""

    def __init__(self, plane: ControlPlane, sources: LiveSources, inventory: Inventory) -> None:
        self.plane, self.sources, self.inventory = plane, sources, inventory

    def names(self, kind: Kind, namespace: str | None = None) -> set[str]:
        """The names of a kind that are known."""
        return {view.name for view in self.inventory.peek_all(kind, namespace)}

    def state(self, kind: Kind) -> KindState:
        """How well a kind is known."""
        knowledge = self.inventory.knowledge
        assert isinstance(knowledge, ClusterKnowledge)
        return knowledge.state(kind)

    async def until(self, holds: Callable[[], object], what: str, within: float = 30.0) -> float:
        """Waits until something holds; answers how many seconds it took."""
        began = time.monotonic()
        while not holds():
            states = {kind.resource: (self.state(kind).value, sorted(self.names(kind))[:9]) for kind in KINDS}
            assert time.monotonic() < began + within, f"not within {within} s: {what}; {states}"
            await asyncio.sleep(0.005)
        return time.monotonic() - began

    async def kubectl(self, *arguments: str, **options: str) -> str:
        """kubectl, without holding up the sources."""
        return await asyncio.to_thread(self.plane.kubectl, *arguments, **options)

    async def agrees(self, kind: Kind, namespace: str) -> None:
        """Waits until exactly what is there is known."""
        listed = await self.kubectl("get", kind.resource, "-n", namespace, "-o", "name")
        there = {line.rpartition("/")[2] for line in listed.split()}
        await self.until(lambda: self.names(kind, namespace) == there, f"{kind} {sorted(there)}")


@asynccontextmanager
async def reading(plane: ControlPlane, kubeconfig: Path | None = None) -> AsyncIterator[Live]:
    """Live sources in front of a control plane."""
    knowledge = ClusterKnowledge()
    inventory = Inventory(knowledge, time.time)
    connection = await connect(kubeconfig or plane.kubeconfig)
    sink = InventorySink(inventory, knowledge, lambda: None)
    live = Live(plane, LiveSources(connection, KINDS, sink, lambda event_type, raw: None, TIMING), inventory)
    await live.sources.start()
    try:
        await live.until(live.sources.is_synced, "everything is settled")
        yield live
        assert live.sources.problems() == []
    finally:
        await live.sources.stop()
        await connection.close()


def manifest(kind: Kind, namespace: str, name: str, **metadata: object) -> str:
    """An object as YAML (JSON is YAML)."""
    head = {"apiVersion": kind.api_version, "kind": kind.name}
    return json.dumps({**head, "metadata": {"name": name, "namespace": namespace, **metadata}, "spec": SPECS[kind]})


def etcd(plane: ControlPlane, path: str, **body: object) -> dict[str, object]:
    """What etcd answers to a request behind the API server's back."""
    request = urllib.request.Request(f"{plane._etcd}/v3/{path}", json.dumps(body).encode())
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        found: dict[str, object] = json.load(answer)
        return found


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A control plane of its own: its API server is killed and its data changed behind its back."""
    with ControlPlane(with_nodes=False, with_scheduler=False, audit=True) as plane:
        plane.install_crds("gateway-api")
        yield plane


@pytest.fixture
def namespace(plane: ControlPlane) -> str:
    """A fresh namespace in it."""
    return plane.new_namespace()


async def test_every_change_arrives(plane: ControlPlane, namespace: str) -> None:
    """What is created and deleted is known, both ways in; Secrets are never read."""
    async with reading(plane) as live:
        for kind in CHANGING:
            for number in range(5):
                await live.kubectl("create", "-f", "-", input=manifest(kind, namespace, f"o{number}"))
            await live.agrees(kind, namespace)
            await live.kubectl("delete", kind.resource, "o1", "o3", "-n", namespace)
            await live.agrees(kind, namespace)
        assert Secret.kind not in live.inventory.kinds()


async def test_kinds_without_rights_are_forbidden_until_granted(plane: ControlPlane, namespace: str) -> None:
    """A forbidden kind costs no other; rights that come and go are noticed."""
    plane.apply(READER)
    mine = plane.service_account_kubeconfig("default", "reader")
    async with reading(plane, mine) as live:
        assert {kind.resource for kind in KINDS if live.state(kind) is KindState.FORBIDDEN} == {
            "configmaps",
            "gateways.gateway.networking.k8s.io",
            "httproutes.gateway.networking.k8s.io",
        }
        assert {live.state(kind) for kind in (Service.kind, NetworkPolicy.kind)} == {KindState.SYNCED}
        await live.kubectl("create", "-f", "-", input=manifest(HTTPRoute.kind, namespace, "mine"))
        await asyncio.to_thread(plane.apply, MORE_RIGHTS)
        await live.agrees(HTTPRoute.kind, namespace)
        await live.until(lambda: live.state(ConfigMap.kind) is KindState.SYNCED, "configmaps are read")
        await live.kubectl("delete", "clusterrolebinding", "more")
        await live.until(lambda: live.state(HTTPRoute.kind) is KindState.FORBIDDEN, "routes may not be read", 60)
        assert live.names(HTTPRoute.kind) == set()
        await live.kubectl("create", "-f", "-", input=manifest(Service.kind, namespace, "still"))
        await live.agrees(Service.kind, namespace)


async def test_a_kind_that_comes_goes_and_comes_again(plane: ControlPlane, namespace: str) -> None:
    """Definitions are followed without a restart, and cost the other kinds nothing."""
    definition = plane.kubectl("get", "crd", "gateways.gateway.networking.k8s.io", "-o", "json")
    bare = json.loads(definition)
    bare["metadata"] = {key: bare["metadata"][key] for key in ("name", "annotations")}
    gateway = json.dumps(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "mine", "namespace": namespace},
            "spec": {
                "gatewayClassName": "any",
                "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
            },
        }
    )
    async with reading(plane) as live:
        for _ in range(2):
            await live.kubectl("create", "-f", "-", input=gateway)
            await live.agrees(Gateway.kind, namespace)
            await live.kubectl("delete", "crd", "gateways.gateway.networking.k8s.io")
            await live.until(lambda: live.state(Gateway.kind) is KindState.ABSENT, "gateways are not installed")
            assert live.names(Gateway.kind) == set()
            await live.kubectl("create", "-f", "-", input=json.dumps(bare))
            await live.kubectl("wait", "--for=condition=Established", "crd/gateways.gateway.networking.k8s.io")
            await live.until(lambda: live.state(Gateway.kind) is KindState.SYNCED, "gateways are read")
        await live.kubectl("create", "-f", "-", input=manifest(HTTPRoute.kind, namespace, "meanwhile"))
        await live.agrees(HTTPRoute.kind, namespace)


AN_HOUR_OF_EVENTS = 120
"""One every half minute."""
LAST = str(AN_HOUR_OF_EVENTS - 1)


async def test_nothing_is_written_to_what_is_watched(plane: ControlPlane, namespace: str) -> None:
    """Not even where another operator's finalizer invites kopf to; the audit log agrees."""
    plane.apply(READER)
    plane.apply(MORE_RIGHTS)
    mine = plane.service_account_kubeconfig("default", "reader")
    marker = ["kopf.zalando.org/KopfFinalizerMarker"]
    async with reading(plane, mine) as live:
        for kind in (HTTPRoute.kind, NetworkPolicy.kind):
            await live.kubectl("create", "-f", "-", input=manifest(kind, namespace, "mine", finalizers=marker))
            for number in range(AN_HOUR_OF_EVENTS):
                await live.kubectl("label", kind.resource, "mine", f"n={number}", "--overwrite", "-n", namespace)
            await live.until(lambda kind=kind: _label(live, kind, namespace) == LAST, "the last change")  # type: ignore[misc]
            found = json.loads(await live.kubectl("get", kind.resource, "mine", "-n", namespace, "-o", "json"))
            assert found["metadata"]["finalizers"] == marker
            assert not any(key.startswith("kopf") for key in found["metadata"].get("annotations", {}))
            shown = await live.kubectl(
                "get", kind.resource, "mine", "-n", namespace, "-o", "json", "--show-managed-fields"
            )
            managers = {entry["manager"] for entry in json.loads(shown)["metadata"]["managedFields"]}
            assert managers <= {"kubectl-create", "kubectl-label"}
            await live.kubectl(
                "patch",
                kind.resource,
                "mine",
                "-n",
                namespace,
                "--type=merge",
                "-p",
                '{"metadata":{"finalizers":null}}',
            )
    user = "system:serviceaccount:default:reader"
    done = [event for event in plane.audit_events() if event["user"]["username"] == user]
    assert done
    assert {event["objectRef"]["resource"] for event in done if event["verb"] not in ("get", "list", "watch")} == {
        "selfsubjectaccessreviews"
    }
    assert "secrets" not in {event["objectRef"]["resource"] for event in done if "objectRef" in event}
    assert {event["userAgent"].partition("/")[0] for event in done} == {"platform-health"}


def _label(live: Live, kind: Kind, namespace: str) -> str:
    return next((view.labels.get("n", "") for view in live.inventory.peek_all(kind, namespace)), "")


async def test_one_list_of_everything_agrees_with_the_streams(plane: ControlPlane, namespace: str) -> None:
    """The command line and the operator see the same objects."""
    for kind in CHANGING:
        plane.kubectl("create", "-f", "-", input=manifest(kind, namespace, "mine"))
    async with reading(plane) as live:
        snapshot = await read_cluster(KINDS, kubeconfig=plane.kubeconfig)
        await live.until(
            lambda: (
                {view.ref: view for view in snapshot.views}
                == {view.ref: view for kind in KINDS for view in live.inventory.peek_all(kind)}
            ),
            "both know the same",
        )
        assert snapshot.unreadable.keys() <= {Secret.kind}


async def test_a_cluster_that_is_not_there(plane: ControlPlane, tmp_path: Path) -> None:
    """What is wrong is said in words, without the credentials."""
    with pytest.raises(Unreachable, match="does not exist"):
        await read_cluster(KINDS, kubeconfig=tmp_path / "none")
    with pytest.raises(Unreachable, match="context 'nowhere'"):
        await read_cluster(KINDS, kubeconfig=plane.kubeconfig, context="nowhere")
    wrong = json.loads(plane.kubectl("config", "view", "--raw", "-o", "json"))
    wrong["users"][0]["user"] = {"token": "wrong"}
    (tmp_path / "wrong").write_text(json.dumps(wrong))
    with pytest.raises(Unauthorized) as refused:
        await read_cluster(KINDS, kubeconfig=tmp_path / "wrong")
    assert "wrong" not in str(refused.value)
    wrong["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    (tmp_path / "closed").write_text(json.dumps(wrong))
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1 cannot be reached"):
        await read_cluster(KINDS, kubeconfig=tmp_path / "closed")


@pytest.mark.parametrize("kind", CHANGING, ids=lambda kind: kind.plural)
async def test_an_object_that_vanished_while_the_api_server_was_down_is_gone(
    plane: ControlPlane, namespace: str, kind: Kind
) -> None:
    """No watch will ever say so: only a complete list can."""
    plane.kubectl("create", "-f", "-", input=manifest(kind, namespace, "stays"))
    plane.kubectl("create", "-f", "-", input=manifest(kind, namespace, "vanishes"))
    async with reading(plane) as live:
        await live.agrees(kind, namespace)
        await asyncio.to_thread(plane.stop_apiserver)
        await asyncio.to_thread(_delete_from_etcd, plane, f"/{namespace}/vanishes")
        await asyncio.to_thread(plane.start_apiserver)
        await live.until(lambda: live.names(kind, namespace) == {"stays"}, "the object is gone")
        await live.kubectl("create", "-f", "-", input=manifest(kind, namespace, "later"))
        await live.agrees(kind, namespace)
        assert live.sources.kopf_lives == 1


def _delete_from_etcd(plane: ControlPlane, ending: str) -> None:
    everything = etcd(plane, "kv/range", key=_encoded("/registry/"), range_end=_encoded("/registry0"), keys_only=True)
    keys = [base64.b64decode(entry["key"]).decode() for entry in everything["kvs"]]  # type: ignore[attr-defined]
    mine = [key for key in keys if key.endswith(ending) and "endpointslices" not in key and "ipaddresses" not in key]
    assert mine
    for key in mine:
        etcd(plane, "kv/deleterange", key=_encoded(key))


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def test_an_api_server_that_crashes_again_and_again(plane: ControlPlane, namespace: str) -> None:
    """No kind is taken for absent while the API server starts, and kopf lives on."""
    async with reading(plane) as live:
        for number in range(3):
            await asyncio.to_thread(plane.restart_apiserver, number * 2.0)
            for kind in CHANGING:
                await live.kubectl("create", "-f", "-", input=manifest(kind, namespace, f"o{number}"))
                await live.agrees(kind, namespace)
        assert live.sources.kopf_lives == 1
