"""The control plane is real where it matters, and leaves nothing behind."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from e2e.controlplane import STAY, ControlPlane, StartError, remove_orphaned_folders
from e2e.kubectl import KubectlError
from e2e.waiting import eventually

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parent.parent
linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="reads /proc and needs the kernel's parent-death signal"
)


def deployment(name: str, *, replicas: int = 1, gpus: int = 0, stay: str | None = None) -> str:
    """A Deployment as YAML (JSON is YAML)."""
    labels = {"app": name}
    container = {"name": "server", "image": "vllm", "resources": {"limits": {"nvidia.com/gpu": str(gpus)}}}
    pod = {
        "metadata": {"labels": labels, "annotations": {STAY: stay} if stay else {}},
        "spec": {"containers": [container]},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec})


def pods(control_plane: ControlPlane, namespace: str, path: str) -> list[str]:
    """The words at a JSONPath of each pod."""
    return control_plane.kubectl("get", "pods", "-n", namespace, "-o", f"jsonpath={{.items[*]{path}}}").split()


@pytest.fixture(scope="module")
def gpu_node(control_plane: ControlPlane) -> Iterator[str]:
    """A node with eight GPUs."""
    name = "gpu-node"
    control_plane.node(name, gpus=8, labels={"nvidia.com/gpu.product": "H100"})
    yield name
    control_plane.kubectl("delete", "node", name)


def test_pods_of_a_deployment_become_ready_on_a_gpu_node(
    control_plane: ControlPlane, namespace: str, gpu_node: str
) -> None:
    """Controllers, scheduler and node work together, and the pods have addresses that a Service would send to."""
    control_plane.apply(deployment("decode", replicas=2, gpus=2), namespace)
    control_plane.kubectl("rollout", "status", "deployment/decode", "-n", namespace, "--timeout=30s")
    control_plane.kubectl("expose", "deployment/decode", "--port=8000", "-n", namespace)

    def endpoints() -> bool:
        found = control_plane.kubectl(
            "get", "endpointslices", "-n", namespace, "-o", "jsonpath={.items[*].endpoints[*].conditions.ready}"
        )
        return found.split() == ["true", "true"]

    eventually(endpoints, "two ready endpoints")
    assert pods(control_plane, namespace, ".spec.nodeName") == [gpu_node, gpu_node]


def test_a_gpu_request_that_no_node_satisfies_stays_pending(
    control_plane: ControlPlane, namespace: str, gpu_node: str
) -> None:
    """The message is the scheduler's own."""
    control_plane.apply(deployment("too-big", gpus=16), namespace)

    def message() -> str:
        path = '.status.conditions[?(@.type=="PodScheduled")].message'
        return " ".join(pods(control_plane, namespace, path))

    said = eventually(message, "the scheduler explains")
    assert "Insufficient nvidia.com/gpu" in said
    assert pods(control_plane, namespace, ".status.phase") == ["Pending"]


@pytest.mark.parametrize(
    ("stay", "phase", "path", "expected"),
    [
        ("Pending", "Pending", ".status.containerStatuses[0].state.waiting.reason", "ContainerCreating"),
        ("NotReady", "Running", '.status.conditions[?(@.type=="Ready")].status', "False"),
        ("CrashLoopBackOff", "Running", ".status.containerStatuses[0].state.waiting.reason", "CrashLoopBackOff"),
    ],
)
def test_an_annotated_pod_stays_as_it_is_told(
    control_plane: ControlPlane, namespace: str, gpu_node: str, stay: str, phase: str, path: str, expected: str
) -> None:
    """And becomes ready when it is no longer told to, as if nothing had been."""
    control_plane.apply(deployment("held", gpus=1, stay=stay), namespace)
    eventually(lambda: pods(control_plane, namespace, path) == [expected], f"{path} is {expected}")
    assert pods(control_plane, namespace, ".status.phase") == [phase]
    control_plane.kubectl("annotate", "pods", "--all", f"{STAY}-", "-n", namespace)
    control_plane.kubectl("wait", "pods", "--all", "--for=condition=Ready", "--timeout=30s", "-n", namespace)
    assert pods(control_plane, namespace, ".status.conditions[*].reason") == []
    assert pods(control_plane, namespace, ".status.containerStatuses[*].state.waiting") == []


@pytest.mark.parametrize("stay", ["NotReady", "CrashLoopBackOff"])
def test_a_ready_pod_can_be_told_to_fail(control_plane: ControlPlane, namespace: str, gpu_node: str, stay: str) -> None:
    """The annotation may come later."""
    control_plane.apply(deployment("falls", gpus=1), namespace)
    control_plane.kubectl("rollout", "status", "deployment/falls", "-n", namespace, "--timeout=30s")
    control_plane.kubectl("annotate", "pods", "--all", f"{STAY}={stay}", "-n", namespace)
    control_plane.kubectl("wait", "pods", "--all", "--for=condition=Ready=False", "--timeout=30s", "-n", namespace)


def test_a_taint_keeps_pods_away(control_plane: ControlPlane, namespace: str) -> None:
    """Taints are written as kubectl writes them."""
    control_plane.node("tainted", gpus=1, taints=["nvidia.com/gpu=present:NoSchedule"])
    taints = json.loads(control_plane.kubectl("get", "node", "tainted", "-o", "json"))["spec"]["taints"]
    control_plane.kubectl("delete", "node", "tainted")
    assert taints == [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}]


