"""What the operator answers over HTTP: probes, metrics, and the full list of findings. Nothing can be changed here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from platform_health.controller.operator import Operator, Sources
from platform_health.controller.reports import HealthReport
from platform_health.findings import Finding
from platform_health.reporting.json import finding as finding_json
from platform_health.reporting.json import reference
from platform_health.reporting.metrics import CONTENT_TYPE
from platform_health.reporting.status import is_shareable, rfc3339

STALLED_AFTER = 30.0
"""Seconds without a heartbeat after which the main loop counts as stuck."""


class Server:
    """The HTTP server of one operator."""

    def __init__(
        self,
        operator: Operator,
        sources: Callable[[], Sources | None],
        host: str,
        port: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._operator, self._sources, self._host, self._port, self._clock = operator, sources, host, port, clock
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port it listens on, also where any free one was asked for."""
        if self._runner is None or not self._runner.addresses:
            return self._port
        return int(self._runner.addresses[0][1])

    def application(self) -> web.Application:
        """Its routes."""
        application = web.Application()
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/findings", self._findings)
        return application

    async def start(self) -> None:
        """Listens. Raises OSError where the address is taken."""
        self._runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        """Stops listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, request: web.Request) -> web.Response:
        """Alive: the loop beats and the machinery of the sources works. Whether the API server answers is no matter."""
        problems = []
        silence = self._clock() - self._operator.pulse.beat
        if self._operator.pulse.beat and silence > STALLED_AFTER:
            problems.append(f"no heartbeat for {silence:.0f} s")
        sources = self._sources()
        if sources is not None:
            problems += sources.problems()
        return _probe(problems)

    async def _readyz(self, request: web.Request) -> web.Response:
        """Ready: the first lists are complete, so what is answered here rests on something."""
        return _probe([] if self._operator.pulse.synced else ["the objects of the cluster are being listed"])

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=self._operator.metrics.page(), headers={"Content-Type": CONTENT_TYPE})

    async def _findings(self, request: web.Request) -> web.Response:
        """Every finding of every report, or of the one that ``?report=`` names."""
        wanted = request.query.get("report")
        reports = [entry for entry in self._operator.reports if wanted in (None, entry.name)]
        if wanted is not None and not reports:
            return _json({"error": f"there is no platformhealth {wanted}"}, status=404)
        return _json({"version": 1, "reports": [_report(entry) for entry in reports]})


def _probe(problems: list[str]) -> web.Response:
    return web.Response(status=503 if problems else 200, text="\n".join(problems or ["ok"]) + "\n")


def _json(document: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(document), content_type="application/json")


def _report(entry: HealthReport) -> dict[str, Any]:
    head = {"name": entry.name, "generation": entry.generation, "ready": entry.is_ready, "problem": entry.problem}
    shown = entry.shown
    if shown is None:
        return {**head, "summary": None, "findings": [], "ignored": [], "unknown": []}
    return {
        **head,
        "summary": msgspec.structs.asdict(shown.summary),
        "findings": [_finding(finding) for finding in shown.findings],
        "ignored": [{**_finding(silenced.finding), "reason": silenced.reason} for silenced in shown.ignored],
        "unknown": [
            {
                "invariant": unclear.invariant,
                "object": reference(unclear.subject, unclear.api_version),
                "because": unclear.because,
            }
            for unclear in shown.unknown
        ],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    if finding.fix is not None and not is_shareable(finding.fix):
        finding = msgspec.structs.replace(finding, fix=msgspec.structs.replace(finding.fix, patch=(), create=None))
    return {**finding_json(finding), "firstSeen": rfc3339(finding.first_seen)}
