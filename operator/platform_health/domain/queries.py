"""Where queries live: panels, variables, alerts, recording rules, scalers, an adapter's rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from platform_health.documents.adapter import adapter_rules
from platform_health.documents.dashboard import Dashboard, Query, dashboards
from platform_health.documents.rules import rules
from platform_health.documents.texts import Text
from platform_health.domain.upstreams import DOMAIN, BadUrl, address, place
from platform_health.inventory import Unknown
from platform_health.views.monitoring import PrometheusRule
from platform_health.views.scaling import HorizontalPodAutoscaler, ScaledObject
from platform_health.views.view import Path, View

Role = Literal["panel", "alert", "record", "scaler", "adapter"]

_LABEL_VALUES = re.compile(r"\s*label_values\(\s*(.+?)\s*,\s*[\w$.{}]+\s*\)\s*\Z", re.DOTALL)
_QUERY_RESULT = re.compile(r"\s*query_result\(\s*(.+?)\s*\)\s*\Z", re.DOTALL)
_NOT_PROMETHEUS = re.compile(
    r"loki|tempo|cloudwatch|__expr__|influx|mixed|elastic|mysql|postgres|graphite|azure|testdata"
)


class Use(NamedTuple):
    """One query and what it is for. ``title`` says so for people; ``text`` is the document it stands in, if any."""

    expr: str
    at: str
    title: str
    role: Role
    text: Text | None = None


def uses(view: View) -> Iterator[Use]:
    """Every Prometheus query of an object."""
    if isinstance(view, PrometheusRule):
        yield from _of_rules(view)
    elif isinstance(view, ScaledObject):
        yield from _of_triggers(view)
    elif isinstance(view, HorizontalPodAutoscaler):
        yield from _of_metrics(view)
    else:
        for text, found in dashboards(view):
            yield from _of_dashboard(text, found)
        for text, served in adapter_rules(view):
            yield Use(served.series, text.within(served.at), "the adapter's rule", "adapter", text)
        for text, rule in rules(view):
            yield Use(rule.expr, text.within(rule.at), *_named(rule.alert, rule.record), text)


def _of_rules(view: PrometheusRule) -> Iterator[Use]:
    for at, rule in view.rules():
        yield Use(str(rule.expr), at / "expr", *_named(rule.alert, rule.record))


def _named(alert: str, record: str) -> tuple[str, Role]:
    return (f"alert {alert}", "alert") if alert else (f"recording rule {record}", "record")


def _of_triggers(scaler: ScaledObject) -> Iterator[Use]:
    """Queries to a Prometheus of this cluster: what runs here says nothing about others."""
    for at, trigger in scaler.triggers():
        query = trigger.metadata.get("query", "")
        if trigger.type == "prometheus" and query and _is_here(trigger.metadata.get("serverAddress", "")):
            yield Use(query, at / "metadata" / "query", f"trigger {trigger.name or trigger.type}", "scaler")


def _is_here(server: str) -> bool:
    found = address(server)
    if isinstance(found, BadUrl):
        return False
    try:
        meant = place(found.host, found.port, None)
    except Unknown:
        return True
    return meant is not None and (meant.is_sure or not DOMAIN.fullmatch(meant.namespace))


def _of_metrics(scaler: HorizontalPodAutoscaler) -> Iterator[Use]:
    """The metrics of an adapter, by name; Google's adapter writes ``prometheus.googleapis.com|NAME|gauge``."""
    if scaler.is_keda:
        return
    for index, metric in enumerate(scaler.spec.metrics):
        at = Path("spec.metrics") / index
        name = metric.custom.metric.name if metric.custom else ""
        if "|" in name:
            name = name.split("|")[1]
        if name:
            field = "external" if metric.external else "pods" if metric.pods else "object"
            yield Use(name, at / field / "metric" / "name", f"metric {name}", "scaler")


def _of_dashboard(text: Text, dashboard: Dashboard) -> Iterator[Use]:
    for query in prometheus_queries(dashboard):
        yield Use(query.expr, text.within(query.at), f"panel {query.panel!r}", "panel", text)
    for variable in dashboard.variables:
        found = _LABEL_VALUES.match(variable.query) or _QUERY_RESULT.match(variable.query)
        if variable.type == "query" and found:
            yield Use(found[1], text.within(variable.at), f"variable {variable.name}", "panel", text)


def prometheus_queries(dashboard: Dashboard) -> Iterator[Query]:
    """The queries of panels that go to a Prometheus: those whose datasource is not known to be another's."""
    for query in dashboard.queries:
        if not _NOT_PROMETHEUS.search(_source_type(query, dashboard)):
            yield query


def is_surely_prometheus(query: Query, dashboard: Dashboard) -> bool:
    """Whether a query is PromQL for sure: its datasource says so, or it has none of what only LogQL has."""
    said = _source_type(query, dashboard)
    return "prometheus" in said or not re.search(r"\|[=~]?|^\s*\{", query.expr)


def _source_type(query: Query, dashboard: Dashboard) -> str:
    if query.source is None:
        return ""
    if query.source.type:
        return query.source.type.lower()
    name = variable_name(query.source.uid)
    variable = dashboard.variable(name) if name else None
    return (
        variable.query.lower() if variable is not None and variable.type == "datasource" else query.source.uid.lower()
    )


def variable_name(reference: str) -> str:
    """The variable that ``$name``, ``${name}`` or ``[[name]]`` refers to; empty where it is none."""
    found = re.fullmatch(r"\$\{?(\w+)(?::\w+)?\}?|\[\[(\w+)\]\]", reference)
    return (found[1] or found[2]) if found else ""
