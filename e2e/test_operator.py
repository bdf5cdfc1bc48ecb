"""The operator as it is deployed: a process of its own, with the rights that `deploy/` grants and no others."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from e2e.kubectl import Cluster, KubectlError
from e2e.processes import free_port, leashed
from e2e.waiting import eventually

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parent.parent
SYSTEM = "platform-health-system"
NAME = "platform-health"
INVARIANT = "RouteBackendsExist"
MANIFESTS = ("00-namespace.yaml", "10-serviceaccount.yaml", "20-roles.yaml")


@pytest.fixture(scope="module")
def installed(cluster: Cluster) -> Cluster:
    """The cluster with our definition, the Gateway API's, and everything of `deploy/` but the Deployment."""
    cluster.install_crds(ROOT / "crds", "gateway-api", "inference")
    for file in MANIFESTS:
        cluster.apply(ROOT / "deploy" / "operator" / file)
    return cluster


class Operator:
    """`platform-health run` as a child, under the deployed service account, for as long as a `with` block lasts."""

    def __init__(self, cluster: Cluster, *arguments: str) -> None:
        self.log = cluster.folder / f"operator-{secrets.token_hex(3)}.log"
        self._kubeconfig = cluster.service_account_kubeconfig(SYSTEM, NAME)
        self._arguments = arguments
        self.port = free_port()

    def __enter__(self) -> Self:
        module = [sys.executable, "-m", "platform_health.cli.main", "run", "--warm-up=0"]
        where = [f"--kubeconfig={self._kubeconfig}", f"--listen=127.0.0.1:{self.port}", f"--lease-namespace={SYSTEM}"]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                leashed([*module, *where, *self._arguments]), stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        eventually(lambda: self.answers("/readyz"), f"a ready operator; its log: {self.log.read_text()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(10)
        if kind is None:
            assert code in (0, -signal.SIGKILL), self.log.read_text()
            assert "Traceback" not in self.log.read_text(), self.log.read_text()

    def end(self, number: signal.Signals) -> float:
        """Ends it with a signal; how many seconds that took."""
        started = time.monotonic()
        self._process.send_signal(number)
        self._process.wait(10)
        return time.monotonic() - started

    def get(self, path: str) -> str:
        """What it answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            text: str = answer.read().decode()
            return text

    def answers(self, path: str) -> bool:
        """Whether it answers with success."""
        assert self._process.poll() is None, self.log.read_text()
        try:
            return bool(self.get(path))
        except (urllib.error.URLError, ConnectionError):
            return False


class Report:
    """One PlatformHealth object."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster, self.name = cluster, name

    def apply(self, **spec: Any) -> None:
        """Creates or changes it. Only the invariant of these scenarios is selected, unless the spec says otherwise."""
        spec = {"select": [INVARIANT], "settleSeconds": 0, **spec}
        self._cluster.apply(report(self.name, spec))

    @property
    def raw(self) -> dict[str, Any]:
        """The object as it is now."""
        raw: dict[str, Any] = json.loads(self._cluster.kubectl("get", "platformhealth", self.name, "-o", "json"))
        return raw

    @property
    def status(self) -> dict[str, Any]:
        """Its status; empty before the first write."""
        status: dict[str, Any] = self.raw.get("status") or {}
        return status

    @property
    def states(self) -> dict[str, str]:
        """The state of each finding, by the name of its object."""
        return {finding["object"]["name"]: finding["state"] for finding in self.status.get("findings", [])}

    def condition(self, name: str) -> tuple[str, str, str]:
        """Status, reason and message of a condition; three times nothing before the first write."""
        for entry in self.status.get("conditions", []):
            if entry["type"] == name:
                return entry["status"], entry["reason"], entry["message"]
        return "", "", ""

    def becomes(self, states: dict[str, str], timeout: float = 10.0) -> None:
        """Waits until exactly these findings are shown."""
        eventually(lambda: self.states == states and self.status != {}, f"{states} in {self.name}", timeout)

    def is_ready(self, reason: str = "Judged") -> None:
        """Waits until the condition Ready has this reason, at the generation that was applied last."""

        def stands() -> bool:
            raw = self.raw
            status = raw.get("status") or {}
            return (
                status.get("observedGeneration") == raw["metadata"]["generation"]
                and self.condition("Ready")[1] == reason
            )

        eventually(stands, f"{self.name} to be {reason}")


def report(name: str, spec: dict[str, Any]) -> str:
    """A PlatformHealth as YAML (JSON is YAML)."""
    head = {"apiVersion": "platformhealth.dev/v1alpha1", "kind": "PlatformHealth", "metadata": {"name": name}}
    return json.dumps({**head, "spec": spec})


def route(name: str, backend: str = "missing") -> str:
    """An HTTPRoute to one Service; a parent of kind Service makes it one that is in use."""
    rule = {"backendRefs": [{"name": backend, "port": 80}]}
    parent = {"group": "", "kind": "Service", "name": "front", "port": 80}
    head = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name}}
    return json.dumps({**head, "spec": {"parentRefs": [parent], "rules": [rule]}})


