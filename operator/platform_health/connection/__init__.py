"""The way to an API server: credentials, sessions, and errors converted once.

Only this package knows kubeconfigs, tokens and TLS. Everything that talks to the API server does so through a
:class:`Connection`, either by its few verbs, which answer decoded JSON, or through a session of its own
(:meth:`Connection.new_session`), as kopf needs one that belongs to its thread. What goes wrong arrives as an
:class:`ApiError`; :mod:`platform_health.connection.errors` draws the tree.

``aiohttp`` and ``kubernetes`` are imported when a connection is opened, never with this package: judging files needs
neither of them.
"""

from platform_health.connection.client import (
    APPLY_PATCH,
    JSON,
    JSON_PATCH,
    MERGE_PATCH,
    USER_AGENT,
    Connection,
    close_session,
)
from platform_health.connection.credentials import connect
from platform_health.connection.errors import (
    ApiError,
    Busy,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Unauthorized,
    Unreachable,
    api_error,
)

__all__ = [
    "APPLY_PATCH",
    "JSON",
    "JSON_PATCH",
    "MERGE_PATCH",
    "USER_AGENT",
    "ApiError",
    "Busy",
    "Conflict",
    "Connection",
    "Forbidden",
    "Gone",
    "Invalid",
    "NotFound",
    "Unauthorized",
    "Unreachable",
    "api_error",
    "close_session",
    "connect",
]
