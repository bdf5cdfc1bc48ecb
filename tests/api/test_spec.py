"""A spec is followed, or refused with a sentence for whoever wrote it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from platform_health.api.spec import InvalidSpec, Spec, parse_spec
from platform_health.invariant import Severity
from platform_health.invariants import discover
from platform_health.reporting.report import Ignore
from platform_health.reporting.scope import check_names, scope_of


@pytest.mark.parametrize("spec", [{}, None, {"remediation": None, "select": None}])
def test_an_empty_spec_has_the_defaults(spec: Any) -> None:
    """An older CRD may not fill them in, and null means absent."""
    parsed = parse_spec(spec)
    assert parsed == Spec()
    assert (parsed.remediation.mode, parsed.settle_seconds, parsed.max_findings) == ("Propose", 15, 50)


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"remediation": {"mode": False}}, "spec.remediation.mode", "mode is false: YAML reads Off"),
        ({"remediation": {"mode": "Heal"}}, "spec.remediation.mode", "'Report', 'Propose' or 'Apply'"),
        ({"remediation": {"maxFixesPerHour": 21}}, "spec.remediation.maxFixesPerHour", "less than or equal to 20"),
        ({"maxFindings": 201}, "spec.maxFindings", "less than or equal to 200"),
        ({"ignore": [{"invariant": "X"}]}, "spec.ignore[0].reason", "is required"),
        ({"ignore": [{"invariant": "X", "reason": "  "}]}, "spec.ignore[0].reason", "match pattern"),
        ({"ignore": [{"invariant": "X", "reason": "r", "until": "soon"}]}, "spec.ignore[0].until", "date"),
        ({"namespaces": {"matchNames": ["a"], "matchLabels": {"a": "b"}}}, "spec.namespaces", "exclude each other"),
        ({"severity": {"X": "fatal"}}, "spec.severity.X", "'error', 'warning' or 'info'"),
        ({"probes": {"prometheus": {"url": "http://me:secret@prometheus"}}}, "spec.probes.prometheus.url", "pattern"),
        ("everything", "spec", "must be an object"),
    ],
)
def test_what_cannot_be_followed_is_named(spec: Any, field: str, words: str) -> None:
    """The field, what was found or expected, and nothing of pydantic."""
    with pytest.raises(InvalidSpec) as refused:
        parse_spec(spec)
    assert str(refused.value).startswith(field)
    assert words in str(refused.value)
    assert "pydantic" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_fields_of_a_newer_version_are_ignored() -> None:
    """The CRD is upgraded before the operator."""
    assert parse_spec({"notYetKnown": 1}) == Spec()


def test_a_spec_becomes_a_scope() -> None:
    """Stars mean everything, severities are ours, seconds are seconds."""
    spec = parse_spec(
        {
            "namespaces": {"matchLabels": {"tier": "inference"}},
            "select": ["routing"],
            "severity": {"RouteBackendsExist": "info"},
            "ignore": [
                {"invariant": "RouteBackendsExist", "namespace": "lab", "name": "*", "kind": "*", "reason": "a lab",
                 "until": "2027-01-31"}
            ],
            "settleSeconds": 3,
            "objectIgnores": "Refuse",
        }
    )  # fmt: skip
    scope = scope_of(spec)
    assert scope.match_labels == {"tier": "inference"}
    assert scope.severity == {"RouteBackendsExist": Severity.INFO}
    assert scope.ignore == (
        Ignore(invariant="RouteBackendsExist", namespace="lab", reason="a lab", until=date(2027, 1, 31)),
    )
    assert (scope.settle_seconds, scope.honour_object_ignores) == (3.0, False)


def test_a_misspelled_name_is_refused() -> None:
    """A report that selects nothing would look healthy."""
    with pytest.raises(
        InvalidSpec, match=r"spec.select: 'rooting' is no invariant and no family; did you mean routing"
    ):
        check_names(parse_spec({"select": ["rooting"]}), discover())
    with pytest.raises(InvalidSpec, match=r"spec.remediation.allow: 'RouteBackendsExists' is no invariant"):
        check_names(parse_spec({"remediation": {"allow": ["RouteBackendsExists"]}}), discover())
    check_names(
        parse_spec({"select": ["*", "routing", "Route*"], "severity": {"IgnoresAreCurrent": "warning"}}), discover()
    )
