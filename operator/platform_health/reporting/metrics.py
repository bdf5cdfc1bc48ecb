"""The metrics of the operator. Labels name reports, invariants, severities and kinds; never pods, uids or messages."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from platform_health import __version__
from platform_health.knowledge import KindState
from platform_health.reporting.report import Report

LATENCIES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """Everything that /metrics says."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.findings = Gauge(
            "platform_health_findings",
            "Active findings of a report.",
            ["report", "invariant", "severity"],
            registry=self.registry,
        )
        self.settling = Gauge(
            "platform_health_findings_settling",
            "Findings of a report that have not lasted long enough to count.",
            ["report"],
            registry=self.registry,
        )
        self.unknown = Gauge(
            "platform_health_judgements_unknown",
            "Judgements of a report that could not be made.",
            ["report"],
            registry=self.registry,
        )
        self.healthy = Gauge(
            "platform_health_healthy",
            "1 where no error and no warning of a report is active, else 0; it says nothing about what is unknown.",
            ["report"],
            registry=self.registry,
        )
        self.ready = Gauge(
            "platform_health_report_ready",
            "1 where the report follows its spec with every needed kind read, else 0.",
            ["report"],
            registry=self.registry,
        )
        self.kind_state = Gauge(
            "platform_health_kind_state",
            "1 for the state a kind is in (pending, synced, absent, forbidden, stale, unreadable).",
            ["kind", "state"],
            registry=self.registry,
        )
        self.objects = Gauge(
            "platform_health_inventory_objects",
            "Objects in the inventory.",
            ["kind"],
            registry=self.registry,
        )
        self.judgements = Counter(
            "platform_health_judgements", "Judgements made since the start.", registry=self.registry
        )
        self.status_writes = Counter(
            "platform_health_status_writes",
            "Writes of a status, by what became of them (written, conflict, failed).",
            ["report", "result"],
            registry=self.registry,
        )
        self.events = Counter(
            "platform_health_events",
            "Kubernetes Events, by what became of them (written, dropped, failed).",
            ["result"],
            registry=self.registry,
        )
        self.fixes = Counter(
            "platform_health_fixes",
            "Fixes, by what became of them (applied, failed, contested, undone, refused).",
            ["invariant", "outcome"],
            registry=self.registry,
        )
        self.event_to_verdict = Histogram(
            "platform_health_event_to_verdict_seconds",
            "From a change that was seen to its verdict.",
            buckets=LATENCIES,
            registry=self.registry,
        )
        self.is_leader = Gauge("platform_health_leader", "1 where this process writes.", registry=self.registry)
        build = Gauge("platform_health_build_info", "Always 1.", ["version"], registry=self.registry)
        build.labels(__version__).set(1)
        self._shown: dict[str, set[tuple[str, str]]] = {}

    def show(self, name: str, shown: Report, *, ready: bool) -> None:
        """Sets what is said about one report."""
        tally = Tally((finding.invariant, str(finding.severity)) for finding in shown.active)
        for labels in self._shown.get(name, set()) - set(tally):
            self.findings.remove(name, *labels)
        for labels, count in tally.items():
            self.findings.labels(name, *labels).set(count)
        self._shown[name] = set(tally)
        self.settling.labels(name).set(shown.summary.settling)
        self.unknown.labels(name).set(shown.summary.unknown)
        self.healthy.labels(name).set(shown.is_healthy)
        self.ready.labels(name).set(ready)

    def forget(self, name: str) -> None:
        """Removes what was said about a report that is gone."""
        if name not in self._shown:
            return
        for labels in self._shown.pop(name):
            self.findings.remove(name, *labels)
        for gauge in (self.settling, self.unknown, self.healthy, self.ready):
            gauge.remove(name)

    def show_kinds(self, states: Mapping[str, KindState], sizes: Mapping[str, int]) -> None:
        """Sets the state and size of every watched kind."""
        for kind, state in states.items():
            for other in KindState:
                self.kind_state.labels(kind, str(other)).set(other is state)
        for kind, size in sizes.items():
            self.objects.labels(kind).set(size)

    def page(self) -> bytes:
        """The metrics as Prometheus reads them."""
        return generate_latest(self.registry)


CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def names(metrics: Metrics) -> Iterable[str]:
    """The name of every metric, for documentation and alerts."""
    return sorted(family.name for family in metrics.registry.collect())
