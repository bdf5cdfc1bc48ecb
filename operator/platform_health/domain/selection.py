"""Which pods a pool, a Service or a monitor selects; templates stand for running pods."""

from __future__ import annotations

from platform_health.domain.command import commands
from platform_health.domain.images import image
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import Pod, Service
from platform_health.views.inference import Pool
from platform_health.views.view import LabelSelector


def pods_of_pool(pool: Pool, inventory: Inventory) -> list[Pod]:
    """The pods that a pool selects and that have not ended; Unknown where their absence proves nothing.

    In files the pods of a namespace are known where a model server, or another pod-bearing object that is no picker,
    gateway or job, stands in it.
    """
    found = pods_matching(pool.namespace, pool.selector, inventory)
    if not found:
        others = inventory.near(Pod, pool.namespace)
        if others and all(is_picker(pod) or is_gateway(pod) for pod in others) and not _near_miss(pool, others):
            raise Unknown(f"namespace {pool.namespace} holds only pickers and gateways here")
    return found


def active_ports(pod: Pod, pool: Pool) -> list[int]:
    """The target ports of a pool that are endpoints on this pod: all, or those its annotation lists."""
    ports = [number for _, number in pool.target_ports()]
    for key in ("llm-d.ai/active-ports", "inference.networking.k8s.io/active-ports"):
        if key in pod.annotations:
            listed = {word.strip() for word in pod.annotations[key].split(",")}
            return [port for port in ports if str(port) in listed]
    return ports


def pods_of_service(service: Service, inventory: Inventory) -> list[Pod]:
    """The pods behind a Service; Unknown where it has no selector, or where their absence proves nothing."""
    if service.selector is None:
        raise Unknown(f"{service.ref} has no selector")
    return pods_matching(service.namespace, service.selector, inventory)


def pods_matching(namespace: str | None, selector: LabelSelector, inventory: Inventory) -> list[Pod]:
    """The pods that match and have not ended."""
    return [pod for pod in inventory.selected(Pod, namespace, selector) if not pod.is_over]


def is_picker(pod: Pod) -> bool:
    """Whether the pod runs an endpoint picker: a known image, or a picker's flags."""
    for _, container in pod.spec.long_running():
        name = image(container.image).name.lower()
        if name in ("epp", "lwepp") or "inference-scheduler" in name or "endpoint-picker" in name:
            return True
        if any(command.has(*PICKER_FLAGS) for command in commands(container)):
            return True
    return False


PICKER_FLAGS = ("--pool-name", "-pool-name", "--poolName", "-poolName", "--endpoint-selector", "-endpoint-selector")


def is_gateway(pod: Pod) -> bool:
    """Whether the pod is the data plane of a Gateway."""
    return any(
        label in pod.labels
        for label in (
            "gateway.networking.k8s.io/gateway-name",
            "gateway.envoyproxy.io/owning-gateway-name",
            "gateway.envoyproxy.io/owning-gatewayclass",
        )
    )


def _near_miss(pool: Pool, pods: list[Pod]) -> bool:
    return any(len(pool.selector.misses(pod.labels)) <= 1 < len(pool.selector.match_labels) for pod in pods)
