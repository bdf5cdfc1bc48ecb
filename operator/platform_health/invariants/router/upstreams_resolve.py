"""UpstreamsResolve."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain import production_stack, router_discovery, routers, upstreams
from platform_health.invariant import ERROR, Inventory, Violation, invariant
from platform_health.views.apps import Deployment, StatefulSet
from platform_health.views.core import ConfigMap
from platform_health.views.files import LiteLLMConfigFile, RouterConfigFile


@invariant(
    severity=ERROR,
    symptom="HTTP 502 or 503 for every request that is sent to this upstream",
    needs=(*routers.NEEDS, *upstreams.NEEDS, *router_discovery.NEEDS),
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
                for fault in router_discovery.faults(router, subject, inventory):
                    yield Violation(
                        at=fault.at,
                        about=fault.about,
                        because=fault.because,
                        severity=fault.severity,
                        symptom=fault.symptom,
                    )


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
