"""Which pods a pool, a Service or a monitor selects; templates stand for running pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from platform_health.domain.command import commands
from platform_health.domain.endpoints import ACTIVE_PORTS
from platform_health.domain.images import image
from platform_health.inventory import Inventory, Unknown
from platform_health.views.apps import (
    DaemonSet,
    Deployment,
    LeaderWorkerSet,
    Rollout,
    StatefulSet,
    Workload,
)
from platform_health.views.core import Pod, Service, selecting_term
from platform_health.views.inference import Pool
from platform_health.views.view import LabelSelector, Ref

SERVING_WORKLOADS: tuple[type[Workload], ...] = (Deployment, StatefulSet, DaemonSet, LeaderWorkerSet, Rollout)
"""The kinds of workloads that keep pods running; Jobs end."""

_ADDED_BY_CONTROLLERS = frozenset(
    {
        "apps.kubernetes.io/pod-index",
        "controller-revision-hash",
        "leaderworkerset.sigs.k8s.io/group-index",
        "leaderworkerset.sigs.k8s.io/group-key",
        "leaderworkerset.sigs.k8s.io/template-revision-hash",
        "pod-template-generation",
        "pod-template-hash",
        "rollouts-pod-template-hash",
        "statefulset.kubernetes.io/pod-name",
    }
)
"""Labels that running pods have and templates do not."""

_REVISIONS = ("pod-template-hash", "controller-revision-hash", "leaderworkerset.sigs.k8s.io/template-revision-hash")


def pods_of_pool(pool: Pool, inventory: Inventory) -> list[Pod]:
    """The pods that a pool selects and that have not ended; Unknown where their absence proves nothing.

    In files the pods of a namespace are known where a model server, or another pod-bearing object that is no picker,
    gateway or job, stands in it.
    """
    found = pods_matching(pool.namespace, pool.selector, inventory)
    if not found and not inventory.knowledge.is_complete:
        others = inventory.near(Pod, pool.namespace)
        if all(_says_nothing(pod, pool, inventory) for pod in others) and not _is_near(pool, inventory):
            raise Unknown(f"the files hold no model servers of namespace {pool.namespace}")
    return found


def _says_nothing(pod: Pod, pool: Pool, inventory: Inventory) -> bool:
    """Whether a pod in files does not show that the model servers are in them too."""
    return is_picker(pod) or is_gateway(pod) or is_job(pod) or _is_asked_by(pool, pod, inventory)


def _is_asked_by(pool: Pool, pod: Pod, inventory: Inventory) -> bool:
    """Whether the pod stands behind the pool's picker reference, whatever it runs."""
    name = pool.picker.name if pool.picker is not None else ""
    service = inventory.peek(Ref(Service.kind, pool.namespace, name))
    selector = service.selector if isinstance(service, Service) else None
    return selector is not None and selector.matches(pod.labels)


def pods_of_service(service: Service, inventory: Inventory) -> list[Pod]:
    """The pods behind a Service; Unknown where it has no selector, or where their absence proves nothing."""
    if service.selector is None:
        raise Unknown(f"{service.ref} has no selector")
    return pods_matching(service.namespace, service.selector, inventory)


def services_selecting(pod: Pod, inventory: Inventory) -> list[Service]:
    """The known Services that select a pod, without those that Istio makes; never proves that there is none."""
    return [
        service
        for key, value in sorted(pod.labels.items())
        for service in inventory.near(Service, pod.namespace, selecting_term(key, value))
        if not service.is_shadow and service.selector is not None and service.selector.matches(pod.labels)
    ]


def pods_matching(namespace: str | None, selector: LabelSelector, inventory: Inventory) -> list[Pod]:
    """The pods that match and have not ended. A label that a controller adds cannot be asked of a template."""
    added = _ADDED_BY_CONTROLLERS & selector.keys
    if not added:
        return [pod for pod in inventory.selected(Pod, namespace, selector) if not pod.is_over]
    rest = LabelSelector(
        match_labels={key: value for key, value in selector.match_labels.items() if key not in added},
        match_expressions=tuple(entry for entry in selector.match_expressions if entry.key not in added),
    )
    return [
        pod
        for pod in inventory.selected(Pod, namespace, rest)
        if not pod.is_over and (selector.matches(pod.labels) or _may_get(pod, selector))
    ]


