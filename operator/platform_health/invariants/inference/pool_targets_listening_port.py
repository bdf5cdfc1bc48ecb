"""PoolTargetsListeningPort."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.endpoints import active_ports
from platform_health.domain.listening import declared, evidence, is_certain, listening, literal_ports
from platform_health.domain.pools import health_checks, is_pinned
from platform_health.domain.selection import is_picker, is_worker, one_per_template, pods_of_pool
from platform_health.domain.servers import Server, model_servers, servers
from platform_health.invariant import (
    ERROR,
    INFO,
    WARNING,
    Fix,
    Inventory,
    Operation,
    Unknown,
    Violation,
    invariant,
    pointer,
)
from platform_health.views.core import Namespace, Pod, Service
from platform_health.views.gke import HealthCheckPolicy
from platform_health.views.inference import InferencePool, LegacyInferencePool, Pool
from platform_health.views.view import Path
from platform_health.yaml import path_steps


@invariant(
    severity=ERROR,
    symptom="HTTP 502 or 503: nothing listens on the port that the gateway is sent to",
    needs=(Pod, Service, Namespace, HealthCheckPolicy),
    fixes=(InferencePool, LegacyInferencePool),
)
def pool_targets_listening_port(pool: InferencePool | LegacyInferencePool, inventory: Inventory) -> Iterator[Violation]:
    """Every target port of a pool is one that the servers of its pods listen on.

    Why: the gateway connects to the pod's IP address and the pool's target port. Declared container ports are only
    information; what counts is where the server listens, which its command line says (`vllm serve` without `--port`:
    8000, SGLang 30000, the llm-d routing sidecar 8000).

    Remedy: correct `targetPorts`, not the Deployment, whose pods would load their model again. Where every pod runs one
    server on one literal port, the fix does it.

    See: Gateway API Inference Extension, `InferencePoolSpec.TargetPorts`.
    """
    ready = one_per_template(pod for pod in pods_of_pool(pool, inventory) if pod.is_ready)
    pods = [pod for pod in ready if _is_endpoint(pod)]
    for at, port in pool.target_ports():
        with inventory.part():
            asked = [pod for pod in pods if port in active_ports(pod, pool)]
            wrong = [pod for pod in asked if port not in evidence(pod, inventory)]
            if wrong and len(wrong) == len(asked):
                yield _nobody_listens(pool, at, port, wrong, inventory)
            elif wrong:
                yield from _some_do_not_listen(at, port, wrong, inventory)
    yield from _wrong_protocol(pool, pods)
    yield from _wrong_health_check(pool, inventory)


def _is_endpoint(pod: Pod) -> bool:
    found = list(servers(pod))
    computes_only = bool(found) and all(server.ports == frozenset() for server in found)
    return not is_worker(pod) and not is_picker(pod) and not computes_only


def _nobody_listens(pool: Pool, at: Path, port: int, pods: list[Pod], inventory: Inventory) -> Violation:
    found = frozenset[int]().union(*(listening(pod) for pod in pods))
    certain = bool(found) and all(is_certain(pod, inventory) for pod in pods)
    if not certain and not all(declared(pod) for pod in pods):
        raise Unknown(f"it is not known on which ports the pods of {pods[0].workload} listen")
    shown = found or frozenset[int]().union(*(declared(pod) for pod in pods))
    ports = ", ".join(map(str, sorted(shown)))
    workloads = list(dict.fromkeys(pod.workload for pod in pods))
    more = f" and {len(workloads) - 3} more" if len(workloads) > 3 else ""
    where = ", ".join(map(str, workloads[:3])) + more
    if certain:
        because = f"no container listens on {port}: the servers of {where} listen on {ports}"
    else:
        because = f"nothing shows that a container listens on {port}: {where} declares {ports}"
    return Violation(
        at=at,
        about=str(port),
        because=because,
        severity=ERROR if certain else WARNING,
        verify=f"kubectl get pods -n {pool.namespace} -l '{pool.selector}' -o yaml",
        related=tuple(dict.fromkeys(pod.workload for pod in pods))[:3],
        fix=_fix(pool, pods, inventory) if certain else None,
    )


def _some_do_not_listen(at: Path, port: int, pods: list[Pod], inventory: Inventory) -> Iterator[Violation]:
    known = [pod for pod in pods if listening(pod) and is_certain(pod, inventory)]
    if known:
        workloads = tuple(dict.fromkeys(pod.workload for pod in known))
        ports = ", ".join(map(str, sorted(frozenset[int]().union(*(listening(pod) for pod in known)))))
        yield Violation(
            at=at,
            about=f"{port} in part",
            because=f"some pods do not listen on {port}: those of {workloads[0]} listen on {ports}",
            severity=INFO,
            symptom="HTTP 502 or 503 for the share of requests that these pods get, as during a rollout",
            related=workloads[:3],
        )


def _wrong_protocol(pool: Pool, pods: list[Pod]) -> Iterator[Violation]:
    if pool.app_protocol != "kubernetes.io/h2c" or not pods:
        return
    ports = [port for _, port in pool.target_ports()]
    if all(any(_speaks_http1(server, ports) for server in model_servers(pod)) for pod in pods):
        yield Violation(
            at=Path("spec.appProtocol"),
            about="appProtocol",
            because="appProtocol is kubernetes.io/h2c, but the HTTP server of vLLM speaks HTTP/1.1 only",
            severity=WARNING,
            symptom="HTTP 502: the gateway speaks HTTP/2 to a server that does not",
            related=tuple(dict.fromkeys(pod.workload for pod in pods))[:3],
        )


def _wrong_health_check(pool: Pool, inventory: Inventory) -> Iterator[Violation]:
    """GKE's load balancer sends nothing to pods whose health it checks on another port."""
    ports = [port for _, port in pool.target_ports()]
    for policy in health_checks(pool, inventory):
        if policy.port is not None and policy.port not in ports:
            yield Violation(
                at=Path("spec.targetPorts" if isinstance(pool, InferencePool) else "spec.targetPortNumber"),
                about=f"health check {policy.name}",
                because=f"{policy.ref} checks port {policy.port}, which is no target port of the pool",
                severity=WARNING,
                symptom="HTTP 503: the load balancer takes the pods for unhealthy",
                related=(policy.ref,),
            )


