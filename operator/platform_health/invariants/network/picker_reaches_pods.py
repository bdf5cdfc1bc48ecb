"""PickerReachesPods."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.endpoints import active_ports
from platform_health.domain.flows import FLOW_KINDS, blockages, is_restricted
from platform_health.domain.openings import opening
from platform_health.domain.picker_configs import config_of
from platform_health.domain.pickers import Picker, pickers_of
from platform_health.domain.selection import pods_of_pool
from platform_health.invariant import WARNING, Inventory, Unknown, Violation, invariant
from platform_health.views.core import ConfigMap, Pod, Service
from platform_health.views.inference import InferencePool, LegacyInferencePool, Pool


@invariant(
    severity=WARNING,
    symptom="requests are spread without regard to load",
    needs=(Pod, Service, ConfigMap, *FLOW_KINDS),
    category="observability",
)
def picker_reaches_pods(pool: InferencePool | LegacyInferencePool, inventory: Inventory) -> Iterator[Violation]:
    """NetworkPolicies let the endpoint picker reach the metrics of a pool's pods.

    Why: the picker reads queue length and cache use of every pod from `/metrics`, on the target port unless it is told
    otherwise. Where it cannot, all pods look alike, or stale: requests still arrive, but are spread badly, and
    sheddable ones may be refused.

    Remedy: admit the picker's pods to the port, as in the proposed fix.

    See: Kubernetes, NetworkPolicy; llm-d-router, `metrics-data-source`.
    """
    if not is_restricted(inventory):
        return
    pickers = pickers_of(pool, inventory)
    if not pickers:
        return
    port = _metrics_port(pickers[0], inventory)
    pods = pods_of_pool(pool, inventory)
    sources = list({picker.pod.ref: picker.pod for picker in pickers}.values())

    def ports(pod: Pod) -> list[int]:
        return active_ports(pod, pool) if port is None else [port]

    for blockage in blockages(sources, pods, ports, inventory):
        yield Violation(
            at=_place(pool),
            about=blockage.direction,
            because=f"the endpoint picker {sources[0].workload} cannot read the metrics of the pods: {blockage}",
            verify=f"kubectl get networkpolicies -n {pool.namespace}",
            related=blockage.policies,
            follows=blockage.policies,
            after=("PolicyNamesLiveNamespaces",),
            fix=opening(f"{pool.name}-from-picker", pool.selector, blockage, pods, inventory),
        )


def _metrics_port(picker: Picker, inventory: Inventory) -> int | None:
    """The port that the picker's flags or configuration name, None for the target ports."""
    config = config_of(picker, inventory)
    for plugin in config.of_type("metrics-data-source") if config is not None else ():
        named = plugin.parameters.get("port")
        if isinstance(named, int) and named > 0:
            return named
    flag = picker.flag("model-server-metrics-port")
    if flag is None or flag == "0":
        return None
    if not flag.isdigit():
        raise Unknown(f"--model-server-metrics-port of {picker.pod.workload} is {flag!r}")
    return int(flag)


def _place(pool: Pool) -> str:
    return str(next((at for at, _ in pool.target_ports()), "spec"))