def _may_get(pod: Pod, selector: LabelSelector) -> bool:
    """Whether a pod of this template may get the labels that a controller adds."""
    if not pod.is_template:
        return False
    name, _, number = selector.match_labels.get("statefulset.kubernetes.io/pod-name", "").rpartition("-")
    return not number or (name == pod.workload.name and number.isdigit())


def one_per_template(pods: Iterable[Pod]) -> list[Pod]:
    """One pod for each template, in order: the others of its revision say the same in their spec."""
    found: dict[tuple[object, ...], Pod] = {}
    for pod in pods:
        revision = tuple(pod.labels.get(key) for key in _REVISIONS)
        ports = tuple(pod.annotations.get(key) for key in ACTIVE_PORTS)
        found.setdefault((pod.workload, pod.origin_path, revision, ports, is_worker(pod)), pod)
    return list(found.values())


def workloads_matching(namespace: str, selector: LabelSelector, inventory: Inventory) -> list[Workload]:
    """The workloads with a template that ``selector`` matches, also those without any pod; never proves absence."""
    return [
        workload
        for kind in SERVING_WORKLOADS
        for workload in inventory.near(kind, namespace)
        if any(selector.matches(template.metadata.labels) for _, template in workload.templates())
    ]


def nearest_pods(namespace: str, selector: LabelSelector, inventory: Inventory) -> str:
    """What nearly matches, for people: pods with all labels but one, or pods of another namespace; may be empty."""
    for pod in _without_jobs(inventory.near(Pod, namespace)):
        missed = selector.misses(pod.labels)
        if len(missed) == 1 and len(selector.match_labels) > 1:
            return f"the pods of {pod.workload} lack {missed[0]}"
    for pod in pods_elsewhere(namespace, selector, inventory):
        return f"the pods of {pod.workload} match, but selectors only see their own namespace"
    for key, value in selector.match_labels.items():
        for pod in _without_jobs(inventory.near(Pod, namespace)):
            if len(selector.match_labels) == 1 and key in pod.labels and not is_picker(pod):
                return f"the pods of {pod.workload} have {key}={pod.labels[key]}, not {value}"
    return ""


def pods_elsewhere(namespace: str, selector: LabelSelector, inventory: Inventory) -> list[Pod]:
    """Pods of other namespaces that match, for hints; never proves absence."""
    try:
        return [pod for pod in inventory.selected(Pod, None, selector) if pod.namespace != namespace]
    except Unknown:
        return []


def _without_jobs(pods: Iterable[Pod]) -> Iterator[Pod]:
    return (pod for pod in pods if not is_job(pod) and not is_gateway(pod))


def is_picker(pod: Pod) -> bool:
    """Whether the pod runs an endpoint picker: a known image, or a picker's flags."""
    for _, container in pod.spec.long_running():
        name = image(container.image).name.lower()
        if name in ("epp", "lwepp") or "inference-scheduler" in name or "endpoint-picker" in name:
            return True
        if "sidecar" not in name and any(command.has(*PICKER_FLAGS) for command in commands(container)):
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


def is_job(pod: Pod) -> bool:
    """Whether the pod is a Job's, so that it ends."""
    return pod.workload.kind.group == "batch"


def is_worker(pod: Pod) -> bool:
    """Whether the pod is a follower in a group of several nodes, which answers no requests itself."""
    return (
        pod.labels.get("leaderworkerset.sigs.k8s.io/worker-index", "0") != "0"
        or pod.labels.get("ray.io/node-type") == "worker"
    )


def _is_near(pool: Pool, inventory: Inventory) -> bool:
    near = inventory.near(Pod, pool.namespace)
    if any(len(pool.selector.misses(pod.labels)) <= 1 < len(pool.selector.match_labels) for pod in near):
        return True
    return bool(pods_elsewhere(pool.namespace, pool.selector, inventory))
