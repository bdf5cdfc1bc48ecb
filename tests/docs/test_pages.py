"""Every invariant has a page that is up to date, and `explain` prints it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import pages
from platform_health.cli import explain
from platform_health.cli.main import main
from platform_health.invariants import discover

NAMES = [entry.name for entry in discover()]


def test_pages_are_up_to_date() -> None:
    assert pages.outdated() == [], "run make generate"


def test_a_page_of_no_invariant_is_outdated(tmp_path: Path) -> None:
    (tmp_path / "PoolIsPurple.md").write_text("# PoolIsPurple\n")
    assert [path.name for path in pages.outdated({}, tmp_path)] == ["PoolIsPurple.md"]


def test_the_guides_name_exactly_the_invariants_there_are() -> None:
    """An invariant that none of the guides names stands there with an empty text: that is a decision, too."""
    assert set(pages.NAMED_IN) <= set(NAMES), "NAMED_IN in docs/pages.py names what does not exist"
    assert set("".join(pages.NAMED_IN.values())) <= set(pages.GUIDES)


def test_the_chosen_examples_exist() -> None:
    files = {entry.name: {path.stem for path in pages.worlds_of(entry)} for entry in discover()}
    chosen = pages.EXAMPLES.items()
    gone = [f"{name}: {case}" for name, case in chosen if f"violated_when_{case}" not in files.get(name, ())]
    assert gone == [], "correct EXAMPLES in docs/pages.py"


@pytest.mark.parametrize("name", NAMES)
def test_docstrings_say_why_what_to_do_and_where_to_read_on(name: str) -> None:
    (invariant,) = (entry for entry in discover() if entry.name == name)
    parts = re.findall(r"^ *(Why|Remedy|See): *\S", invariant.page, re.MULTILINE)
    assert parts == ["Why", "Remedy", "See"]
    assert invariant.title.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_explain_prints_the_page(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", name]) == 0
    assert capsys.readouterr().out == (pages.PAGES / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_page_shows_an_example_and_when_it_is_silent(name: str) -> None:
    text = (pages.PAGES / f"{name}.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings[0].startswith("Violated when ")
    assert headings[1].startswith(("Repaired", "Holds when "))
    assert "It stays silent when" in headings
    assert not re.search(r"# (error|warning|info|unknown) [A-Z]", text), "an expectation is left in the text"


def test_every_invariant_is_found_by_family_symptom_and_guide() -> None:
    index = (pages.PAGES / "README.md").read_text(encoding="utf-8")
    for section in re.split(r"^## ", index, flags=re.MULTILINE)[1:]:
        assert set(re.findall(r"\]\((\w+)\.md\)", section)) == set(NAMES), section.splitlines()[0]


def test_no_symptom_is_declared_in_vain() -> None:
    said = [text for invariant in discover() for text in pages.symptoms(invariant)]
    assert [
        heading for heading, pattern in pages.SYMPTOMS.items() if not any(re.search(pattern, text) for text in said)
    ] == []


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("holds_when_gpu_is_free.yaml", "GPU is free"),
        ("violated_when_a_route_is_taken.fixed.yaml", "a route is taken"),
        ("unknown_when_prometheus_is_paused.yaml", "Prometheus is paused"),
    ],
)
def test_names_of_files_become_sentences(file: str, said: str) -> None:
    assert pages.sentence(Path(file)) == said


def test_explain_without_pages_prints_what_the_invariant_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(explain, "PAGES", tmp_path)
    assert main(["explain", NAMES[0]]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"# {NAMES[0]}\n")
    assert "| severity |" in out
    assert "\n## " not in out
