"""Nothing in published, correct manifests is an error; what is wrong in the broken ones is found."""

from __future__ import annotations

from pathlib import Path

import pytest

import corpus

pytestmark = pytest.mark.skipif(not corpus.CORPUS.is_dir(), reason=f"no published manifests at {corpus.CORPUS}")


@pytest.mark.parametrize("scenario", corpus.scenarios("clean"), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_clean(scenario: Path) -> None:
    outcome = corpus.scan(scenario)
    assert not outcome.of("error")
    assert not outcome.unreadable


@pytest.mark.parametrize("scenario", corpus.scenarios("broken"), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_broken(scenario: Path) -> None:
    outcome = corpus.scan(scenario)
    assert not [defect for defect in outcome.defects if defect.is_covered and not outcome.is_found(defect)]
    assert not outcome.unexpected()
