"""MonitorCarriesCredentials."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.environment import SOURCES
from platform_health.domain.metrics_access import why_refused
from platform_health.domain.monitoring import READERS
from platform_health.domain.targets import targets
from platform_health.invariant import ERROR, Fix, Inventory, Violation, invariant
from platform_health.views.core import Service
from platform_health.views.monitoring import PodMonitor, ServiceMonitor
from platform_health.views.view import Ref


@invariant(
    severity=ERROR,
    symptom="no data: the target is DOWN, every scrape is refused",
    category="observability",
    needs=(*READERS, Service, *SOURCES),
)
def monitor_carries_credentials(monitor: ServiceMonitor | PodMonitor, inventory: Inventory) -> Iterator[Violation]:
    """A guarded /metrics is scraped with credentials, and nothing is scraped that has no /metrics.

    Why: LiteLLM from 1.84 on, llama.cpp with an API key and the endpoint picker answer 401 to a scrape without a
    token. Ollama has no /metrics at all; SGLang and llama.cpp serve it only when told to. vLLM, TGI and Triton never
    ask for a token there.

    Remedy: add `authorization` with a Secret to the endpoint; where there is no /metrics, switch it on in the server
    or delete the monitor.

    See: the servers' own documentation.
    """
    told: set[tuple[str, Ref]] = set()
    for target in targets(monitor, inventory):
        with inventory.part():
            if target.address.path != "/metrics" or (str(target.at), target.pod.workload) in told:
                continue
            refused = why_refused(target, inventory)
            if refused is None:
                continue
            told.add((str(target.at), target.pod.workload))
            yield Violation(
                at=target.at,
                about=f"{target.endpoint.port or target.address.port} {target.pod.workload}",
                because=f"{target.pod.workload}, port {target.address.port}: {refused.because}",
                symptom=f"no data: the target is DOWN with HTTP {refused.status}",
                related=(target.pod.workload,),
                fix=Fix(title=refused.remedy, safety="manual", target=monitor.ref),
            )
