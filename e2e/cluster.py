"""Which cluster the scenarios run on: chosen by the environment variable CLUSTER, never by the current context.

`embedded` (the default) is a control plane of our own; `kind` is a kind cluster in Docker, through pytest-kind;
`context:NAME` is an existing cluster, which the scenarios write to. It must be named, so that nobody's current context
is written to by accident.
"""

import contextlib
import importlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from e2e.binaries import binaries
from e2e.cache import cache_home
from e2e.controlplane import ControlPlane
from e2e.kubectl import Cluster, write_private

KIND_CLUSTER = "platform-health-e2e"
# pytest-kind's own defaults are from 2022, and Kubernetes 1.25 knows little of what is tested here.
KIND_VERSION, KIND_KUBECTL_VERSION = "v0.31.0", "v1.35.0"


class ClusterUnavailable(Exception):
    """The cluster that was asked for cannot be used; the message says why."""


def chosen_cluster(choice: str) -> AbstractContextManager[Cluster]:
    """The cluster that `choice` (the value of CLUSTER) names, while the returned context lasts.

    Raises ClusterUnavailable, at the latest on entering it.
    """
    kind, _, name = choice.partition(":")
    if kind == "context" and name:
        return existing_cluster(name)
    if choice == "kind":
        return kind_cluster()
    if choice == "embedded":
        return ControlPlane(audit=True)
    raise ClusterUnavailable(
        f"CLUSTER is {choice!r}; it may be embedded, kind, or context:NAME (a context of your kubeconfig)"
    )


@contextmanager
def existing_cluster(context: str) -> Iterator[Cluster]:
    """A cluster of the user's kubeconfig, seen through a copy that knows no other cluster."""
    program = binaries(["kubectl"])["kubectl"]
    view: list[str | Path] = [program, "config", "view", "--raw", "--minify", "--flatten", f"--context={context}"]
    done = subprocess.run(view, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterUnavailable(f"CLUSTER is context:{context}: {done.stderr.strip()}")
    with tempfile.TemporaryDirectory() as folder:
        kubeconfig = Path(folder) / "kubeconfig"
        write_private(kubeconfig, done.stdout)
        yield Cluster(kubeconfig, program, Path(folder))


@contextmanager
def kind_cluster() -> Iterator[Cluster]:
    """A kind cluster that is made here and removed at the end."""
    if problem := docker_problem():
        raise ClusterUnavailable(f"CLUSTER is kind, which needs Docker: {problem}")
    folder = cache_home() / "kind"
    folder.mkdir(parents=True, exist_ok=True)
    kubectl = folder / f"kubectl-{KIND_KUBECTL_VERSION}"
    pytest_kind: Any = importlib.import_module("pytest_kind.cluster")
    pytest_kind.KIND_VERSION, pytest_kind.KUBECTL_VERSION = KIND_VERSION, KIND_KUBECTL_VERSION
    with tempfile.TemporaryDirectory() as session:
        kubeconfig = Path(session) / "kubeconfig"
        with contextlib.chdir(session):
            kind = pytest_kind.KindCluster(
                KIND_CLUSTER, kubeconfig=kubeconfig, kind_path=folder / f"kind-{KIND_VERSION}", kubectl_path=kubectl
            )
        kind.ensure_kubectl()
        try:
            kind.create()
            yield Cluster(kubeconfig, kubectl, Path(session))
        finally:
            kind.delete()


def docker_problem() -> str | None:
    """Why containers cannot be run with Docker, None when they can."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    try:
        done = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "there is a docker command, but its engine does not answer within 20 s"
    if done.returncode != 0:
        return f"there is a docker command, but its engine does not answer: {done.stderr.strip()}"
    return None
