"""The way to an API server: credentials, sessions, and errors converted once.

Only this module knows kubeconfigs, tokens and TLS. Everything that talks to the API server does so through a
:class:`Connection`, either by its few verbs, which answer decoded JSON, or through a session of its own
(:meth:`Connection.new_session`), as kopf needs one that belongs to its thread. What goes wrong arrives as one of

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

``aiohttp`` and ``kubernetes`` are imported when a connection is opened, never with this module: judging files needs
neither of them.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from platform_health import __version__

if TYPE_CHECKING:
    import aiohttp
    from aiohttp import ClientRequest, ClientResponse

USER_AGENT = f"platform-health/{__version__}"
TOKEN_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
NAMESPACE_FILE = TOKEN_FILE.with_name("namespace")
TOKEN_AGE = 60.0
"""After how many seconds a token is read again: the kubelet rotates it well before it expires."""

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


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


Authorization = Callable[[bool], Awaitable[str | None]]
"""Answers the Authorization header; True as argument: the last one was refused, get a new one."""


class Connection:
    """One API server with one set of credentials. Open it with :func:`connect`; close it when done."""

    def __init__(
        self,
        server: str,
        *,
        authorization: Authorization | None = None,
        tls: ssl.SSLContext | bool = True,
        tls_server_name: str | None = None,
        proxy: str | None = None,
        namespace: str = "default",
    ) -> None:
        self.server, self.namespace = server.rstrip("/"), namespace
        self._authorization, self._tls, self._tls_server_name, self._proxy = authorization, tls, tls_server_name, proxy
        self._session: aiohttp.ClientSession | None = None

    def new_session(self, middlewares: Sequence[Any] = (), **options: Any) -> aiohttp.ClientSession:
        """A session for the running loop, with our credentials and name; whoever asks closes it."""
        import aiohttp

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls),
            headers={"User-Agent": USER_AGENT},
            middlewares=(*middlewares, self._authorize),
            proxy=self._proxy,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=2**20,
            **options,
        )

    async def _authorize(
        self, request: ClientRequest, handler: Callable[[ClientRequest], Awaitable[ClientResponse]]
    ) -> ClientResponse:
        if self._tls_server_name:
            request.server_hostname = self._tls_server_name
        if self._authorization is None:
            return await handler(request)
        for again in (False, True):
            header = await self._authorization(again)
            if header is not None:
                request.headers["Authorization"] = header
            response = await handler(request)
            if response.status != 401 or again:
                break
            response.release()
        return response

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
        within: float | None = 60.0,
    ) -> AsyncIterator[ClientResponse]:
        """The response to one request, its body still to be read. ``within`` seconds; None bounds only connecting."""
        import aiohttp

        if self._session is None:
            self._session = self.new_session()
        where = f"{method} {path}"
        headers = {"Accept": accept}
        data = None
        if body is not None:
            headers["Content-Type"] = content_type
            data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        limits = aiohttp.ClientTimeout(total=within, sock_connect=10.0)
        try:
            async with self._session.request(
                method, self.server + path, params=params, data=data, headers=headers, timeout=limits
            ) as response:
                if response.status >= 400:
                    raise api_error(response.status, await response.read(), where, response.headers)
                yield response
        except aiohttp.ClientError as error:
            raise Unreachable(self._unreachable(where, error)) from error
        except TimeoutError as error:
            raise Unreachable(self._unreachable(where, f"no answer within {within or 10:g} s")) from error

    def _unreachable(self, where: str, because: object) -> str:
        return f"{where}: {self.server} cannot be reached: {because or type(because).__name__}"

    async def read(self, method: str, path: str, **options: Any) -> bytes:
        """The whole answer as bytes; options as in :meth:`open`."""
        async with self.open(method, path, **options) as response:
            return await response.read()

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """GET, decoded."""
        return msgspec.json.decode(await self.read("GET", path, params=params))

    async def post(self, path: str, body: Any, params: Mapping[str, str] | None = None) -> Any:
        """POST (create), decoded."""
        return msgspec.json.decode(await self.read("POST", path, body=body, params=params))

    async def put(self, path: str, body: Any, params: Mapping[str, str] | None = None) -> Any:
        """PUT (replace; optimistic where the body carries a resourceVersion), decoded."""
        return msgspec.json.decode(await self.read("PUT", path, body=body, params=params))

    async def patch(
        self, path: str, body: Any, content_type: str = JSON_PATCH, params: Mapping[str, str] | None = None
    ) -> Any:
        """PATCH, decoded. ``params`` carry fieldManager, force and dryRun."""
        return msgspec.json.decode(await self.read("PATCH", path, body=body, content_type=content_type, params=params))

    async def delete(self, path: str, body: Any = None) -> Any:
        """DELETE, decoded; ``body`` are DeleteOptions, for instance with preconditions."""
        return msgspec.json.decode(await self.read("DELETE", path, body=body))

    async def close(self) -> None:
        """Closes the connection; it may be used again afterwards."""
        session, self._session = self._session, None
        if session is not None:
            await close_session(session)


async def close_session(session: aiohttp.ClientSession) -> None:
    """Closes a session and gives TLS a moment to say goodbye, which it does in the background."""
    await session.close()
    await asyncio.sleep(0.05)


async def connect(kubeconfig: Path | None = None, context: str | None = None) -> Connection:
    """A connection with the credentials of a service account inside a cluster, of a kubeconfig elsewhere.

    A file or context named by the caller, or KUBECONFIG, wins over the service account. Raises Unreachable where there
    are no usable credentials.
    """
    if not (kubeconfig or context or os.environ.get("KUBECONFIG")) and _is_pod():
        return _in_cluster()
    return await _from_kubeconfig(kubeconfig, context)


def _is_pod() -> bool:
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and TOKEN_FILE.exists()


def _in_cluster() -> Connection:
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config import ConfigException, load_incluster_config

    configuration = Configuration()
    try:
        load_incluster_config(client_configuration=configuration)
    except (ConfigException, OSError) as error:
        raise Unreachable(f"the service account of this pod cannot be used: {error}") from error

    async def authorization(refused: bool) -> str | None:
        if refused:
            load_incluster_config(client_configuration=configuration)
        token: str | None = await configuration.get_api_key_with_prefix("BearerToken")
        return token.strip() if token else None

    namespace = NAMESPACE_FILE.read_text().strip() if NAMESPACE_FILE.exists() else "default"
    return _connection(configuration, authorization, namespace)


async def _from_kubeconfig(kubeconfig: Path | None, context: str | None) -> Connection:
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config import ConfigException, load_kube_config

    file = str(kubeconfig or os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    configuration = Configuration()
    if not _exists(file):
        raise Unreachable(f"no cluster to talk to: {file} does not exist; name a kubeconfig or run inside a cluster")
    try:
        loader = await load_kube_config(
            config_file=file, context=context, client_configuration=configuration, persist_config=False
        )
    except (ConfigException, OSError, TypeError, ValueError) as error:
        wanted = f"context {context!r}" if context else "current context"
        raise Unreachable(f"the {wanted} of {file} cannot be used: {error}") from error
    renew = _Renewal(loader, configuration)
    chosen = loader.current_context.get("context", {})
    return _connection(configuration, renew.authorization, chosen.get("namespace") or "default")


def _exists(files: str) -> bool:
    return any(Path(part).expanduser().exists() for part in files.split(os.pathsep) if part)


class _Renewal:
    """Keeps the token of a kubeconfig fresh: files are read again, plugins asked once their token expires."""

    def __init__(self, loader: Any, configuration: Any) -> None:
        self._loader, self._configuration = loader, configuration
        self._loaded = time.monotonic()

    async def authorization(self, refused: bool) -> str | None:
        """The Authorization header, renewed where it is old or was refused."""
        if refused or time.monotonic() - self._loaded > TOKEN_AGE:
            if refused and hasattr(self._loader, "exec_plugin_expiry"):
                del self._loader.exec_plugin_expiry
            self._loaded = time.monotonic()
            if refused or not self._is_eternal():
                await self._loader.load_and_set(self._configuration)
        token: str | None = await self._configuration.get_api_key_with_prefix("BearerToken")
        return token

    def _is_eternal(self) -> bool:
        """Whether only a refusal can tell that the token is no longer valid: a plugin that named no expiry."""
        user = self._loader._user
        return bool(user) and "exec" in user and not hasattr(self._loader, "exec_plugin_expiry")


def _connection(configuration: Any, authorization: Authorization, namespace: str) -> Connection:
    server: str = configuration.host
    tls: ssl.SSLContext | bool = True
    if server.startswith("https"):
        tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        # Cluster authorities are often too old for the strict checks that Python 3.13 makes the default.
        tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if configuration.cert_file:
            tls.load_cert_chain(configuration.cert_file, configuration.key_file)
        if not configuration.verify_ssl:
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
    return Connection(
        server,
        authorization=authorization,
        tls=tls,
        tls_server_name=configuration.tls_server_name,
        proxy=configuration.proxy,
        namespace=namespace,
    )
