"""Which namespaces a selector takes. What the files do not show of a namespace is unknown, except its name."""

from __future__ import annotations

from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import Namespace
from platform_health.views.view import LabelSelector, Requirement

NAME_LABEL = "kubernetes.io/metadata.name"
"""The label that every namespace has."""


def takes_namespace(selector: LabelSelector, name: str, inventory: Inventory) -> bool:
    """Whether a namespace selector takes the namespace; Unknown where that depends on labels that are not known."""
    labels = _labels(name, inventory)
    if labels is not None:
        return selector.matches({**labels, NAME_LABEL: name})
    if not all(entry.matches({NAME_LABEL: name}) for entry in requirements(selector) if entry.key == NAME_LABEL):
        return False
    if selector.keys - {NAME_LABEL}:
        raise Unknown(f"the labels of namespace {name} are not known")
    return True


def requirements(selector: LabelSelector) -> list[Requirement]:
    """Everything a selector asks for, labels as expressions."""
    labels = [Requirement(key=key, operator="In", values=(value,)) for key, value in selector.match_labels.items()]
    return labels + list(selector.match_expressions)


def _labels(name: str, inventory: Inventory) -> dict[str, str] | None:
    try:
        found = inventory.named(Namespace, "", name)
    except Unknown:
        return None
    return found.labels if found is not None else None


def is_opted_out(name: str, inventory: Inventory) -> bool:
    """Whether a namespace says that it does not want to be monitored (OpenShift)."""
    return (_labels(name, inventory) or {}).get("openshift.io/user-monitoring") == "false"
