"""What keeps a production-stack router from finding and calling its engines."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain import environment
from platform_health.domain.guarded import is_guarded
from platform_health.domain.listening import evidence, is_certain
from platform_health.domain.production_stack import Router
from platform_health.domain.rbac import RBAC_KINDS, Account, Permission, is_allowed
from platform_health.domain.router_faults import Fault
from platform_health.domain.selection import pods_matching
from platform_health.domain.servers import servers
from platform_health.domain.upstreams import is_scaled_to_zero
from platform_health.invariant import ERROR, WARNING
from platform_health.inventory import Inventory, Unknown
from platform_health.views.apps import Deployment, StatefulSet
from platform_health.views.core import Pod
from platform_health.views.view import View

Workload = Deployment | StatefulSet
NEEDS: tuple[type[View], ...] = RBAC_KINDS

_KEY = "VLLM_API_KEY"


def faults(router: Router, workload: Workload, inventory: Inventory) -> Iterator[Fault]:
    """Everything that is wrong with how a router finds its engines."""
    backends, models = router.listed("--static-backends"), router.listed("--static-models")
    if backends and models and len(backends) != len(models):
        because = f"--static-backends has {len(backends)} entries and --static-models {len(models)}; they pair up"
        place = router.place("--static-models")
        yield Fault(place, "static lists", because, symptom="the router exits at its start")
    if not router.discovers_pods or not workload.replicas:
        return
    namespace = router.command.value("--k8s-namespace") or "default"
    with inventory.part():
        yield from _rights(workload, namespace, inventory)
    pods = pods_matching(namespace, router.selector, inventory)
    if not pods:
        yield _no_pods(router, namespace, inventory)
        return
    with inventory.part():
        yield from _port(router, pods, inventory)
    with inventory.part():
        yield from _key(router, workload, pods, inventory)


def _no_pods(router: Router, namespace: str, inventory: Inventory) -> Fault:
    is_resting = is_scaled_to_zero(namespace, router.selector, inventory)
    because = f"--k8s-label-selector {router.selector} matches no pods in namespace {namespace}"
    return Fault(
        at=router.place("--k8s-label-selector"),
        about=f"{namespace}: {router.selector}",
        because=because + (" while the workload behind it is scaled to zero" if is_resting else ""),
        severity=WARNING if is_resting else ERROR,
    )


def _port(router: Router, pods: list[Pod], inventory: Inventory) -> Iterator[Fault]:
    port = router.command.number("--k8s-port") or 8000
    if all(is_certain(pod, inventory) and port not in evidence(pod, inventory) for pod in pods):
        ports = sorted({number for pod in pods for number in evidence(pod, inventory)})
        because = f"--k8s-port is {port}, but its pods listen on {', '.join(map(str, ports)) or 'no port'}"
        yield Fault(router.place("--k8s-port"), f"port {port}", because)


def _rights(workload: Workload, namespace: str, inventory: Inventory) -> Iterator[Fault]:
    name = workload.spec.template.spec.service_account_name or "default"
    account = Account(workload.namespace, name)
    for verb in ("list", "watch"):
        if not is_allowed(account, Permission(verb, "", "pods", namespace), inventory):
            yield Fault(
                at="spec.template.spec.serviceAccountName",
                about=f"{namespace}: {account}",
                because=f"the router discovers pods in namespace {namespace}, but {account} may not {verb} them",
                symptom="the router knows no engine: HTTP 503 for every request",
            )
            return


def _key(router: Router, workload: Workload, pods: list[Pod], inventory: Inventory) -> Iterator[Fault]:
    if environment.is_set(router.container, _KEY, workload.namespace, inventory):
        return
    if router.container.env_from:
        raise Unknown(f"whether {workload.ref} has {_KEY} is not known")
    guarded = next(
        (pod for pod in pods if any(is_guarded(entry, "/v1/models", pod, inventory) for entry in servers(pod))), None
    )
    if guarded is not None:
        yield Fault(
            at=router.at / "env",
            about="key",
            because=f"{guarded.workload} wants an API key, and the router has no {_KEY} to list its models with",
            symptom="HTTP 401 from the engines, so that the router knows no model",
        )
