"""Whether a service mesh carries a pod's traffic, so that ports and sources are not what manifests say.

A sidecar redirects to ports of its own (15006, 4143), Istio's ambient mode arrives on 15008: what NetworkPolicies admit
is then not what the application listens on.
"""

from __future__ import annotations

from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import Namespace, Pod

_PROXIES = ("istio-proxy", "linkerd-proxy", "kuma-sidecar")
_INJECTION = {"sidecar.istio.io/inject": "true", "linkerd.io/inject": "enabled"}


def is_meshed(pod: Pod, inventory: Inventory) -> bool:
    """Whether a mesh carries the pod's traffic; for a pod that stands for a template, whether one would be injected."""
    if pod.annotations.get("ambient.istio.io/redirection") == "enabled":
        return True
    if any(container.name in _PROXIES for _, container in pod.spec.long_running()):
        return "gateway.networking.k8s.io/gateway-name" not in pod.labels
    if not pod.is_stateless:
        return False
    marks = {**pod.annotations, **pod.labels}
    if marks.get("sidecar.istio.io/inject") == "false" or marks.get("istio.io/dataplane-mode") == "none":
        return False
    asked = any(marks.get(key) == value for key, value in _INJECTION.items())
    return asked or marks.get("istio.io/dataplane-mode") == "ambient" or _is_namespace_meshed(pod, inventory)


def _is_namespace_meshed(pod: Pod, inventory: Inventory) -> bool:
    try:
        namespace = inventory.named(Namespace, "", pod.namespace)
    except Unknown:
        return False
    if namespace is None:
        return False
    marks = {**namespace.annotations, **namespace.labels}
    return (
        marks.get("istio-injection") == "enabled"
        or "istio.io/rev" in marks
        or marks.get("istio.io/dataplane-mode") == "ambient"
        or marks.get("linkerd.io/inject") == "enabled"
    )