def _speaks_http1(server: Server, ports: list[int]) -> bool:
    grpc = server.command.has("--grpc") or "grpc" in server.image
    return server.engine == "vllm" and not grpc and (server.ports or frozenset()).issuperset(ports)


def _fix(pool: Pool, pods: list[Pod], inventory: Inventory) -> Fix | None:
    """Naming the one port that every pod's one server listens on, where nothing else is pinned to the old one."""
    targets = list(pool.target_ports())
    try:
        agreed = {literal_ports(pod) for pod in pods}
    except Unknown:
        return None
    alone = all(len(list(servers(pod))) == 1 and not _is_parallel(pod) for pod in pods)
    if len(targets) != 1 or len(agreed) != 1 or not alone or is_pinned(pool, inventory):
        return None
    (ports,) = agreed
    if len(ports) != 1:
        return None
    (port,) = ports
    path = pointer(*path_steps(targets[0][0]))
    return Fix(
        title=f"target port {port}, on which {pods[0].workload} listens",
        safety="safe",
        target=pool.ref,
        patch=(Operation("replace", path, port),),
    )


def _is_parallel(pod: Pod) -> bool:
    """Whether data parallelism or disaggregation may make one port only a part of the truth."""
    flags = ("--data-parallel-size", "-dp", "--data-parallel-hybrid-lb", "--data-parallel-external-lb", "--dp-size")
    return any(server.command.has(*flags) for server in servers(pod)) or "llm-d.ai/role" in pod.labels