@pytest.fixture
def new_report(installed: Cluster) -> Iterator[Callable[[str], Report]]:
    """Makes reports with names of their own, and deletes them in the end."""
    made: list[Report] = []

    def new(prefix: str = "report") -> Report:
        made.append(Report(installed, f"{prefix}-{secrets.token_hex(3)}"))
        return made[-1]

    yield new
    for one in made:
        installed.kubectl("delete", "platformhealth", one.name, "--ignore-not-found", "--wait=false")


NewReport = Callable[..., Report]


def test_a_fault_is_found_settles_and_goes(installed: Cluster, namespace: str, new_report: NewReport) -> None:
    """From the API write to the status, the columns and the Events, and back; the route itself is never touched."""
    one = new_report()
    with Operator(installed):
        one.apply(namespaces={"matchNames": [namespace]}, settleSeconds=2)
        one.is_ready()
        assert one.condition("Healthy")[:2] == ("True", "NothingViolated")
        installed.apply(route("chat"), namespace)
        before = installed.kubectl("get", "httproute", "chat", "-n", namespace, "-o", "json", "--show-managed-fields")
        one.becomes({"chat": "settling"}, timeout=2)
        assert one.condition("Healthy")[0] == "True"
        one.becomes({"chat": "active"})
        status = one.status
        assert one.condition("Healthy")[:2] == ("False", "FindingsActive")
        assert status["summary"]["errors"] == 1
        assert status["findings"][0]["invariant"] == INVARIANT
        assert namespace in status["topFinding"]
        header, line = installed.kubectl("get", "platformhealth", one.name).splitlines()
        assert header.split() == ["NAME", "HEALTHY", "ERRORS", "WARNINGS", "FIXED", "TOP", "FINDING", "AGE"]
        assert line.split()[:6] == [one.name, "False", "1", "0", "0", INVARIANT]
        assert installed.kubectl("get", "ph", one.name, "-o", "name").strip().endswith(one.name)
        eventually(lambda: events(installed, namespace) == [("Warning", "Judge")], "one Event about the route")
        after = installed.kubectl("get", "httproute", "chat", "-n", namespace, "-o", "json", "--show-managed-fields")
        assert before == after
        installed.kubectl("delete", "httproute", "chat", "-n", namespace)
        one.becomes({}, timeout=2)
        assert one.condition("Healthy")[0] == "True"
        eventually(
            lambda: events(installed, namespace) == [("Normal", "Resolve"), ("Warning", "Judge")], "two Events in all"
        )


def events(cluster: Cluster, namespace: str) -> list[tuple[str, str]]:
    """Type and action of our Events in a namespace."""
    found = json.loads(cluster.kubectl("get", "events.v1.events.k8s.io", "-n", namespace, "-o", "json"))["items"]
    ours = [event for event in found if event.get("reportingController") == "platformhealth.dev/operator"]
    assert all(event["regarding"]["uid"] for event in ours)
    return sorted((event["type"], event["action"]) for event in ours)


def test_reports_side_by_side(installed: Cluster, namespace: str, new_report: NewReport) -> None:
    """Each sees its own namespaces and ignores; one Event per object however many reports."""
    other_namespace = installed.new_namespace()
    here, there, ignoring = new_report("here"), new_report("there"), new_report("ignoring")
    try:
        with Operator(installed):
            here.apply(namespaces={"matchNames": [namespace]})
            there.apply(namespaces={"matchLabels": {"kubernetes.io/metadata.name": other_namespace}})
            ignoring.apply(
                namespaces={"matchNames": [namespace, other_namespace]},
                ignore=[{"invariant": INVARIANT, "namespace": namespace, "name": "*", "reason": "a lab"}],
            )
            installed.apply(route("chat"), namespace)
            installed.apply(route("embed"), other_namespace)
            here.becomes({"chat": "active"})
            there.becomes({"embed": "active"})
            ignoring.becomes({"embed": "active"})
            assert ignoring.status["summary"]["ignored"] == 1
            eventually(lambda: len(events(installed, namespace)) == 1, "one Event")
            assert len(events(installed, other_namespace)) == 1
    finally:
        installed.kubectl("delete", "namespace", other_namespace, "--wait=false")


