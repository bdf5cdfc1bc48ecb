"""grafana-operator: Grafana, GrafanaDashboard, GrafanaDatasource."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from platform_health.views.core import KeySelector
from platform_health.views.view import Condition, Kind, LabelSelector, Shape, View

GROUP = "grafana.integreatly.org"
VERSIONS = ("v1beta1",)


class ExternalGrafana(Shape, frozen=True):
    """A Grafana that runs elsewhere."""

    url: str = ""


class GrafanaSpec(Shape, frozen=True):
    """The specification of a Grafana as far as it is read."""

    external: ExternalGrafana | None = None


class Grafana(View, frozen=True):
    """A Grafana instance."""

    kind: ClassVar[Kind] = Kind(GROUP, "Grafana", "grafanas", VERSIONS)

    spec: GrafanaSpec = GrafanaSpec()


class InputSource(Shape, frozen=True):
    """Which datasource stands for one of the dashboard's inputs."""

    input_name: str = ""
    datasource_name: str = ""


class DashboardStatus(Shape, frozen=True):
    """The status of a dashboard or datasource."""

    conditions: tuple[Condition, ...] = ()
    no_matching_instances: bool = msgspec.field(name="NoMatchingInstances", default=False)


class GrafanaDashboardSpec(Shape, frozen=True):
    """Where the dashboard comes from, and to which instances it goes."""

    json: str = ""
    gzip_json: str = ""
    url: str = ""
    jsonnet: str = ""
    config_map_ref: KeySelector | None = None
    grafana_com: dict[str, Any] | None = None
    datasources: tuple[InputSource, ...] = ()
    instance_selector: LabelSelector | None = None
    allow_cross_namespace_import: bool = False
    suspend: bool = False


class GrafanaDashboard(View, frozen=True):
    """A dashboard for instances that the operator manages."""

    kind: ClassVar[Kind] = Kind(GROUP, "GrafanaDashboard", "grafanadashboards", VERSIONS)

    spec: GrafanaDashboardSpec = GrafanaDashboardSpec()
    status: DashboardStatus = DashboardStatus()


class Datasource(Shape, frozen=True):
    """The datasource itself. Credentials are not read."""

    name: str = ""
    uid: str = ""
    type: str = ""


class GrafanaDatasourceSpec(Shape, frozen=True):
    """A datasource, and to which instances it goes."""

    datasource: Datasource = Datasource()
    uid: str = ""
    instance_selector: LabelSelector | None = None
    allow_cross_namespace_import: bool = False


class GrafanaDatasource(View, frozen=True):
    """A datasource for instances that the operator manages."""

    kind: ClassVar[Kind] = Kind(GROUP, "GrafanaDatasource", "grafanadatasources", VERSIONS)

    spec: GrafanaDatasourceSpec = GrafanaDatasourceSpec()
