"""Judges every invariant about every object, and after a change only what the change touches.

A *judgement* is one invariant about one object. The engine keeps, for every judgement, the tokens it read; a change of
the inventory names the tokens it touched; the judgements that read one of them are judged again, and no others. Time is
a read too: a judgement that depends on an age says when it must be looked at again.
"""

from __future__ import annotations

import heapq
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from platform_health.invariant import Invariant, Violation
from platform_health.inventory import Inventory, Reads, Token, Unknown
from platform_health.views.view import Kind, Ref, View

log = logging.getLogger(__name__)

JudgementKey = tuple[Invariant, Ref]


class Judgement(msgspec.Struct, frozen=True):
    """One invariant about one object: violations, and beside them what could not be known. Both empty: it holds."""

    invariant: Invariant
    subject: View
    violations: tuple[Violation, ...]
    unknown: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether the invariant is known to hold."""
        return not self.violations and not self.unknown


class Engine:
    """Keeps judgements in step with an inventory."""

    def __init__(self, inventory: Inventory, invariants: Iterable[Invariant]) -> None:
        self.inventory = inventory
        self.invariants = tuple(invariants)
        self._about: dict[Kind, list[Invariant]] = defaultdict(list)
        for invariant in self.invariants:
            for kind in invariant.about:
                self._about[kind].append(invariant)
        self._tokens: dict[JudgementKey, frozenset[Token]] = {}
        self._readers: dict[Token, set[JudgementKey]] = {}
        self._notable: dict[JudgementKey, Judgement] = {}
        self._rechecks: list[tuple[float, int, JudgementKey]] = []
        self._recheck_at: dict[JudgementKey, float] = {}
        self._sequence = 0
        self.judged = 0
        """How many judgements were made since the start, for metrics and tests."""

    @property
    def notable(self) -> Mapping[JudgementKey, Judgement]:
        """Every judgement that does not simply hold: something is violated or unknown."""
        return self._notable

    @property
    def size(self) -> int:
        """How many judgements are kept in step."""
        return len(self._tokens)

    @property
    def next_recheck(self) -> float | None:
        """When the next judgement must be looked at again only because time passed; seconds since the epoch."""
        while self._rechecks and self._recheck_at.get(self._rechecks[0][2]) != self._rechecks[0][0]:
            heapq.heappop(self._rechecks)
        return self._rechecks[0][0] if self._rechecks else None

    def refresh(self) -> bool:
        """Judges again what changed; returns whether any verdict changed."""
        changed, touched = self.inventory.drain()
        due = self._due(changed, touched)
        now = self.inventory.now
        while (at := self.next_recheck) is not None and at <= now:
            key = heapq.heappop(self._rechecks)[2]
            del self._recheck_at[key]
            due.add(key)
        different = False
        for key in due:
            different |= self._settle(key)
        return different

    def predict(self, views: Sequence[View]) -> tuple[list[Judgement], list[Judgement]]:
        """What the touched judgements say now and what they would say with ``views`` laid over the inventory.

        Both lists hold the judgements that do not simply hold; nothing is stored.
        """
        with self.inventory.overlaid(views):
            due = self._due(*self.inventory.drain())
            after = [judgement for key in due if (judgement := self._judge(key, Reads())) and not judgement.holds]
        before = [self._notable[key] for key in due if key in self._notable]
        return before, after

    def rejudge(self, invariant: Invariant, ref: Ref) -> Judgement | None:
        """Judges one invariant about one object right now; None where the object is not there."""
        return self._judge((invariant, ref), Reads())

    def _due(self, changed: Iterable[Ref], touched: Iterable[Token]) -> set[JudgementKey]:
        due: set[JudgementKey] = set()
        for token in touched:
            due |= self._readers.get(token, set())
        for ref in changed:
            due.update((invariant, ref) for invariant in self._about.get(ref.kind, ()))
        return due

    def _settle(self, key: JudgementKey) -> bool:
        reads = Reads()
        before = self._notable.pop(key, None)
        judgement = self._judge(key, reads)
        if judgement is None:
            self._record(key, frozenset())
            self._tokens.pop(key, None)
            self._recheck_at.pop(key, None)
            return before is not None
        self._record(key, frozenset(reads.tokens))
        if reads.recheck_at is not None:
            self._sequence += 1
            self._recheck_at[key] = reads.recheck_at
            heapq.heappush(self._rechecks, (reads.recheck_at, self._sequence, key))
        else:
            self._recheck_at.pop(key, None)
        if judgement.holds:
            return before is not None
        self._notable[key] = judgement
        return before is None or (before.violations, before.unknown) != (judgement.violations, judgement.unknown)

    def _judge(self, key: JudgementKey, reads: Reads) -> Judgement | None:
        invariant, ref = key
        subject = self.inventory.peek(ref)
        if subject is None or subject.is_going:
            return None
        violations: list[Violation] = []
        with self.inventory.recording() as recorded:
            try:
                for violation in invariant(subject, self.inventory):
                    violations.append(violation)
            except Unknown as unknown:
                recorded.unknown.append(unknown.because)
            except Exception:
                log.exception("invariant %s failed about %s", invariant.name, ref)
                recorded.unknown.append(f"{invariant.name} failed; see the log")
        self.judged += 1
        reads.tokens, reads.recheck_at = recorded.tokens, recorded.recheck_at
        return Judgement(invariant, subject, tuple(violations), tuple(dict.fromkeys(recorded.unknown)))

    def _record(self, key: JudgementKey, tokens: frozenset[Token]) -> None:
        before = self._tokens.get(key, frozenset())
        for token in before - tokens:
            readers = self._readers[token]
            readers.discard(key)
            if not readers:
                del self._readers[token]
        for token in tokens - before:
            self._readers.setdefault(token, set()).add(key)
        self._tokens[key] = tokens
