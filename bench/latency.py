"""From an API write to the finding in the status of a PlatformHealth, idle and under 200 pod updates per second."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from typing import Any

from bench.cluster import Api, cluster, operator, report, wait_until_ready

CHANGES = 100
SPACING = 1.6
"""Seconds between changes: the status is written at most once a second."""
PODS = 200
UPDATES_PER_SECOND = 200

ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes"
REPORTS = "/apis/platformhealth.dev/v1alpha1/platformhealths"


def run() -> None:
    """Prints p50, p99 and the maximum of both situations."""
    with cluster() as (plane, api), operator(plane):
        prepare(api)
        with watched(api) as seen:
            show("idle", measure(api, seen))
            with churn(api) as sent:
                show("under pod updates", measure(api, seen))
            print(f"    {sent[0] / sent[1]:.0f} pod updates per second")


def prepare(api: Api) -> None:
    """A Service, a route to it, and a report that has been judged."""
    service = {"metadata": {"name": "there"}, "spec": {"ports": [{"port": 80}], "selector": {"app": "there"}}}
    api.call("POST", "/api/v1/namespaces/default/services", service)
    route = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "measured"},
        "spec": {"rules": [{"backendRefs": [{"name": "there", "port": 80}]}]},
    }
    api.call("POST", ROUTES, route)
    report(api)
    wait_until_ready(api)


def measure(api: Api, seen: Queue[tuple[float, bool]]) -> list[float]:
    """Seconds from each write to the event that shows its effect."""
    latencies = []
    for number in range(CHANGES):
        breaks = number % 2 == 0
        port = 81 if breaks else 80
        patch = [{"op": "replace", "path": "/spec/rules/0/backendRefs/0/port", "value": port}]
        while not seen.empty():
            seen.get_nowait()
        start = time.monotonic()
        api.call("PATCH", f"{ROUTES}/measured", patch, "application/json-patch+json")
        while True:
            try:
                at, violated = seen.get(timeout=30)
            except Empty:
                raise SystemExit(f"change {number} never arrived in the status") from None
            if violated == breaks:
                latencies.append(at - start)
                break
        time.sleep(max(0.0, SPACING - (time.monotonic() - start)))
    return latencies


@contextmanager
def watched(api: Api) -> Iterator[Queue[tuple[float, bool]]]:
    """A queue of (when, whether the finding is there) from a watch of the report."""
    seen: Queue[tuple[float, bool]] = Queue()

    def follow() -> None:
        with api.open("GET", f"{REPORTS}?watch=true&timeoutSeconds=3600") as stream:
            for line in stream:
                status: dict[str, Any] = json.loads(line)["object"].get("status", {})
                names = {entry["invariant"] for entry in status.get("findings", [])}
                seen.put((time.monotonic(), "RouteBackendsExist" in names))

    threading.Thread(target=follow, daemon=True).start()
    yield seen


@contextmanager
def churn(api: Api) -> Iterator[list[float]]:
    """Pod updates in the background; yields [sent, seconds], filled at the end."""
    pod = {"spec": {"containers": [{"name": "c", "image": "registry.example/vllm:1"}]}}
    for number in range(PODS):
        api.call("POST", "/api/v1/namespaces/default/pods", {"metadata": {"name": f"p{number}"}, **pod})
    stop, sent, start = threading.Event(), [0.0, 1.0], time.monotonic()
    workers = 4

    def update(worker: int) -> None:
        number = worker
        due = time.monotonic()
        while not stop.is_set():
            patch = {"metadata": {"annotations": {"tick": f"{number}"}}}
            api.call(
                "PATCH", f"/api/v1/namespaces/default/pods/p{number % PODS}", patch, "application/merge-patch+json"
            )
            sent[0] += 1
            number += workers
            due += workers / UPDATES_PER_SECOND
            time.sleep(max(0.0, due - time.monotonic()))

    threads = [threading.Thread(target=update, args=(worker,), daemon=True) for worker in range(workers)]
    for thread in threads:
        thread.start()
    yield sent
    stop.set()
    for thread in threads:
        thread.join()
    sent[1] = time.monotonic() - start


def show(situation: str, latencies: list[float]) -> None:
    """One line of percentiles."""
    ordered = sorted(latencies)
    p99 = ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]
    print(
        f"API write to status, {situation:<18} p50 {statistics.median(ordered) * 1000:.0f} ms, "
        f"p99 {p99 * 1000:.0f} ms, max {ordered[-1] * 1000:.0f} ms over {len(ordered)} changes",
        flush=True,
    )
