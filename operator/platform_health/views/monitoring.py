"""prometheus-operator: Prometheus, PrometheusAgent, ThanosRuler, ServiceMonitor, PodMonitor, PrometheusRule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from platform_health.views.core import GPU_METRIC, KeySelector
from platform_health.views.view import Condition, IntOrString, Kind, LabelSelector, Path, Shape, Term, View

GROUP = "monitoring.coreos.com"


class ScrapeClass(Shape, frozen=True):
    """A named set of scrape settings that monitors may refer to."""

    name: str = ""


class PrometheusSpec(Shape, frozen=True):
    """What a Prometheus selects. An absent selector selects nothing, an empty one everything."""

    service_monitor_selector: LabelSelector | None = None
    service_monitor_namespace_selector: LabelSelector | None = None
    pod_monitor_selector: LabelSelector | None = None
    pod_monitor_namespace_selector: LabelSelector | None = None
    probe_selector: LabelSelector | None = None
    scrape_config_selector: LabelSelector | None = None
    rule_selector: LabelSelector | None = None
    rule_namespace_selector: LabelSelector | None = None
    ignore_namespace_selectors: bool = False
    paused: bool = False
    mode: str = ""
    shards: int = 1
    version: str = ""
    scrape_interval: str = ""
    service_account_name: str = ""
    additional_scrape_configs: dict[str, Any] | None = None
    scrape_classes: tuple[ScrapeClass, ...] = ()


class Prometheus(View, frozen=True):
    """A Prometheus."""

    kind: ClassVar[Kind] = Kind(GROUP, "Prometheus", "prometheuses")

    spec: PrometheusSpec = PrometheusSpec()


class PrometheusAgent(View, frozen=True):
    """A PrometheusAgent; in mode DaemonSet it takes PodMonitors only."""

    kind: ClassVar[Kind] = Kind(GROUP, "PrometheusAgent", "prometheusagents", ("v1alpha1",))

    spec: PrometheusSpec = PrometheusSpec()


class ThanosRuler(View, frozen=True):
    """A ThanosRuler."""

    kind: ClassVar[Kind] = Kind(GROUP, "ThanosRuler", "thanosrulers")

    spec: PrometheusSpec = PrometheusSpec()


class Authorization(Shape, frozen=True):
    """The Authorization header of a scrape."""

    type: str = "Bearer"
    credentials: KeySelector | None = None


class BasicAuth(Shape, frozen=True):
    """Basic authentication of a scrape."""

    username: KeySelector | None = None
    password: KeySelector | None = None


class KeyOrConfigMap(Shape, frozen=True):
    """A key of a Secret or of a ConfigMap."""

    secret: KeySelector | None = None
    config_map: KeySelector | None = None


class TlsConfig(Shape, frozen=True):
    """TLS of a scrape as far as it refers to other objects."""

    ca: KeyOrConfigMap | None = None
    cert: KeyOrConfigMap | None = None
    key_secret: KeySelector | None = None
    insecure_skip_verify: bool = False


class OAuth2(Shape, frozen=True):
    """OAuth2 of a scrape as far as it refers to other objects."""

    client_id: KeyOrConfigMap | None = None
    client_secret: KeySelector | None = None


class Relabeling(Shape, frozen=True):
    """One relabeling rule."""

    action: str = "replace"
    source_labels: tuple[str, ...] = ()
    target_label: str = ""
    regex: str = ""
    replacement: str | None = None
    separator: str | None = None


class Endpoint(Shape, frozen=True):
    """One endpoint of a ServiceMonitor, or pod endpoint of a PodMonitor."""

    port: str = ""
    target_port: IntOrString | None = None
    port_number: int | None = None
    path: str = ""
    scheme: str = ""
    params: dict[str, tuple[str, ...]] = {}
    interval: str = ""
    scrape_timeout: str = ""
    honor_labels: bool = False
    authorization: Authorization | None = None
    basic_auth: BasicAuth | None = None
    bearer_token_secret: KeySelector | None = None
    bearer_token_file: str = ""
    oauth2: OAuth2 | None = None
    tls_config: TlsConfig | None = None
    relabelings: tuple[Relabeling, ...] = ()
    metric_relabelings: tuple[Relabeling, ...] = ()

    @property
    def has_credentials(self) -> bool:
        """Whether the scrape sends any credentials."""
        secret = self.bearer_token_secret is not None and bool(self.bearer_token_secret.name)
        return secret or bool(self.authorization or self.basic_auth or self.bearer_token_file or self.oauth2)

    def secrets(self) -> Iterator[tuple[Path, KeySelector]]:
        """The keys of Secrets that it refers to, with their paths in the endpoint."""
        tls, oauth2 = self.tls_config or TlsConfig(), self.oauth2 or OAuth2()
        basic, header = self.basic_auth or BasicAuth(), self.authorization or Authorization()
        yield from _given(
            ("bearerTokenSecret", self.bearer_token_secret),
            ("authorization.credentials", header.credentials),
            ("basicAuth.username", basic.username),
            ("basicAuth.password", basic.password),
            ("tlsConfig.ca.secret", (tls.ca or KeyOrConfigMap()).secret),
            ("tlsConfig.cert.secret", (tls.cert or KeyOrConfigMap()).secret),
            ("tlsConfig.keySecret", tls.key_secret),
            ("oauth2.clientId.secret", (oauth2.client_id or KeyOrConfigMap()).secret),
            ("oauth2.clientSecret", oauth2.client_secret),
        )

    def config_maps(self) -> Iterator[tuple[Path, KeySelector]]:
        """The keys of ConfigMaps that it refers to, with their paths in the endpoint."""
        tls, oauth2 = self.tls_config or TlsConfig(), self.oauth2 or OAuth2()
        yield from _given(
            ("tlsConfig.ca.configMap", (tls.ca or KeyOrConfigMap()).config_map),
            ("tlsConfig.cert.configMap", (tls.cert or KeyOrConfigMap()).config_map),
            ("oauth2.clientId.configMap", (oauth2.client_id or KeyOrConfigMap()).config_map),
        )


def _given(*references: tuple[str, KeySelector | None]) -> Iterator[tuple[Path, KeySelector]]:
    for at, selector in references:
        if selector is not None and selector.name:
            yield Path(at), selector


class NamespaceSelector(Shape, frozen=True):
    """Which namespaces a monitor means; neither field: its own."""

    any: bool = False
    match_names: tuple[str, ...] = ()


class Binding(Shape, frozen=True):
    """What the operator says of a monitor towards one Prometheus."""

    group: str = ""
    resource: str = ""
    name: str = ""
    namespace: str = ""
    conditions: tuple[Condition, ...] = ()


class MonitorStatus(Shape, frozen=True):
    """The status of a monitor; empty unless the operator's feature gate is on."""

    bindings: tuple[Binding, ...] = ()


