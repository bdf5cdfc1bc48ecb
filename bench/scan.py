"""Start-up and throughput of ``platform-health scan``, as whole processes."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import objects

RUNS = 7


def run() -> None:
    """Prints medians of several runs each."""
    with tempfile.TemporaryDirectory() as folder:
        one, twenty, thousand = Path(folder, "one"), Path(folder, "twenty"), Path(folder, "thousand")
        for place, pods, others in ((one, 1, 0), (twenty, 8, 4), (thousand, 700, 100)):
            place.mkdir()
            for number, value in enumerate(objects.platform(pods, others, others, others)):
                (place / f"{number}.json").write_text(json.dumps(value))
        command = [sys.executable, "-m", "platform_health.cli.main", "scan", "--fail-on", "never"]
        show("bare interpreter", [sys.executable, "-c", "pass"])
        show("scan of 1 file", [*command, str(one)])
        show("scan of 20 files", [*command, str(twenty)])
        show("scan of 1000 manifests (JSON)", [*command, str(thousand)])


def show(what: str, command: list[str]) -> None:
    """One line: the median wall time of the command, and its spread."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - start)
    print(f"{what:<40} {statistics.median(times):.3f} s (min {min(times):.3f}, max {max(times):.3f})")
