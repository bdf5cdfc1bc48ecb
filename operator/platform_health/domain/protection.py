"""Which backends of Gateways a NetworkPolicy protects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from platform_health.domain.pickers import picker_pods
from platform_health.domain.routing import ROUTES, AnyRoute, backend_view
from platform_health.domain.selection import pods_of_pool, pods_of_service
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import Pod, Service
from platform_health.views.gateway import Backend, Gateway
from platform_health.views.inference import InferencePool, LegacyInferencePool
from platform_health.views.networking import NetworkPolicy


def backends_behind(policy: NetworkPolicy, inventory: Inventory) -> Iterator[tuple[Gateway, list[Pod]]]:
    """The Gateways whose routes lead to pods that a policy protects, with these pods.

    Pods of a pool, of its picker, and of a Service count alike; what is not known is left out.
    """
    found: dict[tuple[str, str], dict[tuple[str, str], Pod]] = {}
    for kind in ROUTES:
        for route in inventory.modifying(kind):
            for pod in _protected(policy, route, inventory):
                for _, parent, namespace in route.gateways():
                    found.setdefault((namespace, parent.name), {})[pod.namespace, pod.name] = pod
    for (namespace, name), pods in found.items():
        gateway = inventory.named(Gateway, namespace, name)
        if gateway is not None:
            yield gateway, list(pods.values())


def _protected(policy: NetworkPolicy, route: AnyRoute, inventory: Inventory) -> Iterator[Pod]:
    for backend in route.backends():
        if backend.namespace == policy.namespace and backend.weight:
            for pod in _pods(backend, inventory):
                if policy.spec.pod_selector.matches(pod.labels):
                    yield pod


def _pods(backend: Backend, inventory: Inventory) -> Iterator[Pod]:
    view = backend_view(backend)
    with suppress(Unknown):
        found = inventory.named(view, backend.namespace, backend.name) if view is not None else None
        if isinstance(found, Service):
            yield from pods_of_service(found, inventory)
        elif isinstance(found, InferencePool | LegacyInferencePool):
            for ask in (pods_of_pool, picker_pods):
                with suppress(Unknown):
                    yield from ask(found, inventory)
