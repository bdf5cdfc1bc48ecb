"""The first sync of 10,000 pods, 1,000 Services, 500 routes and 100 pools: CPU and peak memory of the operator."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench import objects
from bench.cluster import Api, cluster, cpu_and_memory, operator, report, wait_until_ready

PODS, SERVICES, ROUTES, POOLS = 10_000, 1_000, 500, 100
PATHS = {
    "Pod": "/api/v1/namespaces/load/pods",
    "Service": "/api/v1/namespaces/load/services",
    "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/namespaces/load/httproutes",
    "InferencePool": "/apis/inference.networking.k8s.io/v1/namespaces/load/inferencepools",
}


def run() -> None:
    """Prints CPU seconds and memory until the report is ready, then the cost of idling for ten seconds."""
    with cluster() as (plane, api):
        api.call("POST", "/api/v1/namespaces", {"metadata": {"name": "load"}})
        start = time.monotonic()
        load(api, objects.platform(PODS, SERVICES, ROUTES, POOLS))
        print(f"    loaded in {time.monotonic() - start:.0f} s", flush=True)
        report(api)
        start = time.monotonic()
        with operator(plane) as process:
            wait_until_ready(api, timeout=300)
            wall = time.monotonic() - start
            seconds, resident, peak = cpu_and_memory(process.pid)
            print(f"first sync: {wall:.1f} s, {seconds:.2f} CPU-s, {resident:.0f} MB, peak {peak:.0f} MB", flush=True)
            time.sleep(10)
            idle, resident, peak = cpu_and_memory(process.pid)
            print(f"idle for 10 s: {idle - seconds:.2f} CPU-s, {resident:.0f} MB, peak {peak:.0f} MB")


def load(api: Api, objects: Iterable[dict[str, Any]]) -> None:
    """Creates objects with some requests in flight."""
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda value: api.call("POST", PATHS[value["kind"]], value), objects):
            pass
