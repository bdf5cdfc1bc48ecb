"""Credentials stay fresh, errors speak plainly, and neither says a secret."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import certifi
import pytest
from aiohttp import web
from kubernetes.aio.config import incluster_config

from platform_health.connection import (
    ApiError,
    Busy,
    Conflict,
    Connection,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Unauthorized,
    Unreachable,
    api_error,
    connect,
    credentials,
)


class Guarded:
    """A server that accepts one token at a time."""

    def __init__(self) -> None:
        self.token = "first"
        self.refusals = 0
        self.agents: set[str] = set()

    async def handle(self, request: web.Request) -> web.Response:
        self.agents.add(request.headers["User-Agent"])
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            self.refusals += 1
            return web.json_response(
                {"kind": "Status", "reason": "Unauthorized", "message": "Unauthorized"}, status=401
            )
        return web.json_response({"method": request.method, "type": request.headers.get("Content-Type")})


@pytest.fixture
async def guarded() -> AsyncIterator[tuple[Guarded, str]]:
    server = Guarded()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield server, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def kubeconfig(folder: Path, server: str, user: dict) -> Path:
    path = folder / "kubeconfig"
    context = {"cluster": "c", "user": "u", "namespace": "mine"}
    path.write_text(
        json.dumps(
            {
                "clusters": [{"name": "c", "cluster": {"server": server}}],
                "users": [{"name": "u", "user": user}],
                "contexts": [{"name": "x", "context": context}],
                "current-context": "x",
            }
        )
    )
    return path


async def test_a_token_file_is_read_again_when_its_token_is_refused(
    guarded: tuple[Guarded, str], tmp_path: Path
) -> None:
    server, address = guarded
    (tmp_path / "token").write_text("first")
    connection = await connect(kubeconfig(tmp_path, address, {"tokenFile": str(tmp_path / "token")}))
    assert connection.namespace == "mine"
    assert (await connection.get("/x"))["method"] == "GET"
    server.token = "second"
    (tmp_path / "token").write_text("second")
    assert (await connection.patch("/x", []))["type"] == "application/json-patch+json"
    assert server.refusals == 1
    assert {agent.partition("/")[0] for agent in server.agents} == {"platform-health"}
    await connection.close()


async def test_a_refused_token_is_never_said(guarded: tuple[Guarded, str], tmp_path: Path) -> None:
    server, address = guarded
    connection = await connect(kubeconfig(tmp_path, address, {"token": "very-secret"}))
    with pytest.raises(Unauthorized) as refused:
        await connection.get("/x")
    assert server.refusals == 2
    assert "secret" not in str(refused.value)
    await connection.close()


async def test_a_plugin_is_asked_again_when_its_token_is_refused(guarded: tuple[Guarded, str], tmp_path: Path) -> None:
    server, address = guarded
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "first"}}
    (tmp_path / "answer").write_text(json.dumps(answer))
    plugin = {"apiVersion": answer["apiVersion"], "command": "cat", "args": [str(tmp_path / "answer")]}
    connection = await connect(kubeconfig(tmp_path, address, {"exec": plugin}))
    assert await connection.get("/x")
    server.token = answer["status"]["token"] = "second"  # type: ignore[index]
    (tmp_path / "answer").write_text(json.dumps(answer))
    assert await connection.get("/x")
    assert server.refusals == 1
    await connection.close()


async def test_the_service_account_of_a_pod_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    (tmp_path / "namespace").write_text("platform")
    monkeypatch.setattr(credentials, "TOKEN_FILE", token)
    monkeypatch.setattr(credentials, "NAMESPACE_FILE", tmp_path / "namespace")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", certifi.where())
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    connection = await connect()
    assert (connection.server, connection.namespace) == ("https://[fd00::1]:443", "platform")
    authorization = connection._authorization
    assert authorization is not None
    assert await authorization(False) == "bearer first"
    token.write_text("second")
    assert await authorization(False) == "bearer first"
    assert await authorization(True) == "bearer second"


async def test_nobody_listens() -> None:
    connection = Connection("http://127.0.0.1:1")
    with pytest.raises(Unreachable, match=r"GET /api: http://127\.0\.0\.1:1 cannot be reached"):
        await connection.get("/api")
    await connection.close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (410, Gone),
        (413, Invalid),
        (422, Invalid),
        (429, Busy),
        (500, Busy),
        (503, Busy),
        (418, ApiError),
    ],
)
def test_errors_are_told_apart(status: int, kind: type[ApiError]) -> None:
    body = {"kind": "Status", "reason": "Why", "message": "words", "details": {"retryAfterSeconds": 3}}
    error = api_error(status, json.dumps(body).encode(), "GET /x")
    assert type(error) is kind
    assert str(error) == f"GET /x: the API server answered {status} Why: words"
    assert (error.status, error.reason, error.retry_after) == (status, "Why", 3.0)


def test_what_is_too_large_for_etcd_is_not_tried_again() -> None:
    assert isinstance(api_error(500, b'{"message":"etcdserver: request is too large"}', "PATCH /x"), Invalid)


def test_an_answer_that_is_no_status_is_quoted() -> None:
    error = api_error(502, b"<html>bad gateway</html>", "GET /x", {"Retry-After": "soon"})
    assert "bad gateway" in str(error)
    assert error.retry_after is None
