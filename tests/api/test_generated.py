"""What is generated is current, structural, and asks for no right too many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from platform_health.api import generate, rights
from platform_health.api.crd import definition
from platform_health.invariants import discover
from platform_health.reporting.report import kinds_needed

SCHEMA = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
ALLOWED = {
    "type", "description", "format", "enum", "pattern", "required", "properties", "items", "additionalProperties",
    "minimum", "maximum", "minLength", "maxLength", "maxItems", "maxProperties", "default",
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations",
    "x-kubernetes-preserve-unknown-fields",
}  # fmt: skip


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from nodes(part, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if name in schema:
            yield from nodes(schema[name], f"{path}[]")


def test_generated_files_are_up_to_date() -> None:
    assert generate.outdated() == [], "run make generate"


@pytest.mark.parametrize(("path", "node"), list(nodes(SCHEMA)))
def test_the_schema_is_structural(path: str, node: dict[str, Any]) -> None:
    """No references, no alternatives, a type everywhere, lists with a merge strategy, integers with a format."""
    assert set(node) <= ALLOWED
    assert "type" in node or node.get("x-kubernetes-preserve-unknown-fields")
    if node.get("type") == "array":
        assert node["x-kubernetes-list-type"] in ("atomic", "map")
        assert "maxItems" in node
    if node.get("type") == "integer":
        assert node["format"] in ("int32", "int64")


def test_what_the_design_promises() -> None:
    version = definition()["spec"]["versions"][0]
    columns = [column["name"].upper() for column in version["additionalPrinterColumns"] if not column.get("priority")]
    assert columns == ["HEALTHY", "ERRORS", "WARNINGS", "FIXED", "TOP FINDING", "AGE"]
    spec, status = SCHEMA["properties"]["spec"]["properties"], SCHEMA["properties"]["status"]["properties"]
    assert definition()["spec"]["names"]["shortNames"] == ["ph"]
    assert definition()["spec"]["scope"] == "Cluster"
    assert spec["remediation"]["properties"]["mode"]["enum"] == ["Report", "Propose", "Apply"]
    assert spec["remediation"]["properties"]["maxFixesPerHour"]["maximum"] == 20
    assert spec["maxFindings"]["maximum"] == 200
    assert status["findings"]["x-kubernetes-list-type"] == "atomic"
    assert status["findings"]["items"]["properties"]["message"]["maxLength"] == 256
    assert status["conditions"]["x-kubernetes-list-map-keys"] == ["type"]
    assert status["fixes"]["maxItems"] == 20
    assert not [path for path, node in nodes(SCHEMA["properties"]["status"]) if "default" in node]


def test_reading_covers_what_invariants_need_and_nothing_else() -> None:
    """Never Secrets, never a wildcard, never a write to anybody else's object."""
    needed = {kind for kind in kinds_needed(discover()) if kind.via != "never"}
    assert set(rights.read_kinds(discover())) == needed
    rules = rights.operator_rules(discover())
    assert {verb for rule in rules for verb in rule["verbs"] if verb not in ("get", "list", "watch")} == {
        "create",
        "patch",
    }
    for rule in [*rules, *rights.lease_rules(), *rights.remediation_rules(discover())]:
        assert "secrets" not in rule["resources"]
        assert not {"*"} & {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        assert not {"delete", "deletecollection", "escalate", "bind", "impersonate"} & set(rule["verbs"])


def test_yaml_has_no_anchors() -> None:
    for path, text in generate.generated().items():
        assert "&id" not in text, path
        assert list(yaml.safe_load_all(text))