def test_a_bad_spec_leaves_the_last_report_standing(installed: Cluster, namespace: str, new_report: NewReport) -> None:
    """The schema lets a misspelled family pass; the status says so, and the findings stay."""
    one = new_report()
    with Operator(installed):
        one.apply(namespaces={"matchNames": [namespace]})
        installed.apply(route("chat"), namespace)
        one.becomes({"chat": "active"})
        one.apply(namespaces={"matchNames": [namespace]}, select=["rooting"])
        one.is_ready("InvalidSpec")
        assert "'rooting' is no invariant and no family; did you mean routing?" in one.condition("Ready")[2]
        assert one.states == {"chat": "active"}
        assert one.condition("Healthy")[0] == "False"
        one.apply(namespaces={"matchNames": [namespace]})
        one.is_ready()


def test_a_restart_goes_on_where_it_was(installed: Cluster, namespace: str, new_report: NewReport) -> None:
    """The same first sight, nothing settles twice, no second Event, and no write at all."""
    one = new_report()
    with Operator(installed):
        one.apply(namespaces={"matchNames": [namespace]}, settleSeconds=2)
        installed.apply(route("chat"), namespace)
        one.becomes({"chat": "active"})
        eventually(lambda: events(installed, namespace), "an Event")
    before = one.raw
    with Operator(installed) as operator:
        eventually(lambda: "platform_health_leader 1.0" in operator.get("/metrics"), "a leader")
        time.sleep(2)
        assert one.raw == before
        assert len(events(installed, namespace)) == 1


def test_nothing_is_written_when_nothing_changes(installed: Cluster, namespace: str, new_report: NewReport) -> None:
    """Other objects come, change and go; the report does not move."""
    one = new_report()
    with Operator(installed) as operator:
        one.apply(namespaces={"matchNames": [namespace]})
        installed.apply(route("chat"), namespace)
        one.becomes({"chat": "active"})
        time.sleep(1.5)
        before, written = one.raw["metadata"]["resourceVersion"], writes(operator, one)
        for number in range(5):
            installed.kubectl("create", "configmap", f"noise-{number}", "-n", namespace)
            installed.kubectl("label", "httproute", "chat", "-n", namespace, f"noise={number}", "--overwrite")
        time.sleep(1.5)
        assert one.raw["metadata"]["resourceVersion"] == before
        assert writes(operator, one) == written


def writes(operator: Operator, one: Report) -> float:
    """How often the status of a report was written, as the operator counts."""
    wanted = f'platform_health_status_writes_total{{report="{one.name}",result="written"}} '
    lines = [line for line in operator.get("/metrics").splitlines() if line.startswith(wanted)]
    return float(lines[0].removeprefix(wanted))


def test_a_storm_is_written_once_a_second(installed: Cluster, namespace: str, new_report: NewReport) -> None:
    """However many findings come within a moment."""
    one = new_report()
    with Operator(installed) as operator:
        one.apply(namespaces={"matchNames": [namespace]}, maxFindings=10)
        one.is_ready()
        time.sleep(1.1)
        before, started = writes(operator, one), time.monotonic()
        lines = "\n---\n".join(route(f"chat-{number}") for number in range(60))
        installed.apply(lines, namespace)
        eventually(lambda: one.status["summary"]["errors"] == 60, "60 errors")
        assert writes(operator, one) - before <= time.monotonic() - started + 1
        assert len(one.states) == 10
        assert operator.get("/findings").count('"state":"active"') >= 60


def test_a_status_edited_by_hand_is_put_right(installed: Cluster, namespace: str, new_report: NewReport) -> None:
    """And a label that somebody puts on the report at the same time does no harm."""
    one = new_report()
    with Operator(installed):
        one.apply(namespaces={"matchNames": [namespace]})
        installed.apply(route("chat"), namespace)
        one.becomes({"chat": "active"})
        forged = json.dumps({"status": {"topFinding": "all is well", "findings": []}})
        installed.kubectl("patch", "platformhealth", one.name, "--subresource=status", "--type=merge", "-p", forged)
        one.becomes({"chat": "active"})
        for number in range(5):
            installed.kubectl("label", "platformhealth", one.name, f"raced={number}", "--overwrite")
            installed.apply(route(f"chat-{number}"), namespace)
        one.becomes({"chat": "active", **{f"chat-{number}": "active" for number in range(5)}})
        assert one.raw["metadata"]["labels"] == {"raced": "4"}


