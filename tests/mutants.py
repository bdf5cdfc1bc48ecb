"""``make mutants``: every invariant is mutated; what its own worlds do not notice is printed.

cosmic-ray edits files in place, so it works on copies of the tree, one per worker, one run per invariant. Mutants that
nothing could tell from the original are left out: type annotations, which are never evaluated, and `==` against `is`.
Arguments name invariants; none means all. Exit 1 where less than 90 % are killed.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import WorkerOutcome, WorkResult

from platform_health.invariant import Invariant
from platform_health.invariants import discover

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
WORKERS = os.cpu_count() or 1
GOAL = 0.9

CONFIG = """\
[cosmic-ray]
module-path = "{module}"
timeout = 60.0
excluded-modules = []
test-command = "{python} tests/kill.py {worlds}"

[cosmic-ray.distributor]
name = "local"
"""


class Tally(NamedTuple):
    """How the mutants of one invariant fared."""

    invariant: str
    killed: int
    survivors: tuple[str, ...]

    @property
    def total(self) -> int:
        """All mutants that were run."""
        return self.killed + len(self.survivors)


def main(names: list[str]) -> int:
    """Prints a line per invariant and the survivors."""
    chosen = [entry for entry in discover() if not names or entry.name in names]
    if not chosen:
        print(f"no invariant among {', '.join(names)}", file=sys.stderr)
        return 2
    killed = total = 0
    with tempfile.TemporaryDirectory() as folder:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(WORKERS):
            trees.put(_copy(Path(folder, str(number))))
        with ThreadPoolExecutor(WORKERS) as pool:
            for tally in pool.map(lambda entry: _mutate(entry, trees), chosen):
                killed, total = killed + tally.killed, total + tally.total
                print(f"{tally.invariant:<32} {tally.killed:>3} of {tally.total:>3} killed", flush=True)
                for survivor in tally.survivors:
                    print(f"    survived {survivor}")
    print(f"{killed} of {total} killed, {killed / total:.1%}" if total else "no mutants")
    return int(total == 0 or killed / total < GOAL)


def _copy(target: Path) -> Path:
    target.mkdir()
    for name in ("operator", "tests", "pyproject.toml"):
        source = ROOT / name
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(source, target / name, ignore=ignored) if source.is_dir() else shutil.copy(source, target)
    return target


def _mutate(invariant: Invariant, trees: SimpleQueue[Path]) -> Tally:
    tree = trees.get()
    try:
        return _run(invariant, tree)
    finally:
        trees.put(tree)


def _run(invariant: Invariant, tree: Path) -> Tally:
    name = invariant.judge.__name__
    module = f"operator/platform_health/invariants/{invariant.family}/{name}.py"
    worlds = f"tests/invariants/{invariant.family}/{name}"
    (tree / "mutants.toml").write_text(CONFIG.format(module=module, python=sys.executable, worlds=worlds))
    session = tree / "mutants.sqlite"
    session.unlink(missing_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(tree / "operator"), "PYTHONDONTWRITEBYTECODE": "1"}
    for command in ("init", "exec"):
        subprocess.run(
            [BIN / "cosmic-ray", command, "mutants.toml", session.name],
            cwd=tree,
            env=environment,
            check=True,
            capture_output=True,
        )
        if command == "init":
            _leave_out(session, tree / module)
    dump = subprocess.run(
        [BIN / "cosmic-ray", "dump", session.name],
        cwd=tree,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    outcomes = list(_outcomes(dump))
    return Tally(
        invariant.name,
        sum(outcome != "survived" for outcome, _ in outcomes),
        tuple(place for outcome, place in outcomes if outcome == "survived"),
    )


def _leave_out(session: Path, module: Path) -> None:
    """Marks the mutants that cannot be told from the original as skipped."""
    annotated = _annotations(module)
    with use_db(str(session)) as work:
        for item in list(work.pending_work_items):
            mutation = item.mutations[0]
            if mutation.start_pos in annotated or _IDENTITY.search(mutation.operator_name):
                work.set_result(item.job_id, WorkResult(worker_outcome=WorkerOutcome.SKIPPED))


_IDENTITY = re.compile(r"ReplaceComparisonOperator_(Eq|NotEq|Lt|LtE|Gt|GtE)_Is(Not)?$")


def _annotations(module: Path) -> set[tuple[int, int]]:
    """Every (line, column) inside an annotation of a module."""
    places: set[tuple[int, int]] = set()
    lines = module.read_text().splitlines()
    for node in ast.walk(ast.parse(module.read_text())):
        for entry in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(entry, ast.expr):
                assert entry.end_lineno is not None
                for line in range(entry.lineno, entry.end_lineno + 1):
                    start = entry.col_offset if line == entry.lineno else 0
                    end = entry.end_col_offset if line == entry.end_lineno else len(lines[line - 1])
                    places |= {(line, column) for column in range(start, end or 0)}
    return places


def _outcomes(dump: str) -> Iterator[tuple[str, str]]:
    for line in dump.splitlines():
        item, result = json.loads(line)
        if result is None or result["worker_outcome"] == "skipped":
            continue
        mutation = item["mutations"][0]
        place = f"{mutation['operator_name']} #{mutation['occurrence']} at line {mutation['start_pos'][0]}"
        yield result["test_outcome"], place


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
