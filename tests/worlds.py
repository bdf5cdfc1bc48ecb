"""Worlds: one YAML file of objects that says, on the offending line, what is expected of every invariant.

    # error PoolTargetsListeningPort: no container listens on 8001     on the line of the finding
    # unknown PoolTargetsListeningPort                                 anywhere in the document of the object
    # expect: error Name Kind/namespace/name                           at the top, for documents inside a string

The text after the colon, if any, must be part of the message. Header lines change the conditions:

    # closed-world          what is not in the world does not exist
    # now: TIME             the time of judging
    # cluster               judged as a live cluster in which every kind was read
    # forbidden: Kind       with cluster: a kind that may not be read (a comma list)
    # absent: Kind          with cluster: a kind that is not installed (a comma list)
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from platform_health.engine import Engine
from platform_health.findings import Finding, Unclear, findings, unclear
from platform_health.invariants import discover
from platform_health.inventory import Inventory, parse_time
from platform_health.knowledge import ClusterKnowledge, KindState
from platform_health.scanning import judged, place
from platform_health.sources.manifests import Manifests, Text
from platform_health.views.kinds import KINDS

ROOT = Path(__file__).parent / "invariants"
NOW = 1_790_000_000.0

_ON_LINE = re.compile(r"#\s*(error|warning|info|unknown)\s+([A-Z][A-Za-z]+)(?::\s*(.+?))?(?=\s+#|\s*$)")
_AT_TOP = re.compile(r"#\s*expect:\s*(error|warning|info|unknown)\s+([A-Z][A-Za-z]+)\s+(\S+)(?:\s*:\s*(.*))?$")
_HEADER = re.compile(r"#\s*(closed-world|cluster|now|forbidden|absent)(?::\s*(.*))?$")


class Expected(NamedTuple):
    """One expectation: where it stands (a line, or an object), how bad, which invariant, part of the message."""

    where: int | str
    severity: str
    invariant: str
    text: str = ""


class World:
    """A world file, read and judged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text()
        self.headers: dict[str, str] = {}
        self.expected: list[Expected] = []
        for number, line in enumerate(self.text.splitlines(), start=1):
            self._take(number, line)
        self.manifests = Manifests()
        self.manifests.read_text(Text(path.name, path.read_bytes()))
        assert not self.manifests.unreadable, self.manifests.unreadable
        self.engine = self._judge()
        self.findings: list[Finding] = findings(self.engine.notable.values())
        self.unclear: list[Unclear] = unclear(self.engine.notable.values())

    @property
    def invariant(self) -> str:
        """The invariant that the world is about, from its folder."""
        return "".join(word.capitalize() for word in self.path.parent.name.split("_"))

    def _take(self, number: int, line: str) -> None:
        if top := _AT_TOP.match(line):
            self.expected.append(Expected(top[3], top[1], top[2], top[4] or ""))
        elif header := _HEADER.match(line):
            self.headers[header[1]] = header[2] or ""
        else:
            for found in _ON_LINE.finditer(line):
                self.expected.append(Expected(number, found[1], found[2], found[3] or ""))

    def _judge(self) -> Engine:
        now = parse_time(self.headers.get("now"))
        if "cluster" not in self.headers:
            return judged(self.manifests, closed_world="closed-world" in self.headers, now=now)
        knowledge = ClusterKnowledge()
        states = {"forbidden": KindState.FORBIDDEN, "absent": KindState.ABSENT}
        named = {name.strip(): state for key, state in states.items() for name in self.headers.get(key, "").split(",")}
        for kind in KINDS:
            knowledge.set(kind, named.get(kind.view.__name__, KindState.SYNCED))
        moment = now or self.manifests.newest or NOW
        inventory = Inventory(knowledge, lambda: moment)
        for view in self.manifests.objects.values():
            inventory.put(view)
        engine = Engine(inventory, discover())
        engine.refresh()
        return engine

    def problems(self) -> list[str]:
        """What differs between expectation and verdicts; empty when the world is as it says."""
        wanted = Counter(self._resolved(entry)[:3] for entry in self.expected if entry.severity != "unknown")
        found: Counter[tuple[int | str, str, str]] = Counter()
        for finding in self.findings:
            subject = f"{finding.subject.kind}/{finding.subject.namespace}/{finding.subject.name}"
            by_object = (subject, str(finding.severity), finding.invariant)
            spot = place(self.manifests, finding)
            found[by_object if by_object in wanted else (spot.line if spot else subject, *by_object[1:])] += 1
        problems = [f"expected, not found: {key} x{count}" for key, count in (wanted - found).items()]
        problems += [
            f"found, not expected: {key} x{count}\n{self._about(key)}" for key, count in (found - wanted).items()
        ]
        return problems + self._wrong_texts() + self._wrong_unknowns() + self._wrong_by_name()

    def repair_problems(self) -> list[str]:
        """What differs between the world after its fixes and its twin ``….fixed.yaml``; empty where there is none."""
        from platform_health.remediation.patch import applied

        twin = self.path.with_name(self.path.name.replace(".yaml", ".fixed.yaml"))
        if not twin.exists():
            return []
        raw = {ref: json.loads(json.dumps(value)) for ref, value in self.manifests.raw.items()}
        for finding in self.findings:
            if finding.invariant == self.invariant and finding.fix is not None and finding.fix.target is not None:
                raw[finding.fix.target] = applied(raw[finding.fix.target], finding.fix.patch)
        fixed = World(twin)
        after, expected = (sorted(map(_canonical, values)) for values in (raw.values(), fixed.manifests.raw.values()))
        problems = [f"after the fix: {text}" for text in after if text not in expected]
        problems += [f"expected after the fix: {text}" for text in expected if text not in after]
        return problems + [f"left: {entry.message}" for entry in fixed.findings if entry.invariant == self.invariant]

    def _resolved(self, entry: Expected) -> Expected:
        return entry

    def _about(self, key: tuple[int | str, str, str]) -> str:
        return "\n".join(
            f"    {entry.subject} at {entry.at}: {entry.message}"
            for entry in self.findings
            if entry.invariant == key[2]
        )

    def _wrong_texts(self) -> list[str]:
        return [
            f"no message of {entry.invariant} says {entry.text!r}; said:\n{self._about((0, '', entry.invariant))}"
            for entry in self.expected
            if entry.text
            and entry.severity != "unknown"
            and not any(entry.text in found.message for found in self.findings if found.invariant == entry.invariant)
        ]

    def _wrong_unknowns(self) -> list[str]:
        said = {(entry.invariant, entry.subject) for entry in self.unclear}
        problems = []
        for entry in self.expected:
            if entry.severity != "unknown":
                continue
            refs = [ref for invariant, ref in said if invariant == entry.invariant]
            if not any(self._is_there(entry.where, ref) for ref in refs):
                problems.append(f"expected unknown {entry.invariant} at {entry.where}, unknown about: {refs}")
        return problems

    def _is_there(self, where: int | str, ref: object) -> bool:
        assert isinstance(ref, tuple)
        if isinstance(where, str):
            return where == f"{ref[0]}/{ref[1]}/{ref[2]}"
        origin = self.manifests.origins.get(ref)  # type: ignore[call-overload]
        starts = sorted(entry.line for entry in self.manifests.origins.values())
        following = [line for line in starts if origin and line > origin.line]
        return origin is not None and origin.line <= where < (following[0] if following else 10**9)

    def _wrong_by_name(self) -> list[str]:
        """Judge the verdict, never "no findings": a rule that fails or asks the wrong question finds nothing too."""
        name = self.path.name
        own = [entry for entry in self.findings if entry.invariant == self.invariant]
        unknown = [entry for entry in self.unclear if entry.invariant == self.invariant]
        judged_at_all = any(
            self.engine.inventory.peek_all(view)
            for entry in discover()
            if entry.name == self.invariant
            for view in entry.subjects
        )
        if not judged_at_all:
            return [f"the world holds no subject of {self.invariant}"]
        if name.startswith("holds_when") and (own or unknown):
            return [
                f"expected to hold, found {len(own)} violations and unknown: {[entry.because for entry in unknown]}"
            ]
        if name.startswith("violated_when") and not own:
            return [f"expected a violation of {self.invariant}; unknown: {[entry.because for entry in unknown]}"]
        if name.startswith("unknown_when") and not unknown:
            return [f"expected {self.invariant} to be unknown"]
        failed = [entry for entry in self.unclear if "failed; see the log" in entry.because]
        return [f"an invariant failed: {entry.invariant} about {entry.subject}" for entry in failed]


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def worlds() -> list[Path]:
    """Every world file, without the fixed ones."""
    return sorted(path for path in ROOT.rglob("*.yaml") if not path.name.endswith(".fixed.yaml"))