def test_a_forbidden_kind_is_said_and_the_rest_is_judged(
    installed: Cluster, namespace: str, new_report: NewReport
) -> None:
    """Neither healthy nor violated: what depends on the kind is unknown, what does not is judged."""
    role = json.loads(installed.kubectl("get", "clusterrole", NAME, "-o", "json"))
    for rule in role["rules"]:
        rule["resources"] = [resource for resource in rule["resources"] if resource != "grpcroutes"]
    role["metadata"] = {"name": NAME}
    one = new_report()
    try:
        installed.apply(json.dumps(role))
        with Operator(installed):
            one.apply(namespaces={"matchNames": [namespace]})
            one.is_ready("KindsUnreadable")
            assert one.status["coverage"]["unreadable"] == ["grpcroutes.gateway.networking.k8s.io"]
            assert one.condition("Healthy")[:2] == ("Unknown", "KindsUnreadable")
            installed.apply(route("chat"), namespace)
            one.becomes({"chat": "active"})
            assert one.condition("Healthy")[0] == "False"
    finally:
        installed.apply(ROOT / "deploy" / "operator" / "20-roles.yaml")


def test_one_of_two_replicas_writes(installed: Cluster, namespace: str, new_report: NewReport) -> None:
    """The other one is ready, and takes over at once when the first is told to end."""
    one = new_report()
    with Operator(installed) as first:
        eventually(lambda: "platform_health_leader 1.0" in first.get("/metrics"), "a leader")
        with Operator(installed) as second:
            one.apply(namespaces={"matchNames": [namespace]})
            one.is_ready()
            assert "platform_health_leader 0.0" in second.get("/metrics")
            assert "platform_health_status_writes_total{" not in second.get("/metrics")
            assert first.end(signal.SIGTERM) < 3
            lease = json.loads(installed.kubectl("get", "lease", NAME, "-n", SYSTEM, "-o", "json"))
            assert not lease["spec"].get("holderIdentity") or lease["spec"]["leaseTransitions"] > 0
            installed.apply(route("chat"), namespace)
            one.becomes({"chat": "active"}, timeout=8)


def test_a_killed_leader_is_succeeded(installed: Cluster, namespace: str, new_report: NewReport) -> None:
    """It cannot give its lease away, so the successor waits until it has run out."""
    one = new_report()
    with Operator(installed) as first:
        eventually(lambda: "platform_health_leader 1.0" in first.get("/metrics"), "a leader")
        with Operator(installed):
            one.apply(namespaces={"matchNames": [namespace]})
            one.is_ready()
            first.end(signal.SIGKILL)
            installed.apply(route("chat"), namespace)
            one.becomes({"chat": "active"}, timeout=25)


MONITOR = """
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: main}
spec:
  serviceMonitorSelector: {matchLabels: {release: monitoring}}
---
apiVersion: v1
kind: Service
metadata: {name: vllm, labels: {app: vllm}}
spec:
  ports: [{name: metrics, port: 8000}]
  selector: {app: vllm}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: vllm, labels: {team: llm}}
spec:
  selector: {matchLabels: {app: vllm}}
  endpoints: [{port: metrics}]
"""


def test_safe_fixes_are_applied_where_the_role_is_installed(
    installed: Cluster, namespace: str, new_report: NewReport
) -> None:
    """Without the second role the operator can only propose; with it the monitor gets its label, on the record."""
    installed.install_crds("prometheus")
    roles = ROOT / "deploy" / "remediation" / "roles.yaml"
    allowing = {
        "namespaces": {"matchNames": [namespace]},
        "select": ["MonitorIsSelected"],
        "settleSeconds": 1,
        "remediation": {"mode": "Apply", "allow": ["MonitorIsSelected"]},
    }
    one = new_report()
    try:
        with Operator(installed):
            installed.apply(MONITOR, namespace)
            one.apply(**allowing)
            one.becomes({"vllm": "active"})
            eventually(lambda: one.condition("Remediating")[:2] == ("True", "Applying"), "the condition Remediating")
            assert one.status["findings"][0]["fix"]["safety"] == "safe"
            time.sleep(3)
            assert one.states == {"vllm": "active"}
        installed.apply(roles)
        with Operator(installed):
            one.becomes({}, timeout=30)
            eventually(lambda: one.status["summary"]["fixed"] == 1, "one fix on the record")
            (fix,) = one.status["fixes"]
            assert (fix["state"], fix["invariant"], fix["object"]["name"]) == ("Applied", "MonitorIsSelected", "vllm")
            assert installed.kubectl("get", "platformhealth", one.name).splitlines()[1].split()[1:5] == [
                "True", "0", "0", "1",
            ]  # fmt: skip
        labels = json.loads(installed.kubectl("get", "servicemonitor", "vllm", "-n", namespace, "-o", "json"))
        assert labels["metadata"]["labels"] == {"team": "llm", "release": "monitoring"}
    finally:
        installed.kubectl("delete", "-f", str(roles), "--ignore-not-found")


