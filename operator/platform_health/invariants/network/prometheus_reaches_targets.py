"""PrometheusReachesTargets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from platform_health.domain.flows import FLOW_KINDS, blockages, is_restricted
from platform_health.domain.monitoring import READERS, Scraper, selecting
from platform_health.domain.scrapers import pods_of_scraper
from platform_health.domain.targets import targets
from platform_health.invariant import WARNING, Inventory, Violation, invariant
from platform_health.views.core import Pod, Service
from platform_health.views.monitoring import Monitor, PodMonitor, ServiceMonitor
from platform_health.views.view import Path, Ref


@invariant(
    severity=WARNING,
    symptom="target DOWN, context deadline exceeded",
    needs=(*READERS, Pod, Service, *FLOW_KINDS),
    category="observability",
)
def prometheus_reaches_targets(monitor: ServiceMonitor | PodMonitor, inventory: Inventory) -> Iterator[Violation]:
    """NetworkPolicies let Prometheus reach what it scrapes.

    Why: a policy that admits only the gateway to the model servers, or only the picker's gRPC port, keeps Prometheus
    out: the target is down with a timeout, dashboards are empty, and autoscalers that ask Prometheus stand still.

    Remedy: admit the pods of Prometheus to the port that is scraped.

    See: Kubernetes, NetworkPolicy; prometheus-operator, troubleshooting.
    """
    if not is_restricted(inventory):
        return
    scraped: dict[Path, dict[Ref, tuple[Pod, set[int]]]] = defaultdict(dict)
    for target in targets(monitor, inventory):
        scraped[target.at].setdefault(target.pod.ref, (target.pod, set()))[1].add(target.address.port)
    for scraper in selecting(monitor, inventory) if scraped else ():
        for at, found in scraped.items():
            with inventory.part():
                yield from _judged(monitor, scraper, at, found, inventory)


def _judged(
    monitor: Monitor, scraper: Scraper, at: Path, found: Mapping[Ref, tuple[Pod, set[int]]], inventory: Inventory
) -> Iterator[Violation]:
    sources = pods_of_scraper(scraper, inventory)
    pods = [pod for pod, _ in found.values()]
    for blockage in blockages(sources, pods, lambda pod: sorted(found[pod.ref][1]), inventory):
        yield Violation(
            at=at,
            about=f"{scraper.ref} {blockage.direction} {' '.join(map(str, blockage.ports))}",
            because=f"{scraper.ref} cannot reach {blockage.destination.workload}: {blockage}",
            verify=f"kubectl get networkpolicies -n {blockage.guarded.namespace}",
            related=blockage.policies,
            follows=blockage.policies,
            after=("PolicyNamesLiveNamespaces",),
        )
