"""An API server that does what a script says: the faults that a real one shows too rarely to wait for."""

import asyncio
import itertools
import json
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from platform_health.views.core import Service
from platform_health.views.gateway import HTTPRoute
from platform_health.views.platform import PlatformHealth
from platform_health.views.view import Kind

PATHS = {
    Service.kind: "/api/v1/services",
    HTTPRoute.kind: "/apis/gateway.networking.k8s.io/v1/httproutes",
    PlatformHealth.kind: "/apis/platformhealth.dev/v1alpha1/platformhealths",
}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class ScriptedApi:
    """Objects by path, a log of changes that watches follow, and faults that the next requests meet."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[tuple[str, str], dict]] = {path: {} for path in (*PATHS.values(), DEFINITIONS)}
        self.log: dict[str, list[tuple[int, str, dict]]] = defaultdict(list)
        self.versions = itertools.count(1000)
        self.version = 1000
        self.faults: dict[tuple[str, str], deque] = defaultdict(deque)
        self.refused: set[str] = set()
        self.missing: set[str] = set()
        self.is_down = False
        self.page_size: int | None = None
        self.epoch = 0
        """Continue tokens of an earlier epoch have expired."""
        self.requests: list[tuple[str, str, dict]] = []
        self._changed = asyncio.Event()
        self._open: set[asyncio.Task] = set()

    # --- what a test does ---

    def fault(self, kind: Kind, verb: str, *faults: object) -> None:
        """The next ``list`` or ``watch`` requests meet these: a status, or a function writing the response."""
        self.fault_at(PATHS[kind], verb, *faults)

    def fault_at(self, path: str, verb: str, *faults: object) -> None:
        self.faults[path, verb].extend(faults)

    def put(
        self, kind: Kind, name: str, *, uid: str = "u", quietly: bool = False, raw: dict | None = None, **labels: str
    ) -> None:
        path, key = PATHS[kind], ("ns" if kind.namespaced else "", name)
        known = key in self.objects[path]
        self.version = next(self.versions)
        metadata = {"name": name, "uid": f"{uid}-{name}", "resourceVersion": str(self.version), "labels": labels}
        if kind.namespaced:
            metadata["namespace"] = "ns"
        body = {"apiVersion": kind.api_version, "kind": kind.name, **(raw or {}), "metadata": metadata}
        self.objects[path][key] = body
        self._happened(path, "MODIFIED" if known else "ADDED", body, quietly)

    def delete(self, kind: Kind, name: str, *, quietly: bool = False) -> None:
        """Deletes; quietly: no watch will ever say so, as after a compaction."""
        path, key = PATHS[kind], ("ns" if kind.namespaced else "", name)
        body = json.loads(json.dumps(self.objects[path].pop(key)))
        self.version = next(self.versions)
        body["metadata"]["resourceVersion"] = str(self.version)
        self._happened(path, "DELETED", body, quietly)

    def count(self, kind: Kind, verb: str) -> int:
        return sum(1 for path, done, _ in self.requests if path == PATHS[kind] and done == verb)

    def names(self, kind: Kind) -> set[str]:
        return {name for _, name in self.objects[PATHS[kind]]}

    def say(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def drop(self) -> None:
        """Breaks every open watch."""
        for task in list(self._open):
            task.cancel()
        await asyncio.sleep(0)

    def _happened(self, path: str, event_type: str, body: dict, quietly: bool) -> None:
        if not quietly:
            self.log[path].append((self.version, event_type, body))
        self.say()

    # --- what a client sees ---

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.is_down:
            request.transport.abort()
            return web.Response(status=500)
        path = request.path
        if path in ("/api", "/apis"):
            return web.json_response(self._discovery(path, "apidiscovery" in request.headers["Accept"]))
        if path.endswith("/selfsubjectaccessreviews"):
            review = await request.json()
            plural = review["spec"]["resourceAttributes"]["resource"]
            return web.json_response({"status": {"allowed": plural not in self.refused}})
        if path in self.objects:
            return await self._collection(request, path)
        return self._one_version(path)

    async def _collection(self, request: web.Request, path: str) -> web.StreamResponse:
        verb = "watch" if request.query.get("watch") == "true" else "list"
        self.requests.append((path, verb, dict(request.query)))
        faults = self.faults[path, verb]
        fault = faults.popleft() if faults else None
        plural = path.rpartition("/")[2]
        if fault is None and plural in self.missing:
            fault = 404
        if fault is None and plural in self.refused:
            fault = 403
        if isinstance(fault, int):
            return status(fault)
        if fault is not None:
            return await fault(self, request)
        return await (self._watch(request, path) if verb == "watch" else self._list(request, path))

    async def _list(self, request: web.Request, path: str) -> web.Response:
        items = list(self.objects[path].values())
        epoch, start = (int(part) for part in request.query.get("continue", f"{self.epoch}-0").split("-"))
        if epoch != self.epoch:
            return status(410)
        size = self.page_size or len(items) or 1
        rest = f"{self.epoch}-{start + size}" if start + size < len(items) else ""
        metadata = {"resourceVersion": str(self.version), "continue": rest}
        return web.json_response({"kind": "List", "metadata": metadata, "items": items[start : start + size]})

    async def _watch(self, request: web.Request, path: str) -> web.StreamResponse:
        response = await begin(request)
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        after = int(request.query["resourceVersion"])
        bookmark_at = time.monotonic() + 0.3
        try:
            while True:
                changed = self._changed
                for version, event_type, body in self.log[path]:
                    if version > after:
                        await response.write(line(event_type, body))
                        after = version
                if time.monotonic() >= bookmark_at:
                    bookmark_at = time.monotonic() + 0.3
                    body = {"metadata": {"resourceVersion": str(after), "labels": None}, "spec": None}
                    await response.write(line("BOOKMARK", body))
                try:
                    async with asyncio.timeout(0.1):
                        await changed.wait()
                except TimeoutError:
                    continue
        except ConnectionError:
            return response
        finally:
            self._open.discard(task)

    def _discovery(self, root: str, aggregated: bool) -> dict:
        groups: dict[str, list[dict]] = defaultdict(list)
        for kind in PATHS:
            if kind.plural not in self.missing and (root == "/api") == (kind.group == ""):
                resource = {"resource": kind.plural, "verbs": ["list", "watch"]}
                groups[kind.group].append({"version": kind.versions[0], "resources": [resource]})
        if aggregated:
            items = [{"metadata": {"name": name}, "versions": versions} for name, versions in groups.items()]
            return {"kind": "APIGroupDiscoveryList", "items": items}
        if root == "/api":
            return {"versions": ["v1"]}
        plain = {**groups, "apiextensions.k8s.io": [{"version": "v1"}]}
        return {
            "groups": [
                {"name": name, "versions": versions, "preferredVersion": versions[0]}
                for name, versions in plain.items()
            ]
        }

    def _one_version(self, path: str) -> web.Response:
        found = [
            resource(kind.plural, kind.name, kind.namespaced)
            for kind, where in PATHS.items()
            if where.rpartition("/")[0] == path and kind.plural not in self.missing
        ]
        if path == "/apis/apiextensions.k8s.io/v1":
            found.append(resource("customresourcedefinitions", "CustomResourceDefinition", False))
        if path == "/api/v1":
            found.append(resource("namespaces", "Namespace", False))
        return web.json_response({"resources": found}) if found else status(404)


def resource(plural: str, kind: str, namespaced: bool) -> dict:
    return {
        "name": plural,
        "kind": kind,
        "singularName": kind.lower(),
        "namespaced": namespaced,
        "verbs": ["list", "watch"],
    }


def status(code: int, **headers: str) -> web.Response:
    body = {"kind": "Status", "code": code, "reason": f"Reason{code}", "message": f"said {code}", "metadata": {}}
    return web.json_response(
        body, status=code, headers={key.replace("_", "-"): value for key, value in headers.items()}
    )


async def begin(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    return response


def line(event_type: str, body: dict) -> bytes:
    return json.dumps({"type": event_type, "object": body}, separators=(",", ":")).encode() + b"\n"


def says(*lines: bytes, then: str = "end"):
    """A response that says these lines and then ends, is cut off, or falls silent."""

    async def respond(api: ScriptedApi, request: web.Request) -> web.StreamResponse:
        response = await begin(request)
        for entry in lines:
            await response.write(entry)
        if then == "silence":
            await asyncio.sleep(3600)
        if then == "cut":
            request.transport.abort()
        return response

    return respond


def error_event(code: int) -> bytes:
    return line("ERROR", {"kind": "Status", "code": code, "message": f"said {code}", "metadata": {}})


@asynccontextmanager
async def serving(api: ScriptedApi, port: int = 0) -> AsyncIterator[str]:
    runner = web.AppRunner(app(api), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def app(api: ScriptedApi) -> web.Application:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", api.handle)
    return application
