"""The additional NetworkPolicy that lets blocked traffic pass, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from platform_health.domain.flows import Blockage
from platform_health.domain.gateways import GATEWAY_NAME, OWNING_CLASS, OWNING_GATEWAY, OWNING_NAMESPACE
from platform_health.domain.namespaces import NAME_LABEL
from platform_health.domain.networkpolicies import isolating
from platform_health.invariant import Fix
from platform_health.inventory import Inventory
from platform_health.views.core import Pod
from platform_health.views.view import LabelSelector

_IDENTIFYING = (
    (OWNING_GATEWAY, OWNING_NAMESPACE),
    (OWNING_CLASS,),
    (GATEWAY_NAME,),
    ("app.kubernetes.io/name", "app.kubernetes.io/instance"),
    ("app",),
)


def opening(
    name: str, selector: LabelSelector, blockage: Blockage, guarded: Sequence[Pod], inventory: Inventory
) -> Fix | None:
    """An additive policy; None where it would isolate pods that nothing isolates yet, or for outgoing traffic.

    ``selector`` selects the guarded pods. It widens access, so it is never applied unattended.
    """
    source = blockage.source
    labels = _identifying(source)
    if blockage.direction != "Ingress" or labels is None:
        return None
    if not all(isolating(pod, "Ingress", inventory) for pod in guarded):
        return None
    return Fix(
        title=f"admit the pods {LabelSelector(match_labels=labels)} of namespace {source.namespace}",
        safety="unsafe",
        create=_policy(name, selector, blockage, labels),
    )


def _policy(name: str, selector: LabelSelector, blockage: Blockage, labels: dict[str, str]) -> dict[str, Any]:
    peer = {
        "namespaceSelector": {"matchLabels": {NAME_LABEL: blockage.source.namespace}},
        "podSelector": {"matchLabels": labels},
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name[:253], "namespace": blockage.destination.namespace},
        "spec": {
            "podSelector": {"matchLabels": dict(selector.match_labels)},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [peer], "ports": [{"protocol": "TCP", "port": port} for port in blockage.ports]}],
        },
    }


def _identifying(pod: Pod) -> dict[str, str] | None:
    for keys in _IDENTIFYING:
        if all(key in pod.labels for key in keys):
            return {key: pod.labels[key] for key in keys}
    return None