def test_ctrl_c_ends_it_quickly(installed: Cluster) -> None:
    """Without a traceback, with exit code 0."""
    with Operator(installed, "--no-leader-elect") as operator:
        assert operator.end(signal.SIGINT) < 3


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"remediation": {"mode": False}}, "spec.remediation.mode"),
        ({"remediation": {"mode": "Heal"}}, 'supported values: "Report", "Propose", "Apply"'),
        ({"remediation": {"maxFixesPerHour": 21}}, "should be less than or equal to 20"),
        ({"maxFindings": 500}, "should be less than or equal to 200"),
        ({"ignore": [{"invariant": INVARIANT}]}, "spec.ignore[0].reason: Required value"),
        ({"ignore": [{"invariant": INVARIANT, "reason": "r", "until": "soon"}]}, "must be of type date"),
        ({"namespaces": {"matchNames": ["a"], "matchLabels": {"a": "b"}}}, "exclude each other"),
        ({"probes": {"prometheus": {"url": "http://me:secret@prometheus"}}}, "spec.probes.prometheus.url"),
    ],
)
def test_the_api_server_refuses(installed: Cluster, spec: dict[str, Any], words: str) -> None:
    """The same rules as ours, before anything is stored."""
    with pytest.raises(KubectlError) as refused:
        installed.kubectl("create", "-f", "-", input=report("refused", spec))
    assert words in refused.value.stderr


def test_defaults_are_filled_in(installed: Cluster, new_report: NewReport) -> None:
    """An empty spec says what it means."""
    one = new_report()
    installed.apply(report(one.name, {}))
    spec = one.raw["spec"]
    assert spec["remediation"] == {"mode": "Propose", "maxFixesPerHour": 10}
    assert (spec["select"], spec["settleSeconds"], spec["maxFindings"]) == (["*"], 15, 50)
    example = (ROOT / "deploy" / "platformhealth.yaml").read_text()
    installed.kubectl("create", "--dry-run=server", "-f", "-", input=example)


def test_the_deployment_is_admitted_as_restricted(installed: Cluster) -> None:
    """The namespace enforces the restricted pod security standard; a violation would come back as a warning."""
    done = installed.kubectl(
        "apply",
        "--dry-run=server",
        "--warnings-as-errors",
        "-f",
        str(ROOT / "deploy" / "operator" / "30-deployment.yaml"),
    )
    assert "deployment.apps/platform-health" in done


def test_the_service_account_has_no_right_too_many(installed: Cluster) -> None:
    """Asked of the API server itself."""
    account = f"--as=system:serviceaccount:{SYSTEM}:{NAME}"

    def may(*question: str) -> bool:
        try:
            return installed.kubectl("auth", "can-i", *question, account).strip() == "yes"
        except KubectlError:
            return False

    assert may("list", "httproutes.gateway.networking.k8s.io", "--all-namespaces")
    assert may("patch", "platformhealths.platformhealth.dev", "--subresource=status")
    assert may("update", f"leases.coordination.k8s.io/{NAME}", "-n", SYSTEM)
    for verb, resource in (
        ("list", "secrets"),
        ("get", "secrets"),
        ("patch", "httproutes.gateway.networking.k8s.io"),
        ("patch", "platformhealths.platformhealth.dev"),
        ("delete", "pods"),
        ("create", "pods"),
    ):
        assert not may(verb, resource, "--all-namespaces"), f"{verb} {resource}"
    assert not may("update", "leases.coordination.k8s.io/other", "-n", SYSTEM)


def test_an_unreachable_cluster_is_an_exit_code(tmp_path: Path) -> None:
    """3, with one line that says why and names no token."""
    done = subprocess.run(
        [sys.executable, "-m", "platform_health.cli.main", "run", f"--kubeconfig={tmp_path / 'none'}"],
        capture_output=True,
        text=True,
        env=os.environ,
        timeout=30,
        check=False,
    )
    assert done.returncode == 3
    assert "does not exist" in done.stderr
    assert "Traceback" not in done.stderr
