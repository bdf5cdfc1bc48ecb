"""A real Kubernetes control plane without containers, for as long as a `with` block lasts.

etcd, kube-apiserver with RBAC, kube-controller-manager and kube-scheduler are the real programs. The only thing played
is what happens on nodes: KWOK makes nodes ready and their pods run, by the rules in `stages.yaml`.

Run `python -m e2e.controlplane up` to have one in the foreground until Ctrl-C.
"""

import argparse
import base64
import fcntl
import json
import os
import secrets
import shutil
import signal
import ssl
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from e2e.binaries import BuildError, binaries
from e2e.kubectl import Cluster, KubectlError, write_kubeconfig, write_private
from e2e.processes import Child, free_port, in_keeper
from e2e.schemas import SchemaError
from e2e.toolchain import ToolchainError
from e2e.waiting import eventually

STAGES = Path(__file__).with_name("stages.yaml")
AUDIT_POLICY = Path(__file__).with_name("audit-policy.yaml")
STAY = "e2e.platformhealth.dev/stay"
"""The annotation that keeps a pod Pending, NotReady or in CrashLoopBackOff."""

FOLDER_PREFIX = "platform-health-controlplane-"
# Reserved for documentation (RFC 5737): says plainly that nothing answers there.
ADVERTISED, NODE_IP = "192.0.2.1", "192.0.2.2"

