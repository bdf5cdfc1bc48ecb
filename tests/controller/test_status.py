"""The status of a PlatformHealth says the report, fits its schema, and changes only when something did."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from platform_health.api.spec import Spec, parse_spec
from platform_health.api.status import Status
from platform_health.findings import Finding
from platform_health.invariant import Fix, Operation, Severity
from platform_health.reporting.ignores import merged
from platform_health.reporting.report import Report, summarise
from platform_health.reporting.status import (
    MAX_BYTES,
    Condition,
    Coverage,
    Repairs,
    first_sights,
    invalid,
    rfc3339,
    status,
    syncing,
)
from platform_health.views.core import Service
from platform_health.views.view import Ref

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC).timestamp()
COVERAGE = Coverage(invariants=3, judged=40)


def finding(number: int = 1, **changes: Any) -> Finding:
    made = Finding(
        id=f"id-{number}",
        invariant="ServerListensWhereAsked",
        family="serving",
        severity=Severity.ERROR,
        category="configuration",
        subject=Ref(Service.kind, "lab", f"server-{number}"),
        api_version="v1",
        at="spec.ports[0]",
        message="nothing listens on 8001",
        symptom="HTTP 502",
        first_seen=NOW - 60,
        state="active",
    )
    return msgspec.structs.replace(made, **changes)


def shown(*findings: Finding) -> Report:
    return Report(findings=findings, ignored=(), unknown=(), summary=summarise(findings, 0, 0))


def written(
    report: Report, previous: dict[str, Any] | None = None, now: float = NOW, spec: Spec | None = None, **given: Any
) -> dict[str, Any]:
    return status(report, spec or Spec(), 1, previous or {}, given.pop("coverage", COVERAGE), now, **given)


def conditions(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {entry["type"]: (entry["status"], entry["reason"]) for entry in document["conditions"]}


def unknown_fields(document: Any, schema: dict[str, Any], path: str = "") -> list[str]:
    if isinstance(document, list):
        return [name for item in document for name in unknown_fields(item, schema.get("items", {}), path + "[]")]
    if not isinstance(document, dict) or schema.get("x-kubernetes-preserve-unknown-fields"):
        return []
    known = schema.get("properties", {})
    return [f"{path}.{name}" for name in document if name not in known] + [
        inner
        for name, part in document.items()
        if name in known
        for inner in unknown_fields(part, known[name], f"{path}.{name}")
    ]


def test_everything_that_is_written_is_in_the_schema() -> None:
    """What is not would be pruned, and then look like a change in every cycle."""
    from platform_health.api.crd import structural

    fix = Fix(
        title="port 8000",
        safety="safe",
        target=Ref(Service.kind, "lab", "server-1"),
        patch=(Operation("replace", "/spec/ports/0/targetPort", 8000),),
    )
    journal = {
        "id": "f-1", "finding": "f", "invariant": "I", "title": "t", "state": "Applied", "message": "m",
        "object": {"apiVersion": "v1", "kind": "Service", "namespace": "lab", "name": "s", "uid": "u"},
        "subject": {"apiVersion": "v1", "kind": "Service", "name": "s"}, "patch": "[]", "inverse": "[]",
        "created": True, "objectVersion": "generation 1", "reportGeneration": 1, "started": "s", "ended": "e",
    }  # fmt: skip
    report = shown(finding(fix=fix, cause="id-2", verify="kubectl get svc", symptom="s"))
    document = written(report, repairs=Repairs(fixes=(journal,), fixed=1))
    assert unknown_fields(document, structural(Status)) == []
    Status.model_validate(document)
    grant = Fix(title="t", safety="manual", create={"kind": "ReferenceGrant", "spec": {"from": [], "to": []}})
    assert written(shown(finding(fix=grant)))["findings"][0]["fix"]["create"] == grant.create
    assert document["findings"][0]["fix"]["patch"] == [
        {"op": "replace", "path": "/spec/ports/0/targetPort", "value": 8000}
    ]


def test_nothing_changes_while_nothing_happens() -> None:
    """An hour later, after a restart, the same report gives the same bytes."""
    report = shown(finding(), finding(2, state="settling"))
    first = written(report)
    assert written(report, first, now=NOW + 3600) == first


def test_times_move_only_when_a_condition_flips() -> None:
    ill = written(shown(finding()))
    well = written(shown(), ill, now=NOW + 60)
    times = {entry["type"]: entry["lastTransitionTime"] for entry in well["conditions"]}
    assert times == {"Healthy": rfc3339(NOW + 60), "Ready": rfc3339(NOW), "Remediating": rfc3339(NOW)}
    still_ill = written(shown(finding(), finding(2)), ill, now=NOW + 60)
    assert still_ill["conditions"][0]["lastTransitionTime"] == rfc3339(NOW)
    assert "2 errors" in still_ill["conditions"][0]["message"]


def test_only_active_findings_count() -> None:
    document = written(shown(finding(state="settling")))
    assert conditions(document)["Healthy"] == ("True", "NothingViolated")
    assert document["summary"]["settling"] == 1
    assert document["topFinding"] == ""
    assert [entry["state"] for entry in document["findings"]] == ["settling"]


def test_infos_are_no_ill_health() -> None:
    assert conditions(written(shown(finding(severity=Severity.INFO))))["Healthy"][0] == "True"


def test_what_could_not_be_read_is_neither_healthy_nor_ready() -> None:
    """Unless something is known to be wrong, which stands."""
    coverage = Coverage(invariants=3, judged=4, unreadable={"gateways.gateway.networking.k8s.io": "forbidden"})
    document = written(shown(), coverage=coverage)
    assert conditions(document)["Healthy"] == ("Unknown", "KindsUnreadable")
    assert conditions(document)["Ready"] == ("False", "KindsUnreadable")
    assert document["coverage"]["unreadable"] == ["gateways.gateway.networking.k8s.io"]
    assert conditions(written(shown(finding()), coverage=coverage))["Healthy"] == ("False", "FindingsActive")


def test_the_list_is_capped_and_the_totals_are_not() -> None:
    document = written(shown(*(finding(number) for number in range(80))), spec=parse_spec({"maxFindings": 10}))
    assert len(document["findings"]) == 10
    assert document["summary"]["errors"] == 80


def test_texts_are_cut() -> None:
    document = written(shown(finding(message="ä" * 1000, symptom="x" * 1000)))
    assert len(document["findings"][0]["message"]) == 256
    assert document["findings"][0]["message"].endswith("…")
    Status.model_validate(document)


def test_a_status_always_fits_into_etcd() -> None:
    """The widest characters, the most findings, the longest patches."""
    operation = Operation("replace", "/spec/selector", {"key": "v" * 1900})
    fix = Fix(title="\U0001f600" * 300, safety="safe", patch=(operation,))
    wide = finding(message="\U0001f600" * 300, symptom="\U0001f600" * 300, verify="\U0001f600" * 300, fix=fix)
    report = shown(*(msgspec.structs.replace(wide, id=str(number)) for number in range(200)))
    journal = {"id": "f", "patch": "p" * 16_000, "inverse": "i" * 4096}
    document = written(report, spec=parse_spec({"maxFindings": 200}), repairs=Repairs(fixes=(journal,) * 20))
    assert len(msgspec.json.encode(document)) <= MAX_BYTES
    assert conditions(document)["Truncated"] == ("True", "StatusTooLarge")
    assert document["summary"]["errors"] == 200


def test_a_bad_spec_leaves_the_last_report_standing() -> None:
    good = written(shown(finding()))
    bad = invalid("spec.select: 'rooting' is no invariant", 2, good, NOW + 60)
    assert conditions(bad)["Ready"] == ("False", "InvalidSpec")
    assert conditions(bad)["Healthy"] == ("False", "FindingsActive")
    assert bad["findings"] == good["findings"]
    assert bad["summary"] == good["summary"]
    assert bad["observedGeneration"] == 2
    generations = {entry["type"]: entry["observedGeneration"] for entry in bad["conditions"]}
    assert generations == {"Healthy": 1, "Ready": 2, "Remediating": 1}
    assert invalid("spec.select: 'rooting' is no invariant", 2, bad, NOW + 120) == bad


def test_without_a_last_report_health_is_unknown() -> None:
    for document in (invalid("why", 1, {}, NOW), syncing(1, {}, NOW)):
        assert conditions(document)["Healthy"][0] == "Unknown"
        assert conditions(document)["Ready"][0] == "False"
        Status.model_validate(document)


def test_first_sights_survive_in_the_status() -> None:
    document = written(shown(finding(), finding(2, state="settling", first_seen=NOW - 5)))
    sights = {entry.id: (seen, entry.state, entry.subject) for entry, seen in first_sights(document)}
    assert sights == {
        "id-1": (NOW - 60, "active", Ref(Service.kind, "lab", "server-1")),
        "id-2": (NOW - 5, "settling", Ref(Service.kind, "lab", "server-2")),
    }
    assert list(first_sights({})) == []


CONTAINERS = {"spec": {"containers": [{"env": [{"name": "HF_TOKEN", "value": "hf_x"}]}]}}


@pytest.mark.parametrize(
    "fix",
    [
        Fix(
            title="it",
            safety="unsafe",
            patch=(Operation("replace", "/spec/template/spec/containers/0/args/3", "hf_x"),),
        ),
        Fix(title="it", safety="unsafe", patch=(Operation("add", "/data/config.yaml", "api_key: hf_x"),)),
        Fix(title="it", safety="unsafe", patch=(Operation("add", "/spec/template", CONTAINERS),)),
        Fix(title="it", safety="unsafe", create={"kind": "ConfigMap", "data": {"key": "hf_x"}}),
        Fix(title="it", safety="unsafe", patch=(Operation("add", "/spec/text", "x" * 5000),)),
    ],
)
def test_values_that_may_be_secret_stay_out(fix: Fix) -> None:
    document = written(shown(finding(fix=fix)))
    assert document["findings"][0]["fix"] == {"title": "it", "safety": "unsafe"}


def test_modes_say_what_is_shown() -> None:
    fix = Fix(title="it", safety="safe")
    document = written(shown(finding(fix=fix)), spec=parse_spec({"remediation": {"mode": "Report"}}))
    assert "fix" not in document["findings"][0]
    assert conditions(document)["Remediating"] == ("False", "ModeReport")
    braked = Condition("Remediating", "False", "Braked", "too much broke at once")
    document = written(shown(), spec=parse_spec({"remediation": {"mode": "Apply"}}), repairs=Repairs(condition=braked))
    assert conditions(document)["Remediating"] == ("False", "Braked")


def test_two_reports_become_one() -> None:
    one = msgspec.structs.replace(shown(finding()), next_change=5.0)
    other = msgspec.structs.replace(shown(finding(2, severity=Severity.INFO)), next_change=3.0)
    both = merged(one, other)
    assert [entry.id for entry in both.findings] == ["id-1", "id-2"]
    assert (both.summary.errors, both.summary.infos, both.next_change) == (1, 1, 3.0)
