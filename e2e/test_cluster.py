"""No cluster is written to that was not asked for by name, and no run looks green that ran on nothing."""

import json
from pathlib import Path

import pytest

from e2e.cluster import ClusterUnavailable, chosen_cluster, docker_problem
from e2e.test_binaries import program


@pytest.mark.parametrize("choice", ["", "context", "context:", "current", "minikube"])
def test_only_named_clusters_are_taken(choice: str) -> None:
    """The current context is never meant."""
    with pytest.raises(ClusterUnavailable, match="context:NAME"):
        chosen_cluster(choice)


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubeconfig with two contexts, of which one is current, and a kubectl as far as it matters here."""
    clusters = [{"name": name, "cluster": {"server": f"https://{name}.invalid"}} for name in ("mine", "current")]
    contexts = [{"name": name, "context": {"cluster": name, "user": ""}} for name in ("mine", "current")]
    config = {"apiVersion": "v1", "kind": "Config", "clusters": clusters, "contexts": contexts}
    path = tmp_path / "config"
    path.write_text(json.dumps(config | {"current-context": "current"}))
    monkeypatch.setenv("KUBECONFIG", str(path))


@pytest.mark.cluster
def test_a_named_context_is_seen_alone(kubeconfig: None) -> None:
    """The copy has that context as its current one, and no other."""
    with chosen_cluster("context:mine") as cluster:
        assert cluster.kubectl("config", "get-contexts", "-o", "name").split() == ["mine"]
        assert cluster.kubectl("config", "current-context").strip() == "mine"
    assert not cluster.kubeconfig.exists()


@pytest.mark.cluster
def test_a_context_that_does_not_exist_is_refused(kubeconfig: None) -> None:
    """With kubectl's own words."""
    with pytest.raises(ClusterUnavailable, match="other"), chosen_cluster("context:other"):
        pass


def test_kind_without_an_engine_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A docker command alone runs no containers."""
    program(tmp_path / "docker", 'echo "Cannot connect to the Docker daemon" >&2; exit 1')
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterUnavailable, match="its engine does not answer: Cannot connect"):
        chosen_cluster("kind").__enter__()
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert docker_problem() == "there is no docker command"
