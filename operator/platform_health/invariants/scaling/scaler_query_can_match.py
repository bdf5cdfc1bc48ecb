"""ScalerQueryCanMatch."""

from __future__ import annotations

import re
from collections.abc import Iterator

from platform_health.domain.monitoring import READERS
from platform_health.domain.promql import has_loose_variables, is_bare_selector, selectors
from platform_health.domain.series import impossible_labels
from platform_health.domain.upstreams import BadUrl, address, nearest_service, place, service_at
from platform_health.invariant import (
    ERROR,
    WARNING,
    Fix,
    Inventory,
    Operation,
    Path,
    Unknown,
    Violation,
    invariant,
    pointer,
)
from platform_health.views.core import Namespace, Service
from platform_health.views.monitoring import PodMonitor, PrometheusRule, ServiceMonitor
from platform_health.views.scaling import ScaledObject, Trigger

_ONE_SERIES = {"pod", "instance"}


@invariant(
    severity=ERROR,
    symptom="no scaling: the workload stays at its minimum",
    needs=(*READERS, Service, Namespace, ServiceMonitor, PodMonitor, PrometheusRule),
)
def scaler_query_can_match(scaler: ScaledObject, inventory: Inventory) -> Iterator[Violation]:
    """The query of a Prometheus trigger can be asked, can match, and returns one series.

    Why: KEDA takes an empty result for 0 and stays Ready, so a label that the metric never has pins the workload at its
    minimum in silence (vLLM's label is `model_name`, not `model`). More than one series is an error to KEDA.

    Remedy: correct the address or the label; wrap the query in `sum(…)`.

    See: KEDA, Prometheus scaler; production-stack chart, `keda.triggers`.
    """
    if scaler.is_paused:
        return
    for at, trigger in scaler.triggers():
        if trigger.type == "prometheus":
            with inventory.part():
                yield from _server(at, trigger, inventory)
            with inventory.part():
                yield from _query(scaler, at, trigger, inventory)


def _server(at: Path, trigger: Trigger, inventory: Inventory) -> Iterator[Violation]:
    found = address(trigger.metadata.get("serverAddress", ""))
    if isinstance(found, BadUrl):
        return
    meant = place(found.host, found.port, None)
    if meant is None or not (meant.is_sure or inventory.near(Service, meant.namespace)):
        return
    service = service_at(meant, inventory)
    where = at / "metadata" / "serverAddress"
    if service is None:
        yield Violation(
            at=where,
            about=f"server {meant}",
            because=f"{meant} does not exist",
            nearest=nearest_service(meant, inventory),
            verify=f"kubectl get service -n {meant.namespace} {meant.name}",
        )
    elif not service.is_headless and not service.is_external_name and service.port(meant.port) is None:
        ports = ", ".join(str(entry.port) for entry in service.spec.ports) or "no port"
        yield Violation(at=where, about=f"server {meant}", because=f"{meant} has no port {meant.port}, it has {ports}")


def _query(scaler: ScaledObject, at: Path, trigger: Trigger, inventory: Inventory) -> Iterator[Violation]:
    query = trigger.metadata.get("query", "")
    where = at / "metadata" / "query"
    if not query:
        return
    if has_loose_variables(query):
        raise Unknown("the query is not literal")
    wrong = [
        (selector, matcher)
        for selector in selectors(query)
        for matcher in (impossible_labels(selector, inventory) if _is_plain(trigger) else ())
    ]
    for selector, matcher in wrong:
        instead = "; vLLM's label for the model is model_name" if matcher.name == "model" else ""
        yield Violation(
            at=where,
            about=f"{selector.name} {matcher.name}",
            because=f'{matcher.name}="{matcher.value}" never matches: {selector.name} has no such label{instead}',
            severity=WARNING,
            symptom="no scaling: KEDA reads 0 and reports no error",
            fix=_asking(scaler, at, _renamed(query)) if matcher.name == "model" else None,
        )
    if not wrong and is_bare_selector(query) and scaler.bounds[1] > 1 and not _is_one(query):
        yield Violation(
            at=where,
            about=f"series {query}",
            because=f"{query} is not aggregated, so that more than one pod gives more than one series",
            severity=WARNING,
            symptom='scaling stops with "returned multiple elements" as soon as a second replica runs',
            fix=_asking(scaler, at, f"sum({query.strip()})"),
        )


def _renamed(query: str) -> str:
    return re.sub(r"([{,]\s*)model(\s*=)", r"\1model_name\2", query)


def _asking(scaler: ScaledObject, at: Path, query: str) -> Fix:
    index = at.rpartition("[")[2].rstrip("]")
    path = pointer("spec", "triggers", index, "metadata", "query")
    return Fix(title=f"ask {query}", safety="unsafe", target=scaler.ref, patch=(Operation("replace", path, query),))


def _is_plain(trigger: Trigger) -> bool:
    """Whether a Prometheus of this cluster is asked, and not something in front of it that adds labels."""
    found = address(trigger.metadata.get("serverAddress", ""))
    return not isinstance(found, BadUrl) and "prom" in found.host.split(".")[0] and ".svc" in f"{found.host}."


def _is_one(query: str) -> bool:
    return any(selector.value(label) is not None for selector in selectors(query) for label in _ONE_SERIES)
