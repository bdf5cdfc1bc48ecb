"""The cluster that the scenarios share, and a namespace for each of them."""

import os
from collections.abc import Iterator

import pytest

from e2e.binaries import binaries
from e2e.cluster import ClusterUnavailable, chosen_cluster
from e2e.controlplane import ControlPlane
from e2e.kubectl import Cluster


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The cluster chosen by the environment variable CLUSTER; see `e2e.cluster`.

    The run ends when it is not to be had: a run that skips what was asked for looks like one that succeeded.
    """
    choice = os.environ.get("CLUSTER", "embedded")
    try:
        if choice == "embedded":
            _build_in_sight(request.config)
        with chosen_cluster(choice) as cluster:
            yield cluster
    except ClusterUnavailable as reason:
        pytest.exit(str(reason), returncode=1)


@pytest.fixture(scope="session")
def control_plane(cluster: Cluster) -> ControlPlane:
    """The embedded control plane, for what only it can do: GPU nodes, crashes of the API server, the audit log."""
    if not isinstance(cluster, ControlPlane):
        pytest.skip("needs the embedded control plane (CLUSTER=embedded)")
    return cluster


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """The name of a fresh namespace."""
    name = cluster.new_namespace()
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def _build_in_sight(config: pytest.Config) -> None:
    """Build with the output going to the user: a first build takes minutes, and pytest would hide what it says."""
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        binaries()
        return
    with capture.global_and_fixture_disabled():
        binaries()