class ServiceMonitorSpec(Shape, frozen=True):
    """The specification of a ServiceMonitor."""

    selector: LabelSelector = LabelSelector()
    namespace_selector: NamespaceSelector = NamespaceSelector()
    endpoints: tuple[Endpoint, ...] = ()
    job_label: str = ""
    target_labels: tuple[str, ...] = ()
    pod_target_labels: tuple[str, ...] = ()
    scrape_class: str = ""


class ServiceMonitor(View, frozen=True):
    """A ServiceMonitor."""

    kind: ClassVar[Kind] = Kind(GROUP, "ServiceMonitor", "servicemonitors")

    spec: ServiceMonitorSpec = ServiceMonitorSpec()
    status: MonitorStatus = MonitorStatus()

    def endpoints(self) -> Iterator[tuple[Path, Endpoint]]:
        """The endpoints with their paths."""
        for index, endpoint in enumerate(self.spec.endpoints):
            yield Path("spec.endpoints") / index, endpoint


class PodMonitorSpec(Shape, frozen=True):
    """The specification of a PodMonitor."""

    selector: LabelSelector = LabelSelector()
    namespace_selector: NamespaceSelector = NamespaceSelector()
    pod_metrics_endpoints: tuple[Endpoint, ...] = ()
    pod_target_labels: tuple[str, ...] = ()
    job_label: str = ""
    scrape_class: str = ""


class PodMonitor(View, frozen=True):
    """A PodMonitor."""

    kind: ClassVar[Kind] = Kind(GROUP, "PodMonitor", "podmonitors")

    spec: PodMonitorSpec = PodMonitorSpec()
    status: MonitorStatus = MonitorStatus()

    def endpoints(self) -> Iterator[tuple[Path, Endpoint]]:
        """The endpoints with their paths."""
        for index, endpoint in enumerate(self.spec.pod_metrics_endpoints):
            yield Path("spec.podMetricsEndpoints") / index, endpoint


Monitor = ServiceMonitor | PodMonitor
"""A monitor of either kind."""


class PromRule(Shape, frozen=True):
    """One recording or alerting rule."""

    expr: IntOrString = ""
    record: str = ""
    alert: str = ""


class RuleGroup(Shape, frozen=True):
    """A group of rules."""

    name: str = ""
    rules: tuple[PromRule, ...] = ()


class PrometheusRuleSpec(Shape, frozen=True):
    """The specification of a PrometheusRule."""

    groups: tuple[RuleGroup, ...] = ()


class PrometheusRule(View, frozen=True):
    """A PrometheusRule."""

    kind: ClassVar[Kind] = Kind(GROUP, "PrometheusRule", "prometheusrules")

    spec: PrometheusRuleSpec = PrometheusRuleSpec()
    status: MonitorStatus = MonitorStatus()

    def rules(self) -> Iterator[tuple[Path, PromRule]]:
        """The rules with their paths."""
        for number, group in enumerate(self.spec.groups):
            for index, rule in enumerate(group.rules):
                yield Path("spec.groups") / number / "rules" / index, rule

    def terms(self) -> Iterator[Term]:
        """Labels, and whether a rule asks for GPU metrics."""
        yield from View.terms(self)
        if any(GPU_METRIC in str(rule.expr) for _, rule in self.rules()):
            yield GPU_METRIC


class ScrapeConfig(View, frozen=True):
    """A ScrapeConfig: targets of any kind, which are not looked at."""

    kind: ClassVar[Kind] = Kind(GROUP, "ScrapeConfig", "scrapeconfigs", ("v1alpha1",))
