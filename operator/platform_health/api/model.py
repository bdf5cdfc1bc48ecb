"""What the models of the API share: camelCase names, and the markers that a CRD schema needs beyond JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from platform_health.invariant import Severity

T = TypeVar("T")

ATOMIC = {"x-kubernetes-list-type": "atomic"}
"""A list that is replaced as a whole: field management costs nothing per item."""

SeverityName = Literal["error", "warning", "info"]
assert set(SeverityName.__args__) == set(Severity)  # type: ignore[attr-defined]

Int32 = Annotated[int, Field(json_schema_extra={"format": "int32"})]
Int64 = Annotated[int, Field(json_schema_extra={"format": "int64"})]


class Model(BaseModel):
    """Base of every part. Fields that this version does not know are ignored: a newer CRD may carry them."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, use_attribute_docstrings=True)


def cel(rule: str, message: str) -> dict[str, Any]:
    """A rule across fields that the API server checks before anything is stored."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message}]}
