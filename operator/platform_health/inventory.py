"""Every view known now, indexed; and what is *not* known.

An invariant asks the inventory one of four kinds of question, which differ in what absence means:

* ``named``: X names Y. Absent and knowable: None.
* ``selected``: X selects Ys by label. No match and knowable: empty.
* ``referring``: who names or selects X? What is known is all there is, once the kind has been read.
* ``modifying``: is there something, normally absent, that changes X (a grant, a policy)? Absent means absent.

Whoever asks what cannot be known gets :class:`Unknown`, which the engine turns into the verdict of that name. Every
question is recorded as a *read*, also when nothing was found, so that a later change re-judges exactly those who asked.
The rules of knowing stand in :mod:`platform_health.knowledge`; the inventory only asks them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, cast

from platform_health.views.view import Kind, LabelSelector, Ref, Term, View, label_term

V = TypeVar("V", bound=View)

Token = tuple[Any, ...]
"""One thing that can be read and can change: an object, a bucket of an index, or whether a kind is known."""


class Unknown(Exception):
    """A question has no answer: a kind could not be read, or a value is not literal. ``because`` says which."""

    def __init__(self, because: str) -> None:
        super().__init__(because)
        self.because = because


class Knowledge(Protocol):
    """The rules by which absence is told from ignorance. Every method returns why not, or None where it is known."""

    def gap(self, kind: type[View]) -> str | None:
        """Why objects of this kind cannot be known at all (forbidden, not yet listed)."""

    def gap_named(self, inventory: Inventory, kind: type[View], namespace: str, name: str) -> str | None:
        """Why the absence of one named object cannot be known."""

    def gap_selected(
        self, inventory: Inventory, kind: type[View], namespace: str, selector: LabelSelector | None
    ) -> str | None:
        """Why it cannot be known that a selector matches nothing; ``None`` as selector asks about any object."""

    def gap_referring(self, inventory: Inventory, kind: type[View]) -> str | None:
        """Why it cannot be known who refers to something through objects of this kind."""

    def is_installed(self, kind: type[View]) -> bool:
        """Whether the API server serves this kind; in files every kind is."""

    @property
    def is_complete(self) -> bool:
        """Whether what is not known does not exist: a cluster, or files that say so."""


class Reads:
    """What one judgement read: tokens, the parts it could not know, and when it must be judged again."""

    __slots__ = ("recheck_at", "tokens", "unknown")

    def __init__(self) -> None:
        self.tokens: set[Token] = set()
        self.unknown: list[str] = []
        self.recheck_at: float | None = None


class Inventory:
    """The store of views with its indexes. Not thread-safe: one loop owns it."""

    def __init__(
        self,
        knowledge: Knowledge,
        clock: Callable[[], float],
        *,
        is_snapshot: bool = False,
        oldest: float | None = None,
    ) -> None:
        """``is_snapshot``: the clock is the newest time in a dump, which was taken then or at any time later.

        ``oldest`` is the first time in that dump.
        """
        self.knowledge = knowledge
        self._clock = clock
        self._is_snapshot = is_snapshot
        self._oldest = oldest
        self._objects: dict[Kind, dict[tuple[str, str], View]] = defaultdict(dict)
        self._buckets: dict[Token, dict[Ref, View]] = {}
        self._touched: set[Token] = set()
        self._changed: set[Ref] = set()
        self._reads = Reads()

    # --- writing -----------------------------------------------------------------------------------------------

    def put(self, view: View) -> bool:
        """Stores ``view``; returns whether anything that we look at changed."""
        ref = view.ref
        objects = self._objects[ref.kind]
        old = objects.get(ref[1:])
        if old == view:
            return False
        objects[ref[1:]] = view
        self._reindex(ref, old, view)
        return True

    def remove(self, ref: Ref) -> bool:
        """Forgets the object; returns whether it was there."""
        old = self._objects[ref.kind].pop(ref[1:], None)
        if old is None:
            return False
        self._reindex(ref, old, None)
        return True

    def touch_kind(self, kind: Kind) -> None:
        """Says that what is known about a whole kind changed (read, forbidden, vanished)."""
        self._touched.add(("state", kind))

    def drain(self) -> tuple[set[Ref], set[Token]]:
        """The objects that changed and the tokens that were touched since the last call."""
        changed, touched = self._changed, self._touched
        self._changed, self._touched = set(), set()
        return changed, touched

    def _reindex(self, ref: Ref, old: View | None, new: View | None) -> None:
        before = set(_tokens(old)) if old is not None else set()
        after = set(_tokens(new)) if new is not None else set()
        for token in before - after:
            bucket = self._buckets[token]
            del bucket[ref]
            if not bucket:
                del self._buckets[token]
        for token in after:
            self._buckets.setdefault(token, {})[ref] = cast(View, new)
        self._touched |= before | after
        self._touched.add(("object", ref))
        self._changed.add(ref)

    @contextmanager
    def overlaid(self, views: Iterable[View]) -> Iterator[None]:
        """Lays ``views`` over the inventory for the duration of a block, as if they had been applied."""
        pending = self.drain()
        undo: list[tuple[Ref, View | None]] = []
        try:
            for view in views:
                undo.append((view.ref, self.peek(view.ref)))
                self.put(view)
            yield
        finally:
            for ref, old in reversed(undo):
                self.remove(ref) if old is None else self.put(old)
            self._changed, self._touched = pending

    # --- recording ---------------------------------------------------------------------------------------------

    @contextmanager
    def recording(self) -> Iterator[Reads]:
        """Collects the reads of a block."""
        outer, self._reads = self._reads, Reads()
        try:
            yield self._reads
        finally:
            self._reads = outer

    @contextmanager
    def part(self) -> Iterator[None]:
        """A part that is judged independently: an :class:`Unknown` inside it ends the part, not the judgement."""
        try:
            yield
        except Unknown as unknown:
            self._reads.unknown.append(unknown.because)

    # --- the four questions ------------------------------------------------------------------------------------

    def named(self, kind: type[V], namespace: str, name: str) -> V | None:
        """The object of this name, None where it is known to be absent; Unknown otherwise."""
        found = self._find(kind, namespace, name)
        if found is None:
            self._refuse(self.knowledge.gap_named(self, kind, namespace, name))
        return found

    def selected(self, kind: type[V], namespace: str | None, selector: LabelSelector) -> list[V]:
        """Objects that ``selector`` matches in a namespace (None: anywhere); Unknown where no match proves nothing."""
        self._check(kind)
        found = [view for view in self._candidates(kind, namespace, selector) if selector.matches(view.labels)]
        if not found:
            self._refuse(self.knowledge.gap_selected(self, kind, namespace or "", selector))
        return found

    def every(self, kind: type[V], namespace: str | None = None) -> list[V]:
        """All objects of a kind ("which Prometheus, Gateway, Node"); Unknown where none proves nothing."""
        self._check(kind)
        found = self._bucket(kind, namespace)
        if not found:
            self._refuse(self.knowledge.gap_selected(self, kind, namespace or "", None))
        return found

    def referring(self, kind: type[V], term: Term | None = None, namespace: str | None = None) -> list[V]:
        """Objects of ``kind`` that refer to something, by an index term of the kind where one is given."""
        self._check(kind)
        found = self._bucket(kind, namespace) if term is None else self._by_term(kind, namespace, term)
        if not found:
            self._refuse(self.knowledge.gap_referring(self, kind))
        return found

    def modifying(self, kind: type[V], namespace: str | None = None, term: Term | None = None) -> list[V]:
        """Objects of ``kind`` that are normally absent and change others when present. Absent means absent."""
        self._check(kind)
        return self._bucket(kind, namespace) if term is None else self._by_term(kind, namespace, term)

    def near(self, kind: type[V], namespace: str | None = None, term: Term | None = None) -> list[V]:
        """What is known of a kind, for hints ("did you mean"); never proves absence and never raises."""
        if self.knowledge.gap(kind) is not None:
            return []
        return self._bucket(kind, namespace) if term is None else self._by_term(kind, namespace, term)

    def is_installed(self, kind: type[View]) -> bool:
        """Whether the API server serves this kind at all (in files: always)."""
        self._reads.tokens.add(("state", kind.kind))
        return self.knowledge.is_installed(kind)

    def is_known(self, kind: type[View]) -> bool:
        """Whether objects of this kind can be known at all; for questions that have another way to be answered."""
        self._reads.tokens.add(("state", kind.kind))
        return self.knowledge.gap(kind) is None

    # --- time --------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The time of judging, in seconds since the epoch. Prefer :meth:`lasted`, which is recorded."""
        return self._clock()

    def lasted(self, since: str | None, seconds: float, *, unknown: bool = True, later: bool = False) -> bool:
        """Whether ``seconds`` passed since an RFC 3339 time; ``unknown`` answers where there is no time.

        Waiting periods that only prevent flapping count as over where no time is known; start-up allowances pass
        ``unknown=False``. A dump all of whose times lie within such a period cannot show that it is over: no time is
        known there. ``later`` answers where a dump's own times end before that, so that it may have lasted.
        """
        started = parse_time(since)
        if started is None:
            return unknown
        over = started + seconds
        if self.now >= over:
            return True
        if self._is_snapshot and (later or (unknown and self._spans_less_than(seconds))):
            return True
        self._reads.recheck_at = min(over, self._reads.recheck_at or over)
        return False

    def _spans_less_than(self, seconds: float) -> bool:
        return self._oldest is not None and self.now - self._oldest < seconds

    # --- for engine, sources and knowledge; not recorded --------------------------------------------------------

    def peek(self, ref: Ref) -> View | None:
        """The object without recording a read."""
        return self._objects[ref.kind].get(ref[1:])

    def peek_all(self, kind: type[V] | Kind, namespace: str | None = None) -> Collection[V]:
        """All objects of a kind without recording a read."""
        key = kind if isinstance(kind, Kind) else kind.kind
        if namespace is None:
            return cast("Collection[V]", self._objects[key].values())
        return cast("Collection[V]", self._buckets.get(("namespace", key, namespace), {}).values())

    def kinds(self) -> list[Kind]:
        """The kinds of which there is at least one object."""
        return [kind for kind, objects in self._objects.items() if objects]

    # --- inside ------------------------------------------------------------------------------------------------

    def _check(self, kind: type[View]) -> None:
        self._reads.tokens.add(("state", kind.kind))
        self._refuse(self.knowledge.gap(kind))

    @staticmethod
    def _refuse(because: str | None) -> None:
        if because is not None:
            raise Unknown(because)

    def _find(self, kind: type[V], namespace: str, name: str) -> V | None:
        ref = Ref(kind.kind, namespace if kind.kind.namespaced else "", name)
        self._reads.tokens |= {("object", ref), ("state", kind.kind)}
        found = self._objects[kind.kind].get(ref[1:])
        if found is None:
            self._refuse(self.knowledge.gap(kind))
        return cast("V | None", found)

    def _bucket(self, kind: type[V], namespace: str | None) -> list[V]:
        if namespace is None:
            self._reads.tokens.add(("all", kind.kind))
            return sorted(cast("Collection[V]", self._objects[kind.kind].values()), key=_order)
        return self._read(("namespace", kind.kind, namespace))

    def _by_term(self, kind: type[V], namespace: str | None, term: Term) -> list[V]:
        if namespace is not None:
            return self._read(("term", kind.kind, namespace, term))
        return self._read(("term", kind.kind, term))

    def _candidates(self, kind: type[V], namespace: str | None, selector: LabelSelector) -> list[V]:
        terms = [label_term(key, value) for key, value in selector.match_labels.items()]
        if not terms:
            return self._bucket(kind, namespace)
        place = (kind.kind,) if namespace is None else (kind.kind, namespace)
        smallest = min(terms, key=lambda term: (len(self._buckets.get(("term", *place, term), ())), term))
        return self._read(("term", *place, smallest))

    def _read(self, token: Token) -> list[Any]:
        self._reads.tokens.add(token)
        return sorted(self._buckets.get(token, {}).values(), key=_order)


def _order(view: View) -> tuple[str, str]:
    return (view.metadata.namespace, view.metadata.name)


def _tokens(view: View) -> Iterator[Token]:
    kind, namespace = view.kind, view.metadata.namespace
    yield ("all", kind)
    yield ("namespace", kind, namespace)
    for term in view.terms():
        yield ("term", kind, term)
        yield ("term", kind, namespace, term)


def parse_time(text: str | None) -> float | None:
    """Seconds since the epoch of an RFC 3339 time, None where there is none or it is no time."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
