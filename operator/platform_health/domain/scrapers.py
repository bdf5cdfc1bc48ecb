"""The pods in which a Prometheus runs (prometheus-operator, ``makeStatefulSetSpec``: labels of the pod template)."""

from __future__ import annotations

from platform_health.domain.monitoring import Scraper
from platform_health.domain.selection import pods_matching
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import Pod
from platform_health.views.view import LabelSelector

_NAMES = {"Prometheus": "prometheus", "PrometheusAgent": "prometheus-agent", "ThanosRuler": "thanos-ruler"}


def pods_of_scraper(scraper: Scraper, inventory: Inventory) -> list[Pod]:
    """The pods that prometheus-operator makes of it; Unknown where none is known."""
    labels = {
        "app.kubernetes.io/name": _NAMES[scraper.kind.name],
        "app.kubernetes.io/instance": scraper.name,
        "app.kubernetes.io/managed-by": "prometheus-operator",
    }
    found = pods_matching(scraper.namespace, LabelSelector(match_labels=labels), inventory)
    if not found:
        raise Unknown(f"no pods of {scraper.ref} are known")
    return found
