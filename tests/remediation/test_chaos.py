"""Whatever happens around it, repairs keep their promises: budgets, one fix per object, no write that is not theirs."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
from tests.remediation.stage import LABEL, Stage

from platform_health.connection import Busy, Conflict, Unreachable
from platform_health.invariant import Operation
from platform_health.views.platform import PAUSE_ANNOTATION

MAX = 4


def trouble(stage: Stage, chance: random.Random, writes: list[tuple[float, str]]) -> None:
    """Errors, lost answers and other people's writes, at random; every patch that takes place is written down."""

    def before(verb, ref):
        if chance.random() < 0.15:
            raise chance.choice([Unreachable("no answer"), Busy("503", status=503), Conflict("409", status=409)])
        if chance.random() < 0.1 and ref in stage.server.objects:
            stage.server.change(ref, Operation("add", "/metadata/annotations", {"theirs": str(chance.random())}))

    def after(verb, ref):
        writes.append((stage.clock(), ref.name))
        if chance.random() < 0.2:
            raise Unreachable("the answer is lost")

    stage.server.before, stage.server.after = before, after


def somebody(stage: Stage, chance: random.Random) -> None:
    """People and controllers at work."""
    ref = chance.choice([ref for ref in stage.server.objects if ref.kind.name == "ServiceMonitor"])
    labels = stage.server.objects[ref]["metadata"].get("labels", {})
    deed = chance.randrange(6)
    if deed == 0 and LABEL in labels:
        stage.server.change(ref, Operation("remove", f"/metadata/labels/{LABEL}"))
    elif deed == 1:
        del stage.server.objects[ref]
        stage.monitor(ref.name)
    elif deed == 2:
        stage.server.change(ref, Operation("replace", "/spec/selector", {"matchLabels": {"a": str(chance.random())}}))


@pytest.mark.parametrize("seed", range(12))
async def test_promises_are_kept(seed):
    chance = random.Random(seed)
    stage = Stage(verify_seconds=0.02, retry_seconds=0.001)
    stage.prometheus()
    stage.policies = [stage.policy(max_fixes_per_hour=MAX)]
    writes: list[tuple[float, str]] = []
    for number in range(4):
        stage.monitor(f"m{number}")
    kept = stage.monitor("paused", annotations={PAUSE_ANNOTATION: ""})
    trouble(stage, chance, writes)
    stage.remediator = stage.new_leader()
    for turn in range(60):
        stage.clock.now += chance.choice([0.5, 5, 60, 600])
        if chance.random() < 0.4:
            somebody(stage, chance)
        stage.server.objects[kept]["metadata"]["annotations"] = {PAUSE_ANNOTATION: ""}
        await stage.look()
        for ref in stage.remediator.busy:
            applying = [entry for entry in stage.entries if entry.state == "Applying" and entry.object.is_at(ref)]
            assert len(applying) <= 1
        await asyncio.sleep(chance.choice([0, 0.002, 0.01]))
        if chance.random() < 0.1:
            await stage.remediator.close()
            stage.remediator = stage.new_leader()
            stage.remediator.recover(["all"])
        assert turn >= 0
    stage.server.before = stage.server.after = lambda verb, ref: None
    await stage.settle(turns=400)

    started = sorted(entry.started_at for entry in stage.entries)
    for time in started:
        assert sum(time <= other < time + 3600 for other in started) <= MAX
    assert not any(name == "paused" for _, name in writes)
    assert LABEL not in stage.labels(kept)
    assert all(entry.state in ("Applied", "Failed", "Contested") for entry in stage.entries), Counter(stage.states)
    for entry in stage.entries:
        raw = stage.server.objects.get(entry.object.ref)
        if entry.state == "Failed" and raw is not None and raw["metadata"]["uid"] == entry.object.uid:
            assert "taken back" in entry.message
