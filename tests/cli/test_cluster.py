"""The command line where the cluster cannot be had: a clear message and exit code 3, never a traceback."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from platform_health.cli.main import main

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: here
contexts: [{{name: here, context: {{cluster: here, user: me}}}}]
clusters: [{{name: here, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: me, user: {{token: hunter2}}}}]
"""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG.format(port=port))
    return file


@pytest.mark.parametrize("command", [["scan", "--cluster"], ["undo", "some-fix"], ["run", "--listen", "127.0.0.1:0"]])
def test_nobody_answers(command: list[str], kubeconfig: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--kubeconfig", str(kubeconfig)]) == 3
    said = capsys.readouterr().err
    assert "127.0.0.1" in said
    assert "Traceback" not in said
    assert "hunter2" not in said


@pytest.mark.parametrize("command", [["scan", "--cluster"], ["undo", "some-fix"]])
def test_no_such_context(command: list[str], kubeconfig: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--kubeconfig", str(kubeconfig), "--context", "elsewhere"]) == 3
    assert "elsewhere" in capsys.readouterr().err


def test_no_kubeconfig(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "--cluster", "--kubeconfig", str(tmp_path / "none")]) == 3
    assert "none" in capsys.readouterr().err
