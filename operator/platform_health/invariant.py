"""The vocabulary an invariant is written in.

An invariant is one function in a file of its own: one subject and the inventory in, violations out. It is pure: no
I/O, no clock, no mutation. What it cannot know raises :class:`platform_health.inventory.Unknown`. Its name is the
function's in CamelCase, its docstring is its public page, the annotation of its first parameter lists the kinds it is
about, and ``needs`` declares every kind it reads beyond those.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Iterator
from enum import StrEnum
from types import UnionType
from typing import Any, Literal

import msgspec

from platform_health.inventory import Inventory, Unknown
from platform_health.views.view import Path, Ref, View

__all__ = [
    "ERROR",
    "INFO",
    "WARNING",
    "Category",
    "Fix",
    "Invariant",
    "Inventory",
    "Operation",
    "Path",
    "Ref",
    "Safety",
    "Severity",
    "Unknown",
    "Violation",
    "invariant",
    "nearest",
]


class Severity(StrEnum):
    """How bad it is. ``error``: requests fail or the object is inert; ``warning``: degraded, or one failure away."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for error, 1 for warning, 2 for info."""
        return list(Severity).index(self)


ERROR, WARNING, INFO = Severity

Category = Literal["configuration", "capacity", "observability"]
Safety = Literal["safe", "unsafe", "manual"]


class Operation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One operation of a JSON Patch (RFC 6902). ``path`` is a JSON pointer; see :func:`pointer`."""

    op: Literal["add", "replace", "remove", "test"]
    path: str
    value: Any = msgspec.UNSET


class Fix(msgspec.Struct, frozen=True, kw_only=True):
    """A repair as data: a JSON Patch of ``target``, or a new object to ``create``, or only words (``manual``).

    The patch needs no guards: whoever applies it tests every replaced value, the uid and the resourceVersion.
    """

    title: str
    safety: Safety
    target: Ref | None = None
    patch: tuple[Operation, ...] = ()
    create: dict[str, Any] | None = None


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """What an invariant says when it does not hold.

    ``at`` is where in the subject; ``because`` says found and expected; ``about`` is a discriminator made of names
    (backend, port, query) where one subject can violate an invariant more than once, never of indexes. ``symptom``,
    ``severity`` and ``category`` override the invariant's. ``verify`` is the one kubectl line that shows it.
    ``follows`` names objects whose own finding, if there is one, is the cause of this; ``after`` narrows it to the
    findings of those invariants.
    """

    at: str
    because: str
    about: str = ""
    nearest: str | None = None
    symptom: str | None = None
    severity: Severity | None = None
    category: Category | None = None
    verify: str | None = None
    related: tuple[Ref, ...] = ()
    follows: tuple[Ref, ...] = ()
    after: tuple[str, ...] = ()
    fix: Fix | None = None

    @property
    def message(self) -> str:
        """``because`` with the nearest candidate, without credentials that somebody quoted."""
        because = discreet(self.because)
        return f"{because}; did you mean {self.nearest}?" if self.nearest else because


_CREDENTIAL = re.compile(
    r"(?P<before>://)[^\s/@\"']+(?=@)"
    r"|(?P<scheme>\bBearer (?=\S{16})|\bAuthorization: \w+ )[\w.~+/=-]+"
    r"|(?P<field>[?&](?:access_token|token|api_?key|key|password)=)[^\s&\"']+",
    re.IGNORECASE,
)


def discreet(text: str) -> str:
    """A text that others wrote, such as a controller's message, without the credentials in its URLs and headers."""
    return _CREDENTIAL.sub(lambda found: f"{found['before'] or found['scheme'] or found['field']}…", text)


Judge = Callable[[Any, Inventory], Iterator[Violation]]


class Invariant:
    """A named statement that must hold for every object of its kinds."""

    def __init__(
        self,
        judge: Judge,
        severity: Severity,
        symptom: str,
        needs: tuple[type[View], ...],
        category: Category,
        fixes: tuple[type[View], ...],
    ) -> None:
        self.judge, self.severity, self.symptom, self.category = judge, severity, symptom, category
        self.name = name_of(judge.__name__)
        self.family = judge.__module__.split(".")[-2]
        self.page = judge.__doc__ or ""
        self.subjects = subjects(judge)
        self.needs = tuple(dict.fromkeys(view.kind for view in (*self.subjects, *needs)))
        self.fixes = tuple(view.kind for view in fixes)
        self.about = frozenset(view.kind for view in self.subjects)

    @property
    def title(self) -> str:
        """The first line of the page: what must hold."""
        return self.page.strip().splitlines()[0]

    def __call__(self, subject: View, inventory: Inventory) -> Iterator[Violation]:
        """Judges one subject."""
        return self.judge(subject, inventory)

    def __repr__(self) -> str:
        return f"<Invariant {self.name}>"


def invariant(
    *,
    severity: Severity,
    symptom: str,
    needs: tuple[type[View], ...] = (),
    category: Category = "configuration",
    fixes: tuple[type[View], ...] = (),
) -> Callable[[Judge], Invariant]:
    """Declares an invariant. ``needs``: kinds it reads beyond its subjects; ``fixes``: kinds its safe fixes patch."""

    def declare(judge: Judge) -> Invariant:
        return Invariant(judge, severity, symptom, needs, category, fixes)

    return declare


def name_of(function: str) -> str:
    """The name of the invariant that a function of this name judges: ``pool_is_routed`` is ``PoolIsRouted``."""
    return "".join(word.capitalize() for word in function.split("_"))


def subjects(judge: Judge) -> tuple[type[View], ...]:
    """The kinds a judging function is about, from the annotation of its first parameter."""
    first = next(iter(judge.__annotations__.values()))
    if isinstance(first, str):
        first = eval(first, judge.__globals__)  # noqa: S307 - the annotation of our own module, spelled as a string
    return typing.get_args(first) if isinstance(first, UnionType) else (first,)


def pointer(*steps: str | int) -> str:
    """A JSON pointer (RFC 6901): ``pointer("spec", "rules", 0)`` is ``/spec/rules/0``."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def nearest(name: str, candidates: typing.Iterable[str]) -> str | None:
    """The candidate that was probably meant: the only closest one within edit distance 2, or containing the name."""
    scored = sorted((_distance(name, candidate), candidate) for candidate in set(candidates) if candidate != name)
    if not scored:
        return None
    best, candidate = scored[0]
    alone = len(scored) == 1 or scored[1][0] > best
    if best <= 2 and alone and best < max(len(name), len(candidate)) / 2:
        return candidate
    parts = [other for _, other in scored if len(name) > 3 and (name in other or other in name) and len(other) > 3]
    return parts[0] if len(parts) == 1 else None


def _distance(one: str, two: str, enough: int = 3) -> int:
    if abs(len(one) - len(two)) >= enough:
        return enough
    row = list(range(len(two) + 1))
    for i, left in enumerate(one, start=1):
        previous, row[0] = row[0], i
        for j, right in enumerate(two, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (left != right))
    return min(row[-1], enough)
