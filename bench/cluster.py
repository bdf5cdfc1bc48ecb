"""A control plane with the operator on it, under its service account, for benchmarks."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from e2e.controlplane import ControlPlane
from e2e.waiting import eventually

ROOT = Path(__file__).parent.parent


class Api:
    """Plain requests to the API server as admin, without a client library in the way of the clock."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self._context = ssl.create_default_context(cafile=str(plane.ca_file))

    def open(self, method: str, path: str, body: Any = None, content: str = "application/json") -> Any:
        """The response of one request, to be read or streamed."""
        request = urllib.request.Request(
            self.plane.server + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": content, "Authorization": f"Bearer {self.plane.admin_token}"},
            method=method,
        )
        return urllib.request.urlopen(request, context=self._context, timeout=120)

    def call(self, method: str, path: str, body: Any = None, content: str = "application/json") -> Any:
        """The decoded answer of one request."""
        with self.open(method, path, body, content) as answer:
            return json.load(answer)


@contextmanager
def cluster(*, with_nodes: bool = False) -> Iterator[tuple[ControlPlane, Api]]:
    """A control plane with the definitions and rights that the operator needs."""
    with ControlPlane(with_nodes=with_nodes, with_scheduler=with_nodes) as plane:
        plane.install_crds("gateway-api", "inference", "prometheus", "argocd", "keda", "nvidia", ROOT / "crds")
        for file in sorted((ROOT / "deploy" / "operator").glob("*.yaml")):
            if "deployment" not in file.name:
                plane.apply(file)
        yield plane, Api(plane)


@contextmanager
def operator(plane: ControlPlane) -> Iterator[subprocess.Popen[bytes]]:
    """The operator as a process of its own; ended with the block."""
    kubeconfig = plane.service_account_kubeconfig("platform-health-system", "platform-health")
    command = [sys.executable, "-m", "platform_health.cli.main", "run", "--kubeconfig", str(kubeconfig)]
    log = plane.folder / "operator.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--listen", "127.0.0.1:0", "--no-leader-elect", "--log-level", "warning"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def report(api: Api, name: str = "bench", settle: int = 0) -> None:
    """Creates a PlatformHealth object."""
    api.call(
        "POST",
        "/apis/platformhealth.dev/v1alpha1/platformhealths",
        {
            "apiVersion": "platformhealth.dev/v1alpha1",
            "kind": "PlatformHealth",
            "metadata": {"name": name},
            "spec": {"settleSeconds": settle, "maxFindings": 200, "remediation": {"mode": "Report"}},
        },
    )


def wait_until_ready(api: Api, name: str = "bench", timeout: float = 180.0) -> None:
    """Waits until the report has been judged."""

    def ready() -> bool:
        status = api.call("GET", f"/apis/platformhealth.dev/v1alpha1/platformhealths/{name}").get("status", {})
        return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in status.get("conditions", []))

    eventually(ready, "the report to be ready", timeout=timeout)


def cpu_and_memory(pid: int) -> tuple[float, float, float]:
    """CPU seconds, current and peak resident MB of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return seconds, int(status["VmRSS"].split()[0]) / 1024, int(status["VmHWM"].split()[0]) / 1024
