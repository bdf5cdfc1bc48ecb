"""Kubernetes Events about findings: one when a finding becomes active, one when it is resolved.

A finding belongs to its object, however many reports show it, so the Events do too. An Event stands in the namespace
of its object, where a tenant reads it who may read little else: it names objects of other namespaces only where the
object itself names them.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from platform_health.findings import Finding, Unclear
from platform_health.invariant import Severity
from platform_health.inventory import Inventory
from platform_health.reporting.status import shorten
from platform_health.views.core import Namespace
from platform_health.views.platform import GROUP

CONTROLLER = f"{GROUP}/operator"
MAX_NOTE = 1024

Turn = Literal["active", "resolved"]


class Transition(msgspec.Struct, frozen=True):
    """A finding that became active, or an active one that is gone."""

    finding: Finding
    turn: Turn
    uid: str = ""
    """The uid of the object, also when it is gone by now."""


class Announcements:
    """Which findings were announced, so that each turn is announced once."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._active: dict[str, Finding] = {}
        self._uids: dict[str, str] = {}

    def assume(self, finding: Finding) -> None:
        """Takes a finding as announced: a status that an earlier operator wrote shows it as active."""
        self._active.setdefault(finding.id, finding)

    def turns(
        self, shown: Iterable[Sequence[Finding]], found: Collection[Finding], unclear: Collection[Unclear]
    ) -> list[Transition]:
        """What turned since the last call.

        ``shown`` are the findings of every report, ``found`` all there are, whether a report shows them or not. What
        can no longer be known is not resolved, and what is only ignored from now on is not either.
        """
        active = {finding.id: finding for findings in shown for finding in findings if finding.state == "active"}
        for key, finding in (self._active | active).items():
            self._uids[key] = self._uid(finding) or self._uids.get(key, "")
        turns = [
            Transition(finding, "active", self._uids[key]) for key, finding in active.items() if key not in self._active
        ]
        present = {finding.id for finding in found}
        unknown = {(entry.invariant, entry.subject) for entry in unclear}
        for key, finding in list(self._active.items()):
            if key in active:
                continue
            if key in present:
                del self._active[key]
            elif (finding.invariant, finding.subject) not in unknown:
                del self._active[key]
                turns.append(Transition(finding, "resolved", self._uids[key]))
        self._active |= active
        self._uids = {key: self._uids[key] for key in self._active}
        return turns

    def _uid(self, finding: Finding) -> str:
        view = self._inventory.peek(finding.subject)
        return view.metadata.uid if view is not None else ""


def event(turn: Transition, inventory: Inventory, instance: str) -> dict[str, Any]:
    """The Event (events.k8s.io/v1) that says this."""
    finding = turn.finding
    subject = finding.subject
    regarding = {"apiVersion": finding.api_version, "kind": subject.kind.name, "name": subject.name}
    regarding |= {"namespace": subject.namespace} if subject.namespace else {}
    regarding |= {"uid": turn.uid} if turn.uid else {}
    is_bad = turn.turn == "active" and finding.severity is not Severity.INFO
    return document(
        regarding,
        "Warning" if is_bad else "Normal",
        finding.invariant,
        "Judge" if turn.turn == "active" else "Resolve",
        _note(turn, discretion(finding, inventory)),
        instance,
    )


def document(
    regarding: dict[str, str], type_: Literal["Normal", "Warning"], reason: str, action: str, note: str, instance: str
) -> dict[str, Any]:
    """An Event about an object, in the object's namespace (``default`` for cluster-scoped ones)."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "name": f"{regarding['name'][:200]}.{secrets.token_hex(8)}",
            "namespace": regarding.get("namespace", "default"),
        },
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": type_,
        "reason": reason[:128],
        "action": action,
        "note": shorten(note, MAX_NOTE),
        "regarding": regarding,
        "reportingController": CONTROLLER,
        "reportingInstance": instance[:128],
    }


def _note(turn: Transition, discreet: Callable[[str], str]) -> str:
    finding = turn.finding
    if turn.turn == "resolved":
        return discreet(f"no longer: {finding.message}")
    symptom = f" ({finding.symptom})" if finding.symptom else ""
    at = f"{finding.at}: " if finding.at else ""
    return discreet(f"{at}{finding.message}{symptom}")


_MENTION = re.compile(r"(?:\b([A-Z][A-Za-z]+) )?(?<![\w./-])([a-z0-9][-a-z0-9]*)/([a-z0-9][-a-z0-9.]*)(?![\w/])")
_NAMESPACE = re.compile(r"\bnamespaces? ([a-z0-9][-a-z0-9]*)")


def discretion(finding: Finding, inventory: Inventory) -> Callable[[str], str]:
    """What takes out of a text the objects of other namespaces that the finding's own object does not name."""
    own = finding.subject.namespace
    view = inventory.peek(finding.subject)
    text = msgspec.json.encode(view).decode() if view is not None else ""
    others = {namespace.name for namespace in inventory.peek_all(Namespace)} | {
        ref.namespace for ref in (*finding.related, *finding.follows) if ref.namespace
    }
    others.discard(own)

    def is_named(*words: str) -> bool:
        return all(re.search(rf"(?<![-\w]){re.escape(word)}(?![-\w])", text) for word in words)

    def mention(found: re.Match[str]) -> str:
        kind, namespace, name = found.groups()
        if namespace not in others or is_named(namespace, name.rstrip(".")):
            return found[0]
        return f"{kind or 'an object'} of another namespace"

    def place(found: re.Match[str]) -> str:
        return found[0] if found[1] not in others or is_named(found[1]) else "another namespace"

    def discreet(said: str) -> str:
        said = _NAMESPACE.sub(place, _MENTION.sub(mention, said))
        for ref in finding.related:
            if ref.namespace in others and not is_named(ref.name):
                said = re.sub(rf"\b{ref.kind.name} {re.escape(ref.name)}(?![-\w])", f"{ref.kind.name} elsewhere", said)
        return said

    return discreet