# Each part is a user of its own, as in any cluster, so that the audit log tells them and the tests apart.
USERS = {
    "admin": ("admin", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", "system:authenticated"),
    "kube-scheduler": ("system:kube-scheduler", "system:authenticated"),
    "kwok": ("kwok", "system:masters"),
}


class StartError(Exception):
    """A part of the control plane did not come up; the message has the end of its log."""


class ControlPlane(Cluster):
    """A control plane of one's own; several may run side by side.

    `with_nodes` runs KWOK, without which no node gets ready; `with_scheduler` runs the scheduler, without which every
    pod stays Pending; `audit` writes down every request, see `audit_events`.

    Raises StartError when it does not come up, and what `e2e.binaries.binaries` raises.
    """

    server: str
    ca_file: Path
    admin_token: str
    audit_log: Path

    def __init__(self, *, with_nodes: bool = True, with_scheduler: bool = True, audit: bool = False) -> None:
        self._with_nodes, self._with_scheduler, self._audit = with_nodes, with_scheduler, audit
        self._children: dict[str, Child] = {}
        self._programs: Mapping[str, Path] = {}
        self._alive: TextIO | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Bring it up; when this returns, pods can be created. Building the programs comes first, if need be."""
        self._programs = binaries()
        for attempt in range(3):
            try:
                self._start()
            except BaseException as error:
                self.stop()
                if attempt == 2 or not (isinstance(error, StartError) and "address already in use" in str(error)):
                    raise
            else:
                return

    def stop(self) -> None:
        """End every process and remove every file. Nothing is saved, so nothing is asked to end on its own."""
        in_keeper(self._kill_all)
        if self._alive is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._alive.close()
            self._alive = None

    @property
    def pids(self) -> Mapping[str, int]:
        """The process ids by the name of the program."""
        return {name: child.pid for name, child in self._children.items()}

    def log(self, name: str) -> str:
        """What the program `name` has written so far."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def check(self) -> None:
        """StartError with the end of its log if a program has ended by itself."""
        for child in list(self._children.values()):
            _raise_if_ended(child)

    def stop_apiserver(self) -> None:
        """Take the API server away as a crash does: connections break, nobody says goodbye."""
        in_keeper(self._children.pop("kube-apiserver").kill)

    def start_apiserver(self) -> None:
        """Bring the API server (back) up, on the same port, with the same data and keys, and wait until it is ready."""
        flags = self._apiserver_flags() + (self._audit_flags() if self._audit else [])
        self._wait_for(self._spawn("kube-apiserver", *flags), f"{self.server}/readyz")

    def restart_apiserver(self, downtime: float = 0.0) -> None:
        """Let the API server crash and come back after `downtime` seconds.

        Controllers, scheduler and nodes find it again by themselves: at once after a short downtime, and within a
        minute after a long one, as client-go asks ever less often.
        """
        self.stop_apiserver()
        time.sleep(downtime)
        self.start_apiserver()

    def audit_events(self) -> list[dict[str, Any]]:
        """The finished requests, oldest first (`audit.k8s.io/v1` Event): who (`user`), what (`verb`, `objectRef`)."""
        lines = self.audit_log.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def node(
        self,
        name: str,
        gpus: int = 0,
        labels: Mapping[str, str] | None = None,
        taints: Sequence[str] = (),
        *,
        cpu: str = "64",
        memory: str = "512Gi",
    ) -> None:
        """Add a node (with `gpus` of nvidia.com/gpu) and wait until pods may be scheduled to it.

        `taints` are written as kubectl writes them, such as `nvidia.com/gpu=present:NoSchedule`.
        """
        if not self._with_nodes:
            raise ValueError("without KWOK (with_nodes) no node ever gets ready")
        resources = {"cpu": cpu, "memory": memory, "pods": "1000"}
        if gpus:
            resources["nvidia.com/gpu"] = str(gpus)
        own_labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": own_labels | dict(labels or {})},
            "spec": {"taints": [_taint(text) for text in taints]},
            "status": {"capacity": resources, "allocatable": resources},
        }
        self.kubectl("create", "-f", "-", input=json.dumps(node))
        eventually(lambda: self._takes_pods(name), f"node {name} is ready")

    def _takes_pods(self, node: str) -> bool:
        found = json.loads(self.kubectl("get", "node", node, "-o", "json"))
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in found["status"].get("conditions", []))
        return ready and "node.kubernetes.io/not-ready" not in {t["key"] for t in found["spec"].get("taints", [])}

    def _start(self) -> None:
        self._make_folder()
        self._start_etcd()
        self._port = free_port()
        self.server = f"https://127.0.0.1:{self._port}"
        self.start_apiserver()
        self._write_kubeconfigs()
        self._spawn("kube-controller-manager", *self._controller_manager_flags())
        if self._with_scheduler:
            kubeconfig = self._kubeconfig_of("kube-scheduler")
            self._spawn("kube-scheduler", f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0")
        if self._with_nodes:
            self._spawn("kwok", *self._kwok_flags())
        self.wait_for_default_service_account("default")
        self.check()

    def _make_folder(self) -> None:
        remove_orphaned_folders()
        folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
        super().__init__(folder / "kubeconfig", self._programs["kubectl"], folder)
        self._alive = _sign_of_life(folder)
        self.ca_file = folder / "certificates" / "apiserver.crt"
        self.audit_log = folder / "audit.log"
        self._tokens = {name: secrets.token_urlsafe(32) for name in USERS}
        self.admin_token = self._tokens["admin"]
        rows = (f'{token},{USERS[name][0]},{name},"{USERS[name][1]}"\n' for name, token in self._tokens.items())
        write_private(folder / "tokens.csv", "".join(rows))

    def _start_etcd(self) -> None:
        self._etcd, peers = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        flags = [
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={self._etcd}",
            f"--advertise-client-urls={self._etcd}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]
        self._wait_for(self._spawn("etcd", *flags), f"{self._etcd}/health")

    def _apiserver_flags(self) -> list[str]:
        """The self-made serving key also signs the service accounts' tokens: one key fewer to make."""
        key = self.ca_file.with_suffix(".key")
        return [
            f"--etcd-servers={self._etcd}",
            "--bind-address=127.0.0.1",
            f"--advertise-address={ADVERTISED}",
            f"--secure-port={self._port}",
            f"--cert-dir={self.ca_file.parent}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={key}",
            f"--service-account-key-file={key}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--allow-privileged=true",
        ]

    def _audit_flags(self) -> list[str]:
        return [f"--audit-policy-file={AUDIT_POLICY}", f"--audit-log-path={self.audit_log}"]

    def _controller_manager_flags(self) -> list[str]:
        return [
            f"--kubeconfig={self._kubeconfig_of('kube-controller-manager')}",
            "--use-service-account-credentials",
            f"--service-account-private-key-file={self.ca_file.with_suffix('.key')}",
            f"--root-ca-file={self.ca_file}",
            "--leader-elect=false",
            "--secure-port=0",
            # Its usual 20 requests a second would make start-up wait for the forty service accounts of its controllers.
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
        ]

    def _kwok_flags(self) -> list[str]:
        return [
            f"--kubeconfig={self._kubeconfig_of('kwok')}",
            f"--config={STAGES}",
            "--manage-all-nodes=true",
            f"--node-ip={NODE_IP}",
            "--cidr=10.128.0.1/16",
            "--node-lease-duration-seconds=40",
            f"--server-address=127.0.0.1:{free_port()}",
        ]

    def _spawn(self, name: str, *flags: str) -> Child:
        # Not our own environment: etcd takes options from it, and a proxy would be asked for the loopback address.
        env = {"PATH": os.defpath, "HOME": str(self.folder), "TMPDIR": str(self.folder)}

        def spawn() -> Child:
            child = Child(name, [self._programs[name], *flags], self.folder / f"{name}.log", env)
            self._children[name] = child
            return child

        return in_keeper(spawn)

    def _wait_for(self, child: Child, url: str, timeout: float = 60.0) -> None:
        deadline = time.monotonic() + timeout
        while not self._answers(url):
            _raise_if_ended(child)
            if time.monotonic() > deadline:
                raise StartError(f"{child.name} did not get ready within {timeout:g} s:\n{child.last_lines()}")
            time.sleep(0.05)

    def _answers(self, url: str) -> bool:
        if url.startswith("https:") and not self.ca_file.exists():
            return False
        try:
            with self._browser().open(
                urllib.request.Request(url, headers={"Authorization": f"Bearer {self.admin_token}"}), timeout=5
            ):
                return True
        except (OSError, urllib.error.URLError):
            return False

    def _browser(self) -> urllib.request.OpenerDirector:
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if self.ca_file.exists():
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(self.ca_file))))
        return urllib.request.build_opener(*handlers)

    def _write_kubeconfigs(self) -> None:
        authority = base64.b64encode(self.ca_file.read_bytes()).decode()
        cluster = {"server": self.server, "certificate-authority-data": authority}
        for name, token in self._tokens.items():
            write_kubeconfig(self._kubeconfig_of(name), cluster=cluster, token=token)

    def _kubeconfig_of(self, name: str) -> Path:
        return self.kubeconfig if name == "admin" else self.folder / f"{name}.kubeconfig"

    def _kill_all(self) -> None:
        for child in reversed(self._children.values()):
            child.kill()
        self._children.clear()


