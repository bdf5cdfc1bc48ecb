"""What can be known: the rules by which absence is told from ignorance, in a cluster and in files.

In a cluster a kind is known once its first list is complete; a kind that the API server does not serve is known to be
empty; everything else is a gap. In files what can be known depends on the question: see :class:`FileKnowledge`.
"""

from __future__ import annotations

from enum import StrEnum

from platform_health.inventory import Inventory
from platform_health.views.view import Kind, LabelSelector, View


class KindState(StrEnum):
    """How well a kind is known in a cluster."""

    PENDING = "pending"
    """Not listed yet."""
    SYNCED = "synced"
    """Listed, and watched since."""
    ABSENT = "absent"
    """Discovery succeeded without it: it is not installed, so it is empty."""
    FORBIDDEN = "forbidden"
    """The API server refuses to list or watch it."""
    STALE = "stale"
    """It was known, but its watch has been down for too long to rely on."""
    UNREADABLE = "unreadable"
    """Its list fails for another reason, or objects of it do not decode."""


class ClusterKnowledge:
    """Knowledge of a live cluster: a state per kind. Kinds that are never requested are never known."""

    def __init__(self) -> None:
        self._states: dict[Kind, tuple[KindState, str]] = {}

    def set(self, kind: Kind, state: KindState, because: str = "") -> bool:
        """Records the state of a kind; returns whether it changed. ``because`` is for people."""
        before = self.state(kind)
        self._states[kind] = (state, because)
        return before is not state

    def state(self, kind: Kind) -> KindState:
        """The state of a kind, pending until it is set."""
        return self._states.get(kind, (KindState.PENDING, ""))[0]

    def unreadable(self) -> dict[Kind, str]:
        """The kinds that cannot be relied on, with the reason, in stable order."""
        gaps = {kind: self._gap(kind) for kind in sorted(self._states, key=lambda kind: kind.resource)}
        return {kind: because for kind, because in gaps.items() if because is not None}

    def gap(self, kind: type[View]) -> str | None:
        """Why objects of this kind cannot be known at all."""
        return self._gap(kind.kind)

    def _gap(self, kind: Kind) -> str | None:
        if kind.via == "never":
            return f"{kind.plural} are never read"
        state, because = self._states.get(kind, (KindState.PENDING, ""))
        match state:
            case KindState.SYNCED | KindState.ABSENT:
                return None
            case KindState.PENDING:
                return f"{kind.plural} have not been listed yet"
            case KindState.FORBIDDEN:
                return f"{kind.resource} may not be listed and watched"
            case KindState.STALE:
                return f"{kind.resource} have not been heard of for too long"
            case _:
                return f"{kind.resource} cannot be read: {because}"

    def gap_named(self, inventory: Inventory, kind: type[View], namespace: str, name: str) -> str | None:
        """What is not there does not exist."""
        return None

    def gap_selected(
        self, inventory: Inventory, kind: type[View], namespace: str, selector: LabelSelector | None
    ) -> str | None:
        """What is not selected does not exist."""
        return None

    def gap_referring(self, inventory: Inventory, kind: type[View]) -> str | None:
        """Who does not refer does not exist."""
        return None

    def is_installed(self, kind: type[View]) -> bool:
        """Whether the API server serves the kind."""
        return self.state(kind.kind) is not KindState.ABSENT
