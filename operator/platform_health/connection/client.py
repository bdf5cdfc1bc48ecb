"""One API server with one set of credentials: a few verbs, and sessions for those who need more."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from platform_health import __version__
from platform_health.connection.errors import Unreachable, api_error

if TYPE_CHECKING:
    import aiohttp
    from aiohttp import ClientRequest, ClientResponse

USER_AGENT = f"platform-health/{__version__}"

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

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
