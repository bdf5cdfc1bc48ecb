"""A cluster as a test sees it: a kubeconfig, and what can be done with it through kubectl."""

import json
import os
import secrets
import subprocess
from collections.abc import Mapping
from pathlib import Path

from e2e.processes import leashed
from e2e.schemas import crds
from e2e.waiting import eventually


class KubectlError(Exception):
    """kubectl failed; `stderr` is what it said."""

    def __init__(self, arguments: tuple[str, ...], stderr: str) -> None:
        super().__init__(f"kubectl {' '.join(arguments)}: {stderr}")
        self.stderr = stderr


class Cluster:
    """A cluster reached through the file `kubeconfig` alone, with the program `kubectl_program`.

    `folder` takes what belongs to the session: kubeconfigs of service accounts, kubectl's cache.
    """

    kubeconfig: Path
    kubectl_program: Path
    folder: Path

    def __init__(self, kubeconfig: Path, kubectl_program: Path, folder: Path) -> None:
        self.kubeconfig, self.kubectl_program, self.folder = kubeconfig, kubectl_program, folder

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002 - the word subprocess has for it
        kubeconfig: Path | None = None,
        timeout: float = 120.0,
    ) -> str:
        """What `kubectl ARGUMENTS` prints; KubectlError when it fails or takes longer than `timeout` seconds.

        `kubeconfig` speaks as someone else, for instance a service account.
        """
        command = leashed([self.kubectl_program, f"--kubeconfig={kubeconfig or self.kubeconfig}", *arguments])
        try:
            done = subprocess.run(
                command, input=input, capture_output=True, text=True, env=self._env(), timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired:
            raise KubectlError(arguments, f"no answer within {timeout:g} s") from None
        if done.returncode != 0:
            raise KubectlError(arguments, done.stderr.strip())
        return done.stdout

    def apply(self, manifest: str | Path, namespace: str = "default") -> None:
        """Apply YAML text, or the files at a path, on the server's side; `namespace` is for what names none itself."""
        source, text = ("-", manifest) if isinstance(manifest, str) else (str(manifest), None)
        namespaced = () if namespace == "default" else ("--namespace", namespace)
        self.kubectl("apply", "--server-side", "--force-conflicts", *namespaced, "-f", source, input=text)

    def install_crds(self, *groups: str | Path) -> None:
        """Install definitions and wait until the API server serves them.

        A string names a group of `e2e.schemas`; a path is a file or folder of definitions.
        """
        paths = [path for group in groups for path in (crds(group) if isinstance(group, str) else [group])]
        files = [f"--filename={path}" for path in paths]
        if files:
            self.kubectl("apply", "--server-side", "--force-conflicts", *files)
            self.kubectl("wait", "--for=condition=Established", "--timeout=60s", *files)

    def new_namespace(self, prefix: str = "test") -> str:
        """Create a namespace with a name never used before, ready for pods."""
        name = f"{prefix}-{secrets.token_hex(4)}"
        self.kubectl("create", "namespace", name)
        self.wait_for_default_service_account(name)
        return name

    def wait_for_default_service_account(self, namespace: str) -> None:
        """Wait until pods may be created: admission refuses them while the account they run under is missing."""
        find = ("get", "serviceaccount", "default", "--ignore-not-found", "-o", "name", "-n", namespace)
        eventually(lambda: self.kubectl(*find), f"service account default in {namespace}")

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig with which one is that service account and no one else, for a day (TokenRequest API)."""
        token = self.kubectl("create", "token", name, "--namespace", namespace, "--duration=24h").strip()
        path = self.folder / f"{namespace}.{name}.kubeconfig"
        view = json.loads(self.kubectl("config", "view", "--minify", "--flatten", "--raw", "-o", "json"))
        write_kubeconfig(path, cluster=view["clusters"][0]["cluster"], token=token, namespace=namespace)
        return path

    def _env(self) -> dict[str, str]:
        return os.environ | {"KUBECACHEDIR": str(self.folder / "kubectl-cache"), "KUBERC": "off"}


def write_kubeconfig(path: Path, *, cluster: Mapping[str, str], token: str, namespace: str = "default") -> None:
    """Write a kubeconfig, readable by its owner only, for the server that `cluster` describes as kubeconfigs do.

    It is JSON, which is YAML too.
    """
    name = "platform-health-e2e"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": dict(cluster)}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
        "current-context": name,
    }
    write_private(path, json.dumps(config, indent=2))


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else can read at any moment."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
