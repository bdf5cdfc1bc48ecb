"""What we read from YAML is what the API server reads from the same bytes."""

from __future__ import annotations

import json
import ssl
import urllib.request

import pytest

from e2e.controlplane import ControlPlane
from platform_health import yaml

pytestmark = pytest.mark.cluster

SCALARS = [
    "yes",
    "no",
    "on",
    "off",
    "y",
    "n",
    "Yes",
    "NO",
    "On",
    "true",
    "True",
    "TRUE",
    "false",
    "null",
    "~",
    "Null",
    "0644",
    "0o644",
    "0x1F",
    "0b101",
    "+1",
    "-1",
    "1_000",
    ".5",
    "1.",
    "1e3",
    "1.0",
    "12e03",
    "1:30",
    "190:20:30",
    "2026-01-01",
    "2026-01-01T00:00:00Z",
    "'yes'",
    '"1"',
    "1.10",
    "0.1",
    "1e-7",
    "123456789012345678",
    "=",
    "<",
    "a:b",
    "08",
    "09",
    "0",
]
BLOCKS = {
    "literal": "|\n      one\n      two\n",
    "folded": ">-\n      one\n      two\n",
    "anchored": "&a {x: 1}\n    again: *a\n    merged: {<<: *a, y: 2}\n",
    "doubled": "1\n    doubled: 2\n",
    "numbers": "{1: a, 2.5: b, true: c}\n",
    "empty": "\n    other: ''\n",
}


@pytest.fixture(scope="module")
def server(control_plane: ControlPlane) -> ControlPlane:
    control_plane.install_crds("nvidia")
    return control_plane


def stored(server: ControlPlane, name: str, text: str) -> dict[str, object]:
    request = urllib.request.Request(
        f"{server.server}/apis/nvidia.com/v1/clusterpolicies",
        text.encode(),
        {"Content-Type": "application/yaml", "Authorization": f"Bearer {server.admin_token}"},
        method="POST",
    )
    context = ssl.create_default_context(cafile=str(server.ca_file))
    with urllib.request.urlopen(request, context=context) as answer:
        body = json.load(answer)
    server.kubectl("delete", "clusterpolicy", name)
    spec: dict[str, object] = body["spec"]
    return spec


def head(name: str) -> str:
    return f"apiVersion: nvidia.com/v1\nkind: ClusterPolicy\nmetadata: {{name: {name}}}\nspec:\n"


def ours(text: str) -> dict[str, object]:
    (document,) = yaml.documents(text.encode())
    assert isinstance(document, yaml.Document), document
    spec: dict[str, object] = document.value["spec"]
    return spec


def test_scalars(server: ControlPlane) -> None:
    text = head("scalars") + "".join(f"    s{number}: {scalar}\n" for number, scalar in enumerate(SCALARS))
    ours_, theirs = ours(text), stored(server, "scalars", text)
    for number, scalar in enumerate(SCALARS):
        key = f"s{number}"
        assert (type(ours_.get(key)), ours_.get(key)) == (type(theirs.get(key)), theirs.get(key)), scalar


@pytest.mark.parametrize("name", BLOCKS)
def test_structures(server: ControlPlane, name: str) -> None:
    text = head(name) + f"    {name}: {BLOCKS[name]}"
    assert ours(text) == stored(server, name, text)
