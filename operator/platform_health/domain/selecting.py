"""Why nobody selects a monitor or a rule, and the labels that would change that without side effects."""

from __future__ import annotations

from collections.abc import Iterable

from platform_health.domain.monitoring import Look, Selectable, Selection
from platform_health.domain.patches import added_keys
from platform_health.invariant import Fix, Inventory, Path, Unknown
from platform_health.views.monitoring import PodMonitor, PrometheusRule
from platform_health.views.nvidia import ClusterPolicy
from platform_health.views.view import METADATA, Labels

_FIELDS = {PrometheusRule: "ruleSelector", PodMonitor: "podMonitorSelector"}


def missing_labels(subject: Selectable, selection: Selection) -> Labels:
    """The labels of a selector's matchLabels that the subject lacks or has with another value."""
    wanted = selection.selector.match_labels if selection.selector else {}
    return {key: value for key, value in wanted.items() if subject.labels.get(key) != value}


def reasons(subject: Selectable, selections: Iterable[Selection]) -> str:
    """Why each of them does not select the subject, at most three."""
    said = [f"{selection.by.ref} {_reason(subject, selection)}" for selection in selections]
    more = f"; and {len(said) - 3} more do not" if len(said) > 3 else ""
    return "; ".join(said[:3]) + more


def _reason(subject: Selectable, selection: Selection) -> str:
    field = _FIELDS.get(type(subject), "serviceMonitorSelector")
    if selection.selector is None:
        return f"has no {field}, so it selects none"
    wrong = selection.selector.misses(subject.labels)
    if wrong:
        has = ", ".join(
            f"{key}={subject.labels[key]}" for key in sorted(selection.selector.keys) if key in subject.labels
        )
        return f"asks for label {', '.join(wrong)}, found {has or 'none of these keys'}"
    if not selection.watches_namespace:
        return f"is run by an operator that does not look at namespace {subject.namespace}"
    return f"does not look into namespace {subject.namespace} ({field.removesuffix('Selector')}NamespaceSelector)"


def place_of(subject: Selectable, selections: Iterable[Selection]) -> Path:
    """Where in the subject it would have to change: the first wrong label, else its namespace."""
    for selection in selections:
        wrong = sorted(missing_labels(subject, selection))
        if wrong and selection.reaches_namespace is not False:
            return METADATA / "labels" / wrong[0]
    reached = any(selection.reaches_namespace is not False for selection in selections)
    return METADATA / "labels" if reached else METADATA / "namespace"


def labelling(subject: Selectable, look: Look, policy: ClusterPolicy | None = None) -> Fix | None:
    """Adding the missing labels; safe where exactly one selects it then and nothing is overwritten, else words."""
    candidates = [selection for selection in look.selections if _lacks_only_labels(subject, selection)]
    if not candidates:
        return None
    missing = missing_labels(subject, candidates[0])
    text = ", ".join(f"{key}={value}" for key, value in missing.items())
    title = f"add label {text}, for which {candidates[0].by.ref} asks"
    if len(candidates) > 1 or look.gaps or set(missing) & set(subject.labels):
        return Fix(title=title, safety="manual", target=subject.ref)
    labels = {**subject.labels, **missing}
    if any(_would_take(selection, labels) for selection in look.selections if selection is not candidates[0]):
        return Fix(title=title, safety="manual", target=subject.ref)
    if policy is not None:
        return _through_policy(policy, title, missing)
    patch = added_keys(("metadata", "labels"), subject.labels, missing)
    return Fix(title=title, safety="safe", target=subject.ref, patch=patch)


def _lacks_only_labels(subject: Selectable, selection: Selection) -> bool:
    if selection.selector is None or selection.reaches_namespace is not True:
        return False
    missing = missing_labels(subject, selection)
    return bool(missing) and selection.selector.matches({**subject.labels, **missing})


def _would_take(selection: Selection, labels: Labels) -> bool:
    try:
        return selection.takes(labels)
    except Unknown:
        return True


def policy_of(subject: Selectable, inventory: Inventory) -> ClusterPolicy | None:
    """The ClusterPolicy that makes a monitor, None where none does. Labels set on such a monitor itself are lost."""
    owner = subject.metadata.controller
    if owner is None or (owner.group, owner.kind) != (ClusterPolicy.kind.group, ClusterPolicy.kind.name):
        return None
    return inventory.named(ClusterPolicy, "", owner.name)


def _through_policy(policy: ClusterPolicy, title: str, missing: Labels) -> Fix:
    path = ("spec", "dcgmExporter", "serviceMonitor")
    monitor = policy.monitor
    if monitor is None:
        return Fix(title=f"{title}, in {'.'.join(path)}.additionalLabels", safety="manual", target=policy.ref)
    patch = added_keys((*path, "additionalLabels"), monitor.additional_labels, missing)
    return Fix(title=f"{title}, in {policy.ref}, which makes it", safety="safe", target=policy.ref, patch=patch)
