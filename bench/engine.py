"""The cost of one change, at several sizes of cluster: it must not grow with the cluster."""

from __future__ import annotations

import itertools
import time
from typing import Any

import msgspec

from bench import objects
from platform_health.engine import Engine
from platform_health.invariants import discover
from platform_health.inventory import Inventory
from platform_health.knowledge import ClusterKnowledge, KindState
from platform_health.views.kinds import KINDS, of_api_version
from platform_health.views.view import View

CHANGES = 2_000


def run() -> None:
    """Prints microseconds of CPU per change for 1,000, 10,000 and 50,000 pods."""
    for size in (1_000, 10_000, 50_000):
        engine = filled(size)
        relevant = cost(engine, [{"app": "model-1", "changed": "a"}, {"app": "model-1", "changed": "b"}])
        nothing = cost(engine, [{"app": "model-1", "changed": "a"}])
        print(
            f"{size:>6} pods: a label of a pod changes {relevant:6.0f} µs; an update without effect {nothing:5.1f} µs"
        )


def filled(size: int) -> Engine:
    """An engine that has judged a platform of ``size`` pods."""
    knowledge = ClusterKnowledge()
    for kind in KINDS:
        knowledge.set(kind, KindState.SYNCED)
    inventory = Inventory(knowledge, time.time)
    for value in objects.platform(size, size // 10, 100, 100):
        inventory.put(view(value))
    engine = Engine(inventory, discover())
    start = time.process_time()
    engine.refresh()
    print(f"{size:>6} pods: {engine.judged} judgements from scratch in {time.process_time() - start:.2f} CPU-s")
    return engine


def view(value: dict[str, Any]) -> View:
    """The view of one object."""
    kind = of_api_version(value["apiVersion"], value["kind"])
    assert kind is not None
    return msgspec.convert(value, kind.view)


def cost(engine: Engine, labels: list[dict[str, str]]) -> float:
    """Microseconds of CPU per change of one pod, over many changes."""
    template = next(iter(objects.pods(1)))
    variants = [view({**template, "metadata": {**template["metadata"], "labels": entry}}) for entry in labels]
    start = time.process_time()
    for changed in itertools.islice(itertools.cycle(variants), CHANGES):
        engine.inventory.put(changed)
        engine.refresh()
    return (time.process_time() - start) / CHANGES * 1e6