def test_a_service_account_has_only_its_rights(control_plane: ControlPlane, namespace: str) -> None:
    """What RBAC does not allow is forbidden, for a token that the API server itself issued."""
    control_plane.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    control_plane.kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods", "-n", namespace)
    binding = ["create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={namespace}:reader"]
    control_plane.kubectl(*binding, "-n", namespace)
    reader = control_plane.service_account_kubeconfig(namespace, "reader")
    control_plane.kubectl("get", "pods", kubeconfig=reader)
    with pytest.raises(KubectlError) as refused:
        control_plane.kubectl("get", "secrets", kubeconfig=reader)
    assert f"system:serviceaccount:{namespace}:reader" in refused.value.stderr
    assert "Forbidden" in refused.value.stderr


def test_data_and_tokens_survive_a_crash_of_the_api_server(
    control_plane: ControlPlane, namespace: str, gpu_node: str
) -> None:
    """And everything goes on working afterwards."""
    control_plane.kubectl("create", "serviceaccount", "someone", "-n", namespace)
    someone = control_plane.service_account_kubeconfig(namespace, "someone")
    control_plane.kubectl("create", "configmap", "kept", "-n", namespace)
    control_plane.stop_apiserver()
    with pytest.raises(KubectlError, match="refused"):
        control_plane.kubectl("get", "configmaps", "-n", namespace)
    control_plane.start_apiserver()
    control_plane.kubectl("get", "configmap", "kept", "-n", namespace)
    assert f"{namespace}:someone" in control_plane.kubectl("auth", "whoami", kubeconfig=someone)
    control_plane.apply(deployment("after", gpus=1), namespace)
    control_plane.kubectl("rollout", "status", "deployment/after", "-n", namespace, "--timeout=60s")
    control_plane.check()


def test_definitions_are_served_once_installed(control_plane: ControlPlane, namespace: str) -> None:
    """Published ones validate; slim ones take everything; own files can be named by path."""
    control_plane.install_crds("inference", "nvidia", ROOT / "e2e" / "crds" / "flux.yaml")
    pool = {
        "apiVersion": "inference.networking.k8s.io/v1",
        "kind": "InferencePool",
        "metadata": {"name": "pool", "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app": "vllm"}}, "targetPorts": [{"number": 70000}]},
    }
    with pytest.raises(KubectlError, match="65535"):
        control_plane.apply(json.dumps(pool))
    policy = {"apiVersion": "nvidia.com/v1", "kind": "ClusterPolicy", "metadata": {"name": "any"}, "spec": {"x": 1}}
    control_plane.apply(json.dumps(policy))
    assert control_plane.kubectl("get", "clusterpolicy", "any", "-o", "jsonpath={.spec.x}") == "1"
    assert control_plane.kubectl("get", "helmreleases", "-A", "-o", "name") == ""


def test_the_audit_log_tells_who_wrote_what(control_plane: ControlPlane, namespace: str, gpu_node: str) -> None:
    """The parts of the control plane are users of their own."""
    control_plane.apply(deployment("watched", gpus=1), namespace)
    control_plane.kubectl("rollout", "status", "deployment/watched", "-n", namespace, "--timeout=30s")
    writers = {
        (event["user"]["username"], event["objectRef"].get("subresource", ""))
        for event in control_plane.audit_events()
        if event["verb"] in {"create", "patch", "update"}
        and event["objectRef"]["resource"] == "pods"
        and event["objectRef"]["namespace"] == namespace
    }
    assert writers == {
        ("system:serviceaccount:kube-system:replicaset-controller", ""),
        ("system:kube-scheduler", "binding"),
        ("kwok", "status"),
    }


def test_two_run_side_by_side_and_outlive_the_threads_that_started_them() -> None:
    """Neither knows the objects of the other; a passing thread does not take its control plane along."""
    with contextlib.ExitStack() as stack:
        with ThreadPoolExecutor(max_workers=2) as pool:
            enter = [pool.submit(stack.enter_context, ControlPlane(with_nodes=False)) for _ in range(2)]
            first, second = (entered.result() for entered in enter)
        first.kubectl("create", "configmap", "mine")
        assert second.kubectl("get", "configmap", "mine", "--ignore-not-found") == ""
        for one in (first, second):
            one.check()
        pids, folders = [*first.pids.values(), *second.pids.values()], [first.folder, second.folder]
    assert len(set(pids)) == 8
    assert not any(alive(pid) for pid in pids)
    assert not any(folder.exists() for folder in folders)


def test_a_part_that_ends_by_itself_is_named() -> None:
    """Nobody has to guess from refused connections which part is gone."""
    with ControlPlane(with_nodes=False, with_scheduler=False) as own:
        os.kill(own.pids["etcd"], signal.SIGKILL)
        message = eventually(lambda: complaint(own), "the end of etcd is noticed")
    assert "etcd ended with exit code -9" in message


@linux_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_survives_the_end_of_its_process(number: signal.Signals) -> None:
    """Not even when it is killed and can clean up nothing; its files go when the next one starts."""
    command = [sys.executable, "-m", "e2e.controlplane", "up", "--gpu-nodes=1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        kubeconfig = Path(process.stdout.readline().strip().removeprefix("export KUBECONFIG="))
        assert kubeconfig.is_file()
        started = children(process.pid)
        assert len(started) == 5
        process.send_signal(number)
        process.wait(timeout=20)
    eventually(lambda: not any(alive(pid) for pid in started), "all processes are gone", timeout=10)
    assert process.returncode == (-number if number == signal.SIGKILL else 0)
    remove_orphaned_folders()
    assert not kubeconfig.parent.exists()


def complaint(control_plane: ControlPlane) -> str | None:
    """What the control plane says is wrong with it."""
    try:
        control_plane.check()
    except StartError as error:
        return str(error)
    return None


def children(parent: int) -> list[int]:
    """The processes that `parent` has started, by the kernel's word."""
    threads = Path(f"/proc/{parent}/task").iterdir()
    return [int(pid) for thread in threads for pid in (thread / "children").read_text().split()]


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be collected by its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False
