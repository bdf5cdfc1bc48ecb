"""The demo: a broken LLM platform on a real API server, the operator seeing it, explaining it and healing it.

Everything runs in a control plane of its own on this machine and ends with it. ``--keep`` leaves it up until Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from e2e.controlplane import ControlPlane

HERE = Path(__file__).parent
DEPLOY = HERE.parent
CRDS = DEPLOY.parent / "crds"
COLOUR = sys.stdout.isatty()
NAME = "demo"
ALLOWED = ("PickerPortMatches", "MonitorIsSelected", "AutoscaledReplicasAreIgnored", "PoolTargetsListeningPort")
"""The invariants whose safe fixes the demo allows. One of the objects belongs to Helm, and is left to it."""
HEALED = 3


def main() -> int:
    """Runs the demo; 0 where the platform ends up healthy."""
    flags = argparse.ArgumentParser(prog="make demo", description=__doc__)
    flags.add_argument("--keep", action="store_true", help="leave the control plane up until Ctrl-C")
    keep = flags.parse_args().keep
    try:
        with ControlPlane() as plane:
            code = Demo(plane).run()
            if keep:
                print(f"\nThe cluster stays up:  export KUBECONFIG={plane.kubeconfig}\nCtrl-C ends it.")
                while True:
                    time.sleep(3600)
    except KeyboardInterrupt:
        print("\nended")
        return 130 if not keep else 0
    return code


class Demo:
    """The acts of the demo on one control plane."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane

    def run(self) -> int:
        """All acts in order."""
        title("A platform with a gateway, two models, monitoring, GPUs, KEDA and Argo CD")
        self.build()
        with self.operator():
            title("What kubectl says before")
            self.report("Report")
            self.wait("the operator to judge the platform", self.is_settled)
            self.table()
            title("What is wrong, and what a client sees")
            self.findings()
            title(f"Healing what is safe and allowed: {', '.join(ALLOWED)}")
            self.report("Apply")
            self.watch_fixes()
            title("What is left is only proposed, because somebody else owns it or has to decide")
            self.proposals()
            title("The owners repair the rest in Git (deploy/demo/repairs)")
            self.repair()
            self.wait("the platform to be healthy", self.is_healthy, patience=60)
            title("What kubectl says after")
            self.table()
            self.findings()
            return 0 if self.is_healthy() else 1

    # --- acts --------------------------------------------------------------------------------------------------

    def build(self) -> None:
        """The platform, with its faults."""
        plane = self.plane
        step("custom resource definitions")
        plane.install_crds("gateway-api", "inference", "prometheus", "argocd", "keda", "nvidia")
        step("nodes: two with four GPUs, one without")
        gpu = {"nvidia.com/gpu.present": "true", "nvidia.com/gpu.deploy.dcgm-exporter": "true"}
        plane.node("cpu-1")
        plane.node("gpu-1", gpus=4, labels=gpu, taints=["nvidia.com/gpu=present:NoSchedule"])
        plane.node(
            "gpu-2", gpus=4, labels=gpu, taints=["nvidia.com/gpu=present:NoSchedule", "team=research:NoSchedule"]
        )
        step("the platform (deploy/demo/platform)")
        for file in sorted(
            (HERE / "platform").glob("*.yaml"), key=lambda file: (file.name != "namespaces.yaml", file.name)
        ):
            plane.kubectl("apply", "-f", str(file))
        self.own_exporter()
        self.status("gatewayclass", "", "istio", [("Accepted", "Accepted")])
        self.status("gateway", "gateways", "inference", [("Accepted", "Accepted"), ("Programmed", "Programmed")])
        self.wait("pods to become ready", self.pods_are_up)
        self.let_time_pass()

    def own_exporter(self) -> None:
        """The exporter belongs to the ClusterPolicy, as the GPU operator has it."""
        uid = self.plane.kubectl("get", "clusterpolicy", "cluster-policy", "-o", "jsonpath={.metadata.uid}").strip()
        owner = {
            "apiVersion": "nvidia.com/v1",
            "kind": "ClusterPolicy",
            "name": "cluster-policy",
            "uid": uid,
            "controller": True,
        }
        for resource in ("daemonset/nvidia-dcgm-exporter", "service/nvidia-dcgm-exporter"):
            patch = json.dumps({"metadata": {"ownerReferences": [owner]}})
            self.plane.kubectl("patch", "-n", "gpu-operator", resource, "--type=merge", "-p", patch)

    def let_time_pass(self) -> None:
        """Says that the pending pod and the GPU nodes have been as they are for an hour: what is new is not judged."""
        pod = self.plane.kubectl("get", "pods", "-n", "llm", "-l", "app=qwen-72b", "-o", "name").strip()
        for condition, place in (
            ("PodScheduled", ["-n", "llm", pod]),
            ("Ready", ["node/gpu-1"]),
            ("Ready", ["node/gpu-2"]),
        ):
            entry = {"type": condition, "lastTransitionTime": self.an_hour_ago()}
            patch = json.dumps({"status": {"conditions": [entry]}})
            self.plane.kubectl("patch", *place, "--subresource=status", "--type=strategic", "-p", patch)

    @staticmethod
    def an_hour_ago() -> str:
        """The time an hour ago, as Kubernetes writes it."""
        return (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def status(self, kind: str, namespace: str, name: str, conditions: list[tuple[str, str]]) -> None:
        """Says what the gateway's controller, which is not part of the demo, would say."""
        entries = [
            {
                "type": kind_,
                "status": "True",
                "reason": reason,
                "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
                "observedGeneration": 1,
            }
            for kind_, reason in conditions
        ]
        place = ["-n", namespace] if namespace else []
        patch = json.dumps({"status": {"conditions": entries}})
        self.plane.kubectl("patch", *place, kind, name, "--subresource=status", "--type=merge", "-p", patch)

    def report(self, mode: str) -> None:
        """Creates or changes the PlatformHealth object."""
        self.plane.apply(
            json.dumps(
                {
                    "apiVersion": "platformhealth.dev/v1alpha1",
                    "kind": "PlatformHealth",
                    "metadata": {"name": NAME},
                    "spec": {
                        "settleSeconds": 2,
                        "remediation": {"mode": mode, "allow": list(ALLOWED) if mode == "Apply" else []},
                    },
                }
            )
        )
        print(f"    PlatformHealth {NAME}: mode {mode}")

    def table(self) -> None:
        """The line that a platform engineer reads."""
        print()
        shell(f"kubectl get platformhealth {NAME}")
        print(self.plane.kubectl("get", "platformhealth", NAME).rstrip())

    def findings(self) -> None:
        """Every active finding: what, where, and what a client sees."""
        for finding in self.current().get("findings", []):
            if finding.get("state") != "active":
                continue
            subject = finding["object"]
            where = "/".join(part for part in (subject.get("namespace"), subject["name"]) if part)
            indent = "      " if finding.get("cause") else "  "
            print(f"\n{indent}{mark(finding['severity'])} {bold(finding['invariant'])}  {subject['kind']} {where}")
            print(f"{indent}  {finding['message']}")
            if finding.get("symptom"):
                print(f"{indent}  {dim('a client sees:')} {finding['symptom']}")

    def watch_fixes(self) -> None:
        """Says every fix as it is applied, until none comes any more."""
        seen: dict[str, str] = {}

        def done() -> bool:
            for fix in self.current().get("fixes", []):
                if seen.get(fix["id"]) != fix["state"]:
                    seen[fix["id"]] = fix["state"]
                    subject = fix["object"]
                    print(f"    {fix['state']:<9} {fix['invariant']:<30} {subject['kind']} {subject['name']}")
                    print(f"              {dim(fix['title'])}")
            return sum(state == "Applied" for state in seen.values()) >= HEALED

        self.wait("safe fixes to be applied and verified", done, patience=60, quiet=True)

    def proposals(self) -> None:
        """Every finding that is left with a fix that is only proposed, and why."""
        for finding in self.current().get("findings", []):
            fix = finding.get("fix")
            if fix:
                subject = finding["object"]
                print(f"    {finding['invariant']:<30} {subject['kind']} {subject['name']}")
                print(f"      {fix['title']}")
                print(f"      {dim('not applied:')} {fix.get('because') or fix['safety']}")

    def repair(self) -> None:
        """What the owners of the other objects do in their repositories."""
        for file in sorted((HERE / "repairs").glob("*.yaml")):
            step(file.stem.replace("-", " "))
            self.plane.kubectl("apply", "-f", str(file))

    # --- the operator ------------------------------------------------------------------------------------------

    @contextmanager
    def operator(self) -> Iterator[None]:
        """The operator under the service account of deploy/, with no other rights."""
        plane = self.plane
        step("the operator, under its service account")
        for folder in (CRDS, DEPLOY / "operator", DEPLOY / "remediation"):
            for file in sorted(folder.glob("*.yaml")):
                if "deployment" not in file.name:
                    plane.apply(file)
        plane.kubectl("wait", "--for=condition=Established", "crd/platformhealths.platformhealth.dev")
        kubeconfig = plane.service_account_kubeconfig("platform-health-system", "platform-health")
        log = plane.folder / "operator.log"
        with log.open("wb") as output:
            command = [sys.executable, "-m", "platform_health.cli.main", "run", "--kubeconfig", str(kubeconfig)]
            process = subprocess.Popen(
                [*command, "--warm-up", "0", "--listen", "127.0.0.1:0"],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
            self.process, self.log = process, log
            try:
                yield
            finally:
                process.terminate()
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    # --- questions ---------------------------------------------------------------------------------------------

    def current(self) -> dict[str, Any]:
        """The status of the report."""
        text = self.plane.kubectl("get", "platformhealth", NAME, "-o", "json")
        status: dict[str, Any] = json.loads(text).get("status", {})
        return status

    def is_settled(self) -> bool:
        """Whether the report was judged and nothing is settling any more."""
        status = self.current()
        return self.condition("Ready", status) == "True" and not status["summary"]["settling"]

    def is_healthy(self) -> bool:
        """Whether the operator says that nothing is wrong."""
        status = self.current()
        return self.condition("Healthy", status) == "True" and not status["summary"]["settling"]

    @staticmethod
    def condition(name: str, status: dict[str, Any]) -> str:
        """The status of one condition."""
        return next((entry["status"] for entry in status.get("conditions", []) if entry["type"] == name), "")

    def pods_are_up(self) -> bool:
        """Whether every pod but the one that can never be placed is ready."""
        pods = json.loads(self.plane.kubectl("get", "pods", "-A", "-o", "json"))["items"]
        waiting = [pod for pod in pods if not any(_is_ready(entry) for entry in pod["status"].get("conditions", []))]
        return bool(pods) and all("qwen-72b" in pod["metadata"]["name"] for pod in waiting)

    def wait(self, what: str, done: Callable[[], bool], patience: float = 90.0, *, quiet: bool = False) -> None:
        """Waits for something with a bound; says what the operator wrote where it never comes."""
        if not quiet:
            step(f"waiting for {what}")
        end = time.monotonic() + patience
        while not done():
            process = getattr(self, "process", None)
            if time.monotonic() > end or (process is not None and process.poll() is not None):
                if process is not None:
                    print(self.log.read_text(errors="replace")[-4000:], file=sys.stderr)
                raise SystemExit(f"waited {patience:.0f} s for {what} in vain")
            time.sleep(0.5)


def _is_ready(entry: dict[str, Any]) -> bool:
    return entry["type"] == "Ready" and entry["status"] == "True"


def title(text: str) -> None:
    """A heading."""
    print(f"\n{bold('== ' + text)}")


def step(text: str) -> None:
    """One thing that is being done."""
    print(f"    {text}", flush=True)


def shell(text: str) -> None:
    """A command as a reader would type it."""
    print(dim(f"$ {text}"))


def mark(severity: str) -> str:
    """The severity, in its colour."""
    return paint(severity, {"error": "31", "warning": "33"}.get(severity, "36"))


def bold(text: str) -> str:
    """Bold text."""
    return paint(text, "1")


def dim(text: str) -> str:
    """Text in the background."""
    return paint(text, "2")


def paint(text: str, code: str) -> str:
    """Text in a colour, where the output is a terminal."""
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


if __name__ == "__main__":
    sys.exit(main())
