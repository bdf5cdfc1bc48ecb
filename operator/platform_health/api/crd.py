"""The CustomResourceDefinition of PlatformHealth, generated from its models.

Kubernetes wants a *structural* schema: no references, a type everywhere, null only where it says so. What pydantic
prints is JSON Schema; this module translates it, so that the models stay the only place where a field is described.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from pydantic import BaseModel

from platform_health.api.spec import Spec
from platform_health.api.status import Status
from platform_health.views.platform import GROUP, VERSION, PlatformHealth

SHORT_NAME = "ph"

Schema = dict[str, Any]

COLUMNS = (
    ("Healthy", "string", '.status.conditions[?(@.type=="Healthy")].status', "No error and no warning is active."),
    ("Errors", "integer", ".status.summary.errors", "Active errors."),
    ("Warnings", "integer", ".status.summary.warnings", "Active warnings."),
    ("Fixed", "integer", ".status.summary.fixed", "Fixes that were applied and verified."),
    ("Top Finding", "string", ".status.topFinding", "The first active finding."),
    ("Age", "date", ".metadata.creationTimestamp", "When the report was created."),
)
WIDE_COLUMNS = (
    (
        "Ready",
        "string",
        '.status.conditions[?(@.type=="Ready")].reason',
        "Whether the report is complete, and why not.",
    ),
    ("Mode", "string", ".spec.remediation.mode", "What may be repaired."),
)


def definition() -> Schema:
    """The CustomResourceDefinition as an object."""
    kind = PlatformHealth.kind
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.resource, "labels": {"app.kubernetes.io/name": "platform-health"}},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": [SHORT_NAME],
            },
            "scope": "Cluster",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        *(_column(*column, priority=0) for column in COLUMNS),
                        *(_column(*column, priority=1) for column in WIDE_COLUMNS),
                    ],
                    "schema": {"openAPIV3Schema": _root()},
                }
            ],
        },
    }


def _column(name: str, type_: str, path: str, description: str, *, priority: int) -> Schema:
    column = {"name": name, "type": type_, "jsonPath": path, "description": description}
    return column | {"priority": priority} if priority else column


def _root() -> Schema:
    spec = structural(Spec)
    return {
        "type": "object",
        "description": "PlatformHealth is a report about everything an inference platform needs to hold.",
        "properties": {
            "apiVersion": {"type": "string", "description": "Group and version of this representation."},
            "kind": {"type": "string", "description": "PlatformHealth."},
            "metadata": {"type": "object"},
            "spec": {**spec, "default": {}},
            "status": without_defaults(structural(Status)),
        },
    }


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of a model."""
    schema = model.model_json_schema(by_alias=True)
    return _node(schema, schema.get("$defs", {}))


def without_defaults(node: Schema) -> Schema:
    """The schema of a status: whoever writes it says everything, and what is read back is what was written."""
    kept = {key: value for key, value in node.items() if key != "default"}
    if "properties" in kept:
        kept["properties"] = {name: without_defaults(part) for name, part in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = without_defaults(kept["items"])
    return kept


_KEPT = (
    "description", "type", "format", "enum", "pattern", "required",
    "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "maxProperties",
)  # fmt: skip


def _node(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    if "anyOf" in schema:
        schema = {**schema, **_without_null(schema["anyOf"])}
    if "$ref" in schema:
        schema = {**definitions[schema["$ref"].rpartition("/")[2]], **schema}
    node: Schema = {key: deepcopy(schema[key]) for key in _KEPT if key in schema}
    node |= {key: value for key, value in schema.items() if key.startswith("x-kubernetes-")}
    if "const" in schema:
        node["enum"] = [schema["const"]]
    if "properties" in schema:
        node["properties"] = {name: _node(part, definitions) for name, part in schema["properties"].items()}
    if "items" in schema:
        node["items"] = _node(schema["items"], definitions)
    if isinstance(schema.get("additionalProperties"), dict):
        node["additionalProperties"] = _node(schema["additionalProperties"], definitions)
    if "description" in node:
        node["description"] = " ".join(node["description"].split())
    default = schema.get("default")
    if isinstance(default, dict) and "properties" in schema:
        # The parts have defaults of their own, which apply inside an empty object.
        node["default"] = {}
    elif default not in (None, "", [], {}):
        node["default"] = default
    return node


def _without_null(alternatives: list[Schema]) -> Schema:
    others = [alternative for alternative in alternatives if alternative.get("type") != "null"]
    if len(others) != 1:
        raise TypeError(f"a structural schema knows no alternatives: {alternatives}")
    return others[0]
