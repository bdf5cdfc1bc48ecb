"""Which ports of a pod are endpoints of a pool."""

from __future__ import annotations

from platform_health.views.core import Pod
from platform_health.views.inference import Pool

ACTIVE_PORTS = ("llm-d.ai/active-ports", "inference.networking.k8s.io/active-ports")
"""The annotation by which a pod says which target ports it serves, and its former name."""


def active_ports(pod: Pod, pool: Pool) -> list[int]:
    """The target ports of a pool that are endpoints on this pod: all, or those that its annotation lists."""
    ports = [number for _, number in pool.target_ports()]
    for key in ACTIVE_PORTS:
        if key in pod.annotations:
            listed = {word.strip() for word in pod.annotations[key].split(",")}
            return [port for port in ports if str(port) in listed]
    return ports


def says_active_ports(pod: Pod) -> bool:
    """Whether a pod lists the target ports that it serves."""
    return any(key in pod.annotations for key in ACTIVE_PORTS)
