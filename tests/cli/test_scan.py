"""The command line on files: exit codes, messages, and what it imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from platform_health.cli.main import main

BROKEN = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec: {gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: chat}
spec:
  parentRefs: [{name: gw}]
  rules:
  - backendRefs:
    - {name: lama, port: 80}
---
apiVersion: v1
kind: Service
metadata: {name: llama}
spec: {selector: {app: llama}, ports: [{port: 80, targetPort: 8000}]}
"""
HEALTHY = BROKEN.replace("lama,", "llama,")


def scan(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["scan", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_finding_is_exit_1_and_names_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text(BROKEN)
    code, out, _ = scan(capsys, file)
    assert code == 1
    assert f"{file}:13: error RouteBackendsExist" in out
    assert "did you mean llama?" in out


def test_healthy_is_exit_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "platform.yaml").write_text(HEALTHY)
    assert scan(capsys, tmp_path)[0] == 0


@pytest.mark.parametrize(("level", "code"), [("error", 1), ("warning", 1), ("info", 1), ("never", 0)])
def test_fail_on(level: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "platform.yaml").write_text(BROKEN)
    assert scan(capsys, tmp_path, "--fail-on", level)[0] == code


def test_json_is_versioned_and_complete(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "platform.yaml").write_text(BROKEN)
    _, out, _ = scan(capsys, tmp_path, "-o", "json", "--select", "routing")
    document = json.loads(out)
    assert document["version"] == 1
    assert document["summary"]["errors"] == 1
    (finding,) = document["findings"]
    assert finding["object"] == {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "namespace": "default",
        "name": "chat",
    }
    assert (finding["line"], finding["state"], finding["cause"]) == (13, "active", None)
    assert set(document) == {"version", "summary", "findings", "ignored", "unknown", "unreadable", "skipped"}


def test_two_outputs_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "platform.yaml").write_text(BROKEN)
    report = tmp_path / "report.json"
    _, out, _ = scan(capsys, tmp_path / "in", "-o", "text", "-o", f"json={report}")
    assert "RouteBackendsExist" in out
    assert json.loads(report.read_text())["summary"]["errors"] == 1


def test_the_order_of_files_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, document in enumerate(BROKEN.split("---\n")):
        (tmp_path / f"{number}.yaml").write_text(document)
    ids = []
    for arguments in (["0.yaml", "1.yaml", "2.yaml"], ["2.yaml", "1.yaml", "0.yaml"]):
        _, out, _ = scan(capsys, *(tmp_path / name for name in arguments), "-o", "json")
        ids.append([(entry["id"], entry["line"]) for entry in json.loads(out)["findings"]])
    assert ids[0] == ids[1] != []


def test_list_is_unfolded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import yaml

    items = list(yaml.safe_load_all(BROKEN))
    file = tmp_path / "dump.yaml"
    file.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items}))
    code, out, _ = scan(capsys, file, "-o", "json", "--select", "routing")
    (finding,) = json.loads(out)["findings"]
    assert code == 1
    assert "lama" in file.read_text().splitlines()[finding["line"] - 1]


def test_stdin(capsys: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "platform_health.cli.main", "scan", "-"], input=BROKEN.encode(), capture_output=True
    )
    assert done.returncode == 1
    assert b"<stdin>:13" in done.stdout


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("broken.yaml", b"kind: [unclosed\n", "broken.yaml"),
        ("types.yaml", b"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports: [{port: many}]\n", "port"),
        ("binary.yaml", b"\x00\x01\x02" * 100, "binary"),
        ("latin.yaml", b"apiVersion: v1\nkind: Service\nmetadata: {name: caf\xe9}\n", "UTF-8"),
        ("nameless.yaml", b"apiVersion: v1\nkind: Service\nmetadata: {}\n", "metadata.name"),
        ("labels.yaml", b"apiVersion: v1\nkind: Service\nmetadata: {name: a, labels: {v: 1}}\n", "labels"),
    ],
)
def test_what_cannot_be_read_is_exit_2_and_loses_nothing_else(
    name: str, content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "platform.yaml").write_text(BROKEN)
    code, out, _ = scan(capsys, tmp_path)
    assert code == 2
    assert "unreadable" in out
    assert said in out
    assert "RouteBackendsExist" in out


def test_missing_path_is_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = scan(capsys, tmp_path / "nowhere")
    assert code == 2
    assert "no such file" in out


def test_empty_directory_is_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = scan(capsys, tmp_path)
    assert code == 2
    assert "no Kubernetes object" in err


def test_no_path_is_usage(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = scan(capsys)
    assert code == 2
    assert "nothing to scan" in err


def test_misspelt_invariant_is_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "platform.yaml").write_text(BROKEN)
    code, _, err = scan(capsys, tmp_path, "--select", "RouteBackendExist")
    assert code == 2
    assert "did you mean RouteBackendsExist?" in err


def test_values_that_are_no_objects_are_skipped_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "values.yaml").write_text("replicaCount: 2\n")
    (tmp_path / "platform.yaml").write_text(HEALTHY)
    code, out, _ = scan(capsys, tmp_path, "-o", "json")
    assert code == 0
    assert json.loads(out)["summary"]["skipped"] == 1


def test_ten_megabytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filler = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big%d}\ndata: {text: '" + "x" * 100_000 + "'}\n---\n"
    (tmp_path / "big.yaml").write_text("".join(filler % number for number in range(100)) + BROKEN)
    code, out, _ = scan(capsys, tmp_path)
    assert code == 1
    assert "RouteBackendsExist" in out


def test_ages_come_from_the_dump_or_from_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "platform.yaml").write_text(HEALTHY)
    assert scan(capsys, tmp_path, "--now", "2026-01-01T00:00:00Z")[0] == 0
    code, _, err = scan(capsys, tmp_path, "--now", "yesterday")
    assert code == 2
    assert "RFC 3339" in err


def test_object_annotation_ignores_with_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ignore = 'platformhealth.dev/ignore: "RouteBackendsExist: canary until 2999-01-01"'
    annotated = BROKEN.replace("metadata: {name: chat}", f"metadata: {{name: chat, annotations: {{{ignore}}}}}")
    (tmp_path / "platform.yaml").write_text(annotated)
    code, out, _ = scan(capsys, tmp_path, "-o", "json", "--select", "RouteBackendsExist")
    document = json.loads(out)
    assert code == 0
    assert document["findings"] == []
    assert [entry["reason"] for entry in document["ignored"]] == ["canary"]


def test_secret_values_are_dropped_while_reading(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {token: hunter2}\n---\n"
    (tmp_path / "platform.yaml").write_text(secret + BROKEN)
    _, out, err = scan(capsys, tmp_path, "-o", "json", "-o", "text", "-v")
    assert "hunter2" not in out + err


def test_scan_imports_neither_kopf_nor_kubernetes(tmp_path: Path) -> None:
    (tmp_path / "platform.yaml").write_text(BROKEN)
    script = (
        "import sys\nfrom platform_health.cli.main import main\n"
        f"main(['scan', {str(tmp_path)!r}])\n"
        "heavy = {'kopf', 'kubernetes', 'pydantic', 'aiohttp', 'httpx', 'ruamel', 'rich', 'prometheus_client'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=os.environ, check=True)
    assert "LOADED []" in done.stdout
