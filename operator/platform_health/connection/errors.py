"""What goes wrong between us and an API server, converted once.

::

    ApiError                    anything; carries status, reason and the API server's own words
    ├── Unreachable             no answer: refused, no such host, TLS, time-out, kubeconfig that leads nowhere
    ├── Unauthorized   401      the credentials are not accepted
    ├── Forbidden      403      they are, but RBAC does not allow this
    ├── NotFound       404      no such object, or no such kind
    ├── Conflict       409      exists already, or was modified in between, or another manager owns a field
    ├── Gone           410      a resource version or continue token that has expired
    ├── Invalid   400, 413, 422 the request itself is wrong; the same request will never succeed
    └── Busy       429, 5xx     try again later; ``retry_after`` says when, in seconds
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class ApiError(Exception):
    """An answer of the API server that is no success. ``status`` is 0 where there was no answer."""

    def __init__(
        self, message: str, *, status: int = 0, reason: str = "", details: Any = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.reason, self.details, self.retry_after = status, reason, details or {}, retry_after


class Unreachable(ApiError):
    """There was no answer."""


class Unauthorized(ApiError):
    """The credentials are not accepted."""


class Forbidden(ApiError):
    """The credentials do not allow this."""


class NotFound(ApiError):
    """No such object or kind."""


class Conflict(ApiError):
    """It exists already, was modified in between, or belongs to another manager."""


class Gone(ApiError):
    """A resource version or continue token has expired."""


class Invalid(ApiError):
    """The request is wrong and will stay so."""


class Busy(ApiError):
    """The API server cannot answer now."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: Invalid,
    422: Invalid,
    429: Busy,
}


class _Status(msgspec.Struct):
    """A ``metav1.Status`` as far as it is read."""

    message: str | None = None
    reason: str | None = None
    details: dict[str, Any] | None = None


def api_error(status: int, body: bytes, where: str, headers: Mapping[str, str] | None = None) -> ApiError:
    """The error that an answer with this status means. ``where`` is the method and path, for people."""
    try:
        said = msgspec.json.decode(body, type=_Status)
    except (msgspec.DecodeError, msgspec.ValidationError):
        said = _Status(body[:200].decode(errors="replace"))
    kind = _BY_STATUS.get(status, Busy if status >= 500 else ApiError)
    details = said.details or {}
    if "request is too large" in (said.message or ""):
        kind = Invalid
    retry_after = details.get("retryAfterSeconds") or (headers or {}).get("Retry-After")
    return kind(
        f"{where}: the API server answered {status} {said.reason or ''}: {said.message or 'without a message'}",
        status=status,
        reason=said.reason or "",
        details=details,
        retry_after=_seconds(retry_after),
    )


def _seconds(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
