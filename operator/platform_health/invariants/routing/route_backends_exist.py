"""RouteBackendsExist."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.routing import BACKENDS, is_confirmed, is_in_use, nearest_backend, twin, why_missing
from platform_health.invariant import ERROR, INFO, WARNING, Inventory, Violation, invariant
from platform_health.views.gateway import AIGatewayRoute, Backend, Gateway, GRPCRoute, HTTPRoute


@invariant(
    severity=ERROR,
    symptom="HTTP 500 for this backend's share of the requests",
    needs=(*BACKENDS, Gateway),
)
def route_backends_exist(route: HTTPRoute | GRPCRoute | AIGatewayRoute, inventory: Inventory) -> Iterator[Violation]:
    """Every backend of a route exists, and a Service has the port that is asked for.

    Why: a gateway answers 500 for the share of requests whose backend it cannot resolve; where no backend of a rule
    resolves, for all of them. The port of a backendRef to an InferencePool is ignored and never wrong.

    Remedy: correct the name in `backendRefs`, or create what it names. Nothing is changed automatically, since the
    nearest name may be another model.

    See: Gateway API, `BackendObjectReference`; conformance `httproute_invalid_inferencepool_ref`.
    """
    if is_confirmed(route):
        return
    used = is_in_use(route, inventory)
    for number, redirects in enumerate(rule.redirects for rule in route.spec.rules):
        backends = [backend for backend in route.backends() if backend.rule == number]
        missing: dict[Backend, str] = {}
        for backend in backends:
            with inventory.part():
                because = why_missing(backend, inventory)
                if because is not None and twin(backend, inventory) is None:
                    missing[backend] = because
        total = sum(backend.weight for backend in backends)
        lost = sum(backend.weight for backend in missing)
        for backend, because in missing.items():
            idle = not used or backend.weight == 0 or redirects
            part = f"; {lost * 100 // total} % of the rule's requests are lost" if 0 < lost < total else ""
            yield Violation(
                at=backend.at / "name",
                about=f"{backend}:{backend.port}",
                because=because + part,
                nearest=nearest_backend(backend, inventory),
                severity=INFO if idle else WARNING if lost < total else ERROR,
                symptom="nothing yet: no request takes this backend" if idle else None,
                verify=f"kubectl get {backend.kind.lower()} -n {backend.namespace} {backend.name}",
            )
    yield from _mirrors(route, inventory)


def _mirrors(route: HTTPRoute | GRPCRoute | AIGatewayRoute, inventory: Inventory) -> Iterator[Violation]:
    for backend in () if isinstance(route, AIGatewayRoute) else route.mirrors():
        with inventory.part():
            because = why_missing(backend, inventory)
            if because is not None:
                yield Violation(
                    at=backend.at / "name",
                    about=f"mirror {backend}:{backend.port}",
                    because=because,
                    nearest=nearest_backend(backend, inventory),
                    severity=WARNING,
                    symptom="mirrored requests are dropped; clients see nothing",
                )
