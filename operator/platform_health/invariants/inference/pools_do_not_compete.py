"""PoolsDoNotCompete."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.pools import TRAFFIC_KINDS, Traffic, traffic
from platform_health.domain.routing import routes_to
from platform_health.domain.selection import pods_of_pool
from platform_health.invariant import INFO, WARNING, Inventory, Violation, invariant
from platform_health.views.core import Pod
from platform_health.views.inference import InferencePool


@invariant(
    severity=WARNING,
    symptom="uneven load and latency: each picker fills the pods without knowing what the other sends",
    needs=(Pod, *TRAFFIC_KINDS),
)
def pools_do_not_compete(pool: InferencePool, inventory: Inventory) -> Iterator[Violation]:
    """Two pools that get requests and have pickers of their own do not share pods and port.

    Why: a picker knows the queues of the pods from their metrics, but not the requests that another picker has just
    sent. Two pools on the same pods with other ports or protocols are fine, and so is a canary of a picker, where both
    pools stand in one rule.

    Remedy: let both routes use one pool, or give the pools different pods.

    See: Gateway API Inference Extension, "InferencePool".
    """
    for other in inventory.near(InferencePool, pool.namespace):
        if not _comes_before(other, pool) or not _is_alike(pool, other) or _excludes(pool, other):
            continue
        with inventory.part():
            if any(traffic(entry, inventory) is not Traffic.ROUTED for entry in (pool, other)):
                continue
            shared = {pod.ref for pod in pods_of_pool(pool, inventory)} & {
                pod.ref for pod in pods_of_pool(other, inventory)
            }
            if shared:
                canary = _stand_in_one_rule(pool, other, inventory)
                ports = ", ".join(str(port) for port in sorted(_ports(pool) & _ports(other)))
                yield Violation(
                    at=pool.selector_at,
                    about=other.name,
                    because=f"{other.ref} sends requests to the same {len(shared)} pods and port {ports}",
                    severity=INFO if canary else None,
                    symptom="as intended, where one rule tries two pickers" if canary else None,
                    related=(other.ref,),
                )


def _comes_before(one: InferencePool, two: InferencePool) -> bool:
    """Whether the one is the older, which is not to blame."""
    return (one.metadata.creation_timestamp or "", one.name) < (two.metadata.creation_timestamp or "", two.name)


def _is_alike(one: InferencePool, two: InferencePool) -> bool:
    pickers = (one.picker, two.picker)
    own = all(picker is not None for picker in pickers) and len({picker.name for picker in pickers if picker}) == 2
    return own and one.app_protocol == two.app_protocol and bool(_ports(one) & _ports(two))


def _excludes(one: InferencePool, two: InferencePool) -> bool:
    """Whether the selectors ask for different values of one label, so that no pod has both."""
    wanted = two.selector.match_labels
    return any(wanted.get(key, value) != value for key, value in one.selector.match_labels.items())


def _ports(pool: InferencePool) -> set[int]:
    return {port for _, port in pool.target_ports()}


def _stand_in_one_rule(one: InferencePool, two: InferencePool, inventory: Inventory) -> bool:
    for route in routes_to(one, inventory):
        rules: dict[int, set[tuple[str, str]]] = {}
        for backend in route.backends():
            rules.setdefault(backend.rule, set()).add((backend.namespace, backend.name))
        if any({(one.namespace, one.name), (two.namespace, two.name)} <= names for names in rules.values()):
            return True
    return False
