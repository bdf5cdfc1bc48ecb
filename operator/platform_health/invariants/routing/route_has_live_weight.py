"""RouteHasLiveWeight."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.invariant import WARNING, Fix, Inventory, Operation, Violation, invariant
from platform_health.views.gateway import HTTPRoute, Rule
from platform_health.views.view import Path


@invariant(severity=WARNING, symptom="HTTP 500")
def route_has_live_weight(route: HTTPRoute, inventory: Inventory) -> Iterator[Violation]:
    """The weights of a rule's backends do not add up to 0.

    Why: a backend of weight 0 gets no requests. Where that is so for all of them, every request that the rule matches
    is answered with 500; this is what is left of a canary whose last step was undone.

    Remedy: give the backend that should serve a weight above 0, or remove the rule.

    See: Gateway API, `HTTPBackendRef.weight`.
    """
    for at, rule in route.rules():
        if rule.backend_refs and not _answers_itself(rule) and not any(entry.weight for entry in rule.backend_refs):
            names = ", ".join(entry.name for entry in rule.backend_refs)
            yield Violation(
                at=at / "backendRefs",
                about=f"{rule}: {names}",
                because=f"every backend of the rule {rule} has weight 0: {names}",
                fix=_fix(route, at, rule),
            )


def _answers_itself(rule: Rule) -> bool:
    """Whether a redirect, or a filter of the implementation's own, may answer instead of a backend."""
    return any(entry.type in ("RequestRedirect", "ExtensionRef") for entry in rule.filters)


def _fix(route: HTTPRoute, at: Path, rule: Rule) -> Fix:
    title = f"give {rule.backend_refs[0].name} weight 1"
    if len(rule.backend_refs) > 1:
        return Fix(title="give the backend that should serve a weight above 0", safety="manual", target=route.ref)
    operation = Operation("replace", (at / "backendRefs" / 0 / "weight").pointer, 1)
    return Fix(title=title, safety="unsafe", target=route.ref, patch=(operation,))
