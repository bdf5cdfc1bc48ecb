"""``make bench``: prints the figures of docs/performance.md. Arguments choose: scan, engine, latency, sync."""

from __future__ import annotations

import sys

from bench import engine, latency, scan, sync

BENCHMARKS = {"scan": scan.run, "engine": engine.run, "latency": latency.run, "sync": sync.run}


def main(names: list[str]) -> int:
    """Runs the chosen benchmarks, all by default."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    for name in names or BENCHMARKS:
        print(f"== {name}", flush=True)
        BENCHMARKS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
