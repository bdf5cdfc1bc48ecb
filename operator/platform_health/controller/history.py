"""Since when each finding has been there, across judgements, gaps in what can be read, and restarts."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from platform_health.findings import Finding, Unclear
from platform_health.views.view import Ref


class History:
    """First sights by the id of a finding."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._about: dict[str, tuple[str, Ref]] = {}

    def remember(self, finding: Finding, first_seen: float) -> None:
        """An earlier operator has seen it; the earliest sight counts."""
        self._since[finding.id] = min(first_seen, self._since.get(finding.id, first_seen))
        self._about[finding.id] = (finding.invariant, finding.subject)

    def knows(self, key: str) -> bool:
        """Whether there is a first sight of the finding with this id."""
        return key in self._since

    def stamp(
        self, found: Iterable[Finding], unclear: Collection[Unclear], now: float, *, complete: bool = True
    ) -> list[Finding]:
        """The findings with ``first_seen``.

        A finding that is gone is forgotten: should it come back, it settles anew. One that merely cannot be known at
        the moment is remembered, and so is every one while what is read is not ``complete``.
        """
        stamped = []
        for finding in found:
            since = self._since.setdefault(finding.id, now)
            self._about[finding.id] = (finding.invariant, finding.subject)
            stamped.append(msgspec.structs.replace(finding, first_seen=since))
        if complete:
            self._forget({finding.id for finding in stamped}, unclear)
        return stamped

    def _forget(self, present: Collection[str], unclear: Collection[Unclear]) -> None:
        unknown = {(entry.invariant, entry.subject) for entry in unclear}
        for key in [key for key, about in self._about.items() if key not in present and about not in unknown]:
            del self._since[key], self._about[key]
