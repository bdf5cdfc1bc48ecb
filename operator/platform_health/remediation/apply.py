"""The few requests that repairs make, and what their failures mean.

Existing objects are only ever changed by a JSON Patch whose first tests are uid and resourceVersion, never forced. New
objects come through server-side apply, which would also merge into an object that somebody made a moment ago: whether
it was really created is read from the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from platform_health.connection import (
    APPLY_PATCH,
    ApiError,
    Busy,
    Conflict,
    Connection,
    Forbidden,
    Invalid,
    NotFound,
    Unauthorized,
    Unreachable,
)
from platform_health.invariant import Operation
from platform_health.remediation.guard import FIELD_MANAGER
from platform_health.remediation.patch import Raw
from platform_health.views.view import Ref


class Cluster(Protocol):
    """What repairs need of an API server. Failures are the ApiErrors of :mod:`platform_health.connection`."""

    async def get(self, ref: Ref, api_version: str) -> Raw:
        """The object as it is now; NotFound where it is not there."""

    async def patch(self, ref: Ref, api_version: str, operations: Sequence[Operation], *, dry_run: bool) -> Raw:
        """The object after a JSON Patch, or as it would be after a dry run."""

    async def create(self, ref: Ref, document: Raw, *, dry_run: bool) -> tuple[Raw, bool]:
        """The object after a server-side apply, and whether it was created by it."""

    async def delete(self, ref: Ref, api_version: str, uid: str) -> None:
        """Deletes this very object; Conflict where another one has its name."""


class ApiCluster:
    """A :class:`Cluster` behind a connection. ``manager`` is the field manager that writes are made under."""

    def __init__(self, connection: Connection, manager: str = FIELD_MANAGER) -> None:
        self._connection, self._manager = connection, manager

    async def get(self, ref: Ref, api_version: str) -> Raw:
        """The object as it is now."""
        raw: Raw = await self._connection.get(path(ref, api_version))
        return raw

    async def patch(self, ref: Ref, api_version: str, operations: Sequence[Operation], *, dry_run: bool) -> Raw:
        """The object after a JSON Patch."""
        body = msgspec.json.encode(operations)
        raw: Raw = await self._connection.patch(path(ref, api_version), body, params=self._params(dry_run))
        return raw

    async def create(self, ref: Ref, document: Raw, *, dry_run: bool) -> tuple[Raw, bool]:
        """The object after a server-side apply, never forced."""
        async with self._connection.open(
            "PATCH",
            path(ref, str(document["apiVersion"])),
            body=document,
            content_type=APPLY_PATCH,
            params=self._params(dry_run),
        ) as response:
            return msgspec.json.decode(await response.read()), response.status == 201

    async def delete(self, ref: Ref, api_version: str, uid: str) -> None:
        """Deletes this very object."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        await self._connection.delete(path(ref, api_version), body)

    def _params(self, dry_run: bool) -> dict[str, str]:
        params = {"fieldManager": self._manager, "fieldValidation": "Strict"}
        return params | {"dryRun": "All"} if dry_run else params


def path(ref: Ref, api_version: str) -> str:
    """The path of one object below the API server's address."""
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    namespace = f"/namespaces/{ref.namespace}" if ref.namespace else ""
    return f"{root}{namespace}/{ref.kind.plural}/{ref.name}"


Meaning = Literal["changed", "denied", "refused", "gone", "later", "unknown"]
"""``changed``: a guard did not hold, look again. ``denied``: RBAC. ``refused``: it will never succeed. ``gone``: no
such object. ``later``: surely not done, try later. ``unknown``: perhaps done, read before anything else."""


def meaning(error: ApiError) -> Meaning:
    """What a failed write means for what comes next."""
    match error:
        case Conflict():
            return "changed"
        case Invalid():
            return "changed" if is_failed_test(error) else "refused"
        case Forbidden():
            return "refused" if is_admission(error) else "denied"
        case Unauthorized():
            return "later"
        case NotFound():
            return "gone"
        case Busy():
            return "later" if error.status == 429 else "unknown"
        case Unreachable():
            return "unknown"
    return "refused"


def is_failed_test(error: ApiError) -> bool:
    """Whether a JSON Patch met other values than its tests expect, or its places are gone.

    The API server answers 422 to both this and an invalid object; only the text differs.
    """
    text = str(error)
    return "the server rejected our request due to an error in our request" in text or "testing value" in text


def is_admission(error: ApiError) -> bool:
    """Whether an admission webhook or policy refused, which RBAC rights cannot help."""
    text = str(error)
    return "admission webhook" in text or "ValidatingAdmissionPolicy" in text


def may_not(verb: str, ref: Ref) -> str:
    """What to say to a person where RBAC does not allow a repair."""
    return f"may not {verb} {ref.kind.resource}; install the remediation role (deploy/remediation)"
