"""One engine, three ways in: the operator says what a scan of the cluster says, and what a scan of its dump says."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from e2e.controlplane import ControlPlane
from e2e.test_operator import MANIFESTS, ROOT, Operator, Report
from e2e.waiting import eventually
from platform_health.views.kinds import KINDS

pytestmark = pytest.mark.cluster

PLATFORM = ROOT / "deploy" / "demo" / "platform"
SEED = int(os.environ.get("PARITY_SEED", "7"))
CHANGES = 40

Verdicts = set[tuple[str, str, str, str, str]]


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A control plane of its own with the platform of the demo."""
    with ControlPlane() as plane:
        plane.install_crds("gateway-api", "inference", "prometheus", "argocd", "keda", "nvidia", ROOT / "crds")
        for file in MANIFESTS:
            plane.apply(ROOT / "deploy" / "operator" / file)
        plane.node("cpu-1")
        plane.node("gpu-1", gpus=4)
        plane.kubectl("apply", "-f", str(PLATFORM / "namespaces.yaml"))
        plane.kubectl("apply", "-f", str(PLATFORM))
        yield plane


def verdicts(document: dict[str, Any]) -> Verdicts:
    """What counts of a report: which invariant says how badly what about which object."""
    return {
        (
            finding["invariant"],
            finding["severity"],
            f"{finding['object']['kind']}/{finding['object'].get('namespace', '')}/{finding['object']['name']}",
            finding["at"],
            finding["message"],
        )
        for finding in document["findings"]
    }


def scan(*arguments: str) -> Verdicts:
    """The verdicts of `platform-health scan`."""
    command = [sys.executable, "-m", "platform_health.cli.main", "scan", *arguments, "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr + done.stdout[-2000:]
    return verdicts(json.loads(done.stdout))


def of_cluster(plane: ControlPlane) -> Verdicts:
    """The verdicts of a one-shot scan of the cluster."""
    return scan("--cluster", "--kubeconfig", str(plane.kubeconfig))


def of_dump(plane: ControlPlane, folder: Path) -> Verdicts:
    """The verdicts of a scan of everything that kubectl gets."""
    served = plane.kubectl("api-resources", "--no-headers", "-o", "name").split()
    names = [kind.resource for kind in KINDS if kind.via != "never" and kind.resource in served]
    dump = folder / "dump.json"
    dump.write_text(plane.kubectl("get", ",".join(names), "-A", "-o", "json"))
    return scan(str(dump), "--closed-world", "--now", datetime.now(UTC).isoformat())


def change(plane: ControlPlane, dice: random.Random) -> str:
    """One random change of the platform."""
    number = dice.randrange(9)
    port = dice.choice((8000, 8001, 9002, 9003))
    changes = {
        0: (
            "patch",
            "-n",
            "llm",
            "inferencepool",
            "llama",
            "--type=merge",
            patch({"spec": {"targetPorts": [{"number": port}]}}),
        ),
        1: ("label", "-n", "llm", "servicemonitor", "vllm", "--overwrite", f"release={dice.choice('ab')}"),
        2: ("label", "-n", "llm", "servicemonitor", "vllm", "release-"),
        3: ("scale", "-n", "llm", "deployment", "llama", f"--replicas={dice.randrange(3)}"),
        4: ("delete", "-n", "llm", "service", "llama-epp", "--ignore-not-found"),
        5: ("apply", "-f", str(PLATFORM / "llama.yaml")),
        6: ("delete", "-n", "llm", "networkpolicy", "from-gateway", "--ignore-not-found"),
        7: ("apply", "-f", str(PLATFORM / "network.yaml")),
        8: (
            "patch",
            "-n",
            "llm",
            "httproute",
            "llama",
            "--type=merge",
            patch({"spec": {"hostnames": [f"{port}.example.com"]}}),
        ),
    }
    plane.kubectl(*changes[number])
    return " ".join(changes[number])


def patch(value: dict[str, Any]) -> str:
    """A patch as one argument."""
    return f"--patch={json.dumps(value)}"


class Comparison:
    """The verdicts of all three ways."""

    def __init__(self, plane: ControlPlane, operator: Operator, folder: Path) -> None:
        self._plane, self._operator, self._folder = plane, operator, folder
        self.operator: Verdicts = set()
        self.others: dict[str, Verdicts] = {}

    def agrees(self) -> bool:
        """Whether all say the same now."""
        self.operator = verdicts(json.loads(self._operator.get("/findings"))["reports"][0])
        self.others = {"cluster": of_cluster(self._plane), "dump": of_dump(self._plane, self._folder)}
        return all(other == self.operator for other in self.others.values())

    def differences(self) -> str:
        """Who says what alone."""
        return "\n".join(
            f"only {name}: {other - self.operator}\nonly the operator: {self.operator - other}"
            for name, other in self.others.items()
        )


def test_the_operator_says_what_a_scan_says(plane: ControlPlane, tmp_path: Path) -> None:
    dice = random.Random(SEED)
    history: list[str] = []
    Report(plane, "parity").apply(select=["*"], remediation={"mode": "Report"})
    with Operator(plane, "--no-leader-elect") as operator:
        comparison = Comparison(plane, operator, tmp_path)
        for _ in range(4):
            history += [change(plane, dice) for _ in range(CHANGES // 4)]
            try:
                eventually(comparison.agrees, "the same verdicts three ways", timeout=40)
            except AssertionError:
                raise AssertionError(f"seed {SEED}: {history}\n{comparison.differences()}") from None
            assert comparison.operator, "the platform is broken, so that something must be found"
