"""`explain` and `list`: names however they are spelled, and what they import."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from platform_health.cli.main import main
from platform_health.invariants import by_name, discover, families, modules


@pytest.mark.parametrize(
    "spelled", ["RouteBackendsExist", "routebackendsexist", "route_backends_exist", "Route-Backends-Exist"]
)
def test_explain_takes_a_name_however_it_is_spelled(spelled: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", spelled]) == 0
    assert capsys.readouterr().out.startswith("# RouteBackendsExist\n")


@pytest.mark.parametrize("spelled", ["RouteBackendExist", "route_backend_exist"])
def test_explain_says_what_was_meant(spelled: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", spelled]) == 2
    assert "did you mean RouteBackendsExist?" in capsys.readouterr().err


def test_explain_imports_one_invariant_and_nothing_heavy() -> None:
    script = (
        "import sys\nfrom platform_health.cli.main import main\n"
        "main(['explain', 'RouteBackendsExist'])\n"
        "parts = [name.split('.') for name in sys.modules if name.startswith('platform_health.invariants.')]\n"
        "own = [names for names in parts if len(names) == 4]\n"
        "heavy = {'kopf', 'kubernetes', 'pydantic', 'aiohttp', 'httpx', 'ruamel', 'rich', 'prometheus_client'}\n"
        "print('LOADED', len(own), heavy & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED 1 set()"


def test_list_names_every_invariant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "-o", "json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == [entry.name for entry in discover()]


def test_list_of_one_family(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--family", "scaling", "-o", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows
    assert {row["family"] for row in rows} == {"scaling"}
    assert main(["list", "--family", "scales"]) == 2
    assert "expected one of gitops, inference" in capsys.readouterr().err


def test_names_are_known_without_importing() -> None:
    assert list(modules()) == [entry.name for entry in discover()]
    assert by_name("PoolIsRouted").name == "PoolIsRouted"
    assert families() == sorted({entry.family for entry in discover()})