def _raise_if_ended(child: Child) -> None:
    if (code := child.exit_code) is not None:
        raise StartError(f"{child.name} ended with exit code {code}:\n{child.last_lines()}")


def _taint(text: str) -> dict[str, str]:
    key_and_value, _, effect = text.rpartition(":")
    key, _, value = key_and_value.partition("=")
    return {"key": key, "value": value, "effect": effect}


def _sign_of_life(folder: Path) -> TextIO:
    """A locked file in `folder`, which gets its name once it is locked: nobody meets it unlocked before our end."""
    sign = (folder / "alive.new").open("w")
    fcntl.flock(sign, fcntl.LOCK_EX)
    (folder / "alive.new").rename(folder / "alive")
    return sign


def remove_orphaned_folders() -> None:
    """Remove what a control plane left behind whose process was killed and could not clean up."""
    for sign in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*/alive"):
        try:
            with sign.open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(sign.parent, ignore_errors=True)
        except OSError:
            continue


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a control plane in the foreground until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m e2e.controlplane", description=main.__doc__)
    up = parser.add_subparsers(required=True, metavar="up").add_parser("up", help=main.__doc__)
    up.add_argument("--crds", nargs="*", default=[], metavar="GROUP", help="definitions to install, e.g. gateway-api")
    up.add_argument("--gpu-nodes", type=int, default=0, metavar="N", help="nodes to add, with 8 GPUs each")
    options = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with ControlPlane() as control_plane:
            control_plane.install_crds(*options.crds)
            for index in range(options.gpu_nodes):
                control_plane.node(f"gpu-{index}", gpus=8)
            print(f"export KUBECONFIG={control_plane.kubeconfig}", flush=True)
            print("The control plane is up; Ctrl-C ends it.", file=sys.stderr, flush=True)
            while True:
                control_plane.check()
                time.sleep(1)
    except KeyboardInterrupt:
        print("Ended.", file=sys.stderr)
        return 0
    except (BuildError, KubectlError, SchemaError, StartError, ToolchainError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
