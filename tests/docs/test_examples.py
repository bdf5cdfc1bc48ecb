"""What the written pages show is what the code takes and says."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from platform_health.api.spec import parse_spec
from platform_health.api.status import ProposedFix, Status
from platform_health.cli.main import main, parser
from platform_health.invariants import discover
from platform_health.remediation import guard, journal, plan
from platform_health.reporting.scope import check_names

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WRITTEN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]


def blocks(file: Path) -> Iterator[str]:
    """The indented code blocks of a page."""
    for found in re.finditer(r"(?:^(?:    .*)?\n)+", file.read_text(encoding="utf-8"), re.MULTILINE):
        if found[0].strip():
            yield re.sub(r"^    ", "", found[0], flags=re.MULTILINE)


def block(name: str, start: str) -> Any:
    text = next(text for text in blocks(DOCS / name) if text.strip().startswith(start))
    return yaml.safe_load(text.replace("{…}", "{}"))


def commands() -> Iterator[str]:
    for file in WRITTEN:
        for text in blocks(file):
            for line in text.splitlines():
                for found in re.finditer(r"(?:^|\| |\$ )platform-health ([a-z].*?)(?:\s+#.*)?$", line):
                    yield found[1]


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_commands_are_understood(command: str) -> None:
    parser().parse_args(shlex.split(command))


def test_the_spec_of_the_example_is_accepted() -> None:
    spec = parse_spec(block("status.md", "apiVersion: platformhealth.dev")["spec"])
    check_names(spec, discover())
    check_names(parse_spec(block("remediation.md", "spec:")["spec"]), discover())


def test_the_status_of_the_example_is_one() -> None:
    shown = block("status.md", "status:")["status"]
    for finding in shown["findings"]:
        del finding["fix"]
    Status.model_validate(shown)


def test_the_proposal_of_the_example_is_one() -> None:
    (finding,) = block("remediation.md", "findings:")["findings"]
    ProposedFix.model_validate(finding["fix"])


def test_reasons_of_conditions_are_those_that_the_code_gives() -> None:
    package = ROOT / "operator" / "platform_health"
    code = "".join((package / name).read_text() for name in ("reporting/status.py", "controller/repairing.py"))
    given = {
        *re.findall(r'^[A-Z_]+ = "([A-Z]\w+)"$', code, re.MULTILINE),
        *re.findall(r'"(?:False|Unknown|True)", "(\w+)"', code),
    }
    given |= {"ModeReport", "ModePropose"}
    text = (DOCS / "status.md").read_text()
    table = text[text.index("| type | True") : text.index("Ready says")]
    assert set(re.findall(r"`([A-Z]\w+)`", table)) == given - {"StatusTooLarge", "False"}


def test_figures_of_the_gates_are_those_of_the_code() -> None:
    text = " ".join((DOCS / "remediation.md").read_text().split())
    assert (plan.WARM_UP, plan.MASS_SHARE, plan.MASS_COUNT, plan.MASS_WINDOW) == (120, 0.2, 5, 60)
    assert (plan.BREAKER_COUNT, journal.CAPACITY, guard.MAX_INVERSE_BYTES) == (3, 20, 4096)
    assert frozenset(re.findall(r"`(env|envFrom|args|command)`", text)) == guard.DELICATE
    assert all(f"`{state}`" in text for state in ("Applying", "Applied", *journal.UNWANTED))


def test_the_json_of_the_example_has_the_fields_of_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "platform.yaml").write_text(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: chat}\n"
        "spec: {parentRefs: [{name: gw}], rules: [{backendRefs: [{name: lama, port: 80}]}]}\n---\n"
        "apiVersion: v1\nkind: Service\nmetadata: {name: llama}\nspec: {ports: [{port: 80}]}\n"
    )
    main(["scan", str(tmp_path), "-o", "json"])
    real, shown = json.loads(capsys.readouterr().out), block("files.md", "{")
    assert set(shown) == set(real)
    assert set(shown["summary"]) == set(real["summary"])
    assert set(shown["findings"][0]) == set(real["findings"][0])
    assert set(shown["unknown"][0]) == set(real["unknown"][0])
