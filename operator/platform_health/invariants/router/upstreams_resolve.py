"""UpstreamsResolve."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain import production_stack, routers, upstreams
from platform_health.domain.listening import evidence, is_certain
from platform_health.domain.production_stack import Router
from platform_health.domain.selection import pods_matching
from platform_health.invariant import ERROR, WARNING, Inventory, Violation, invariant
from platform_health.views.apps import Deployment, StatefulSet
from platform_health.views.core import ConfigMap
from platform_health.views.files import LiteLLMConfigFile, RouterConfigFile


@invariant(
    severity=ERROR,
    symptom="HTTP 502 or 503 for every request that is sent to this upstream",
    needs=(*routers.NEEDS, *upstreams.NEEDS),
)
def upstreams_resolve(
    subject: ConfigMap | LiteLLMConfigFile | RouterConfigFile | Deployment | StatefulSet, inventory: Inventory
) -> Iterator[Violation]:
    """Every upstream of a router that means a Service of the cluster names one that exists and can answer.

    Why: a router resolves its upstreams when a request arrives. A wrong Service name, namespace or port is only seen as
    a failed request, or as a silent move to the fallback; so is a Service that selects no pods.

    Remedy: write the Service's name, namespace and port (`http://name.namespace.svc:port`), or repair the Service.
    Hosts outside of the cluster are not judged.

    See: LiteLLM, `litellm_params.api_base`; production-stack router, `--static-backends`; Kubernetes, DNS for Services.
    """
    for upstream in routers.upstreams(subject, inventory):
        with inventory.part():
            problem = _problem(upstream, inventory)
            if problem is not None:
                yield problem
    if isinstance(subject, Deployment | StatefulSet):
        for router in production_stack.routers(subject):
            with inventory.part():
                yield from _discovery(router, subject, inventory)


def _problem(upstream: routers.Upstream, inventory: Inventory) -> Violation | None:
    address = upstreams.address(upstream.url)
    if isinstance(address, upstreams.BadUrl):
        return None
    place = upstreams.place(address.host, address.port, upstream.namespace)
    problem = upstreams.problem(place, inventory) if place is not None else None
    if problem is None:
        return None
    return Violation(
        at=upstream.at,
        about=f"{upstream.title}: {address}",
        because=f"{upstream.title} is sent to {address}, but {problem.because}",
        nearest=problem.nearest,
        follows=problem.follows,
        verify=problem.verify,
    )


def _discovery(router: Router, subject: Deployment | StatefulSet, inventory: Inventory) -> Iterator[Violation]:
    backends, models = router.listed("--static-backends"), router.listed("--static-models")
    if backends and models and len(backends) != len(models):
        yield Violation(
            at=router.place("--static-models"),
            about="static lists",
            because=f"--static-backends has {len(backends)} entries and --static-models {len(models)}; they pair up",
            symptom="the router exits at its start",
        )
    if router.discovers_pods and subject.replicas:
        yield from _discovered(router, inventory)


def _discovered(router: Router, inventory: Inventory) -> Iterator[Violation]:
    namespace = router.command.value("--k8s-namespace") or "default"
    port = router.command.number("--k8s-port") or 8000
    pods = pods_matching(namespace, router.selector, inventory)
    place = router.place("--k8s-label-selector")
    if not pods:
        is_resting = upstreams.is_scaled_to_zero(namespace, router.selector, inventory)
        yield Violation(
            at=place,
            about=f"{namespace}: {router.selector}",
            because=f"--k8s-label-selector {router.selector} matches no pods in namespace {namespace}"
            + (" while the workload behind it is scaled to zero" if is_resting else ""),
            severity=WARNING if is_resting else ERROR,
            verify=f"kubectl get pods -n {namespace} -l '{router.selector}'",
        )
    elif all(is_certain(pod, inventory) and port not in evidence(pod, inventory) for pod in pods):
        ports = sorted({number for pod in pods for number in evidence(pod, inventory)})
        yield Violation(
            at=router.place("--k8s-port"),
            about=f"port {port}",
            because=f"--k8s-port is {port}, but its pods listen on {', '.join(map(str, ports)) or 'no port'}",
        )
