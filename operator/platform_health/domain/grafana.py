"""Grafana: who loads a dashboard, and which datasources there are.

Facts: kiwigrid/k8s-sidecar reads ConfigMaps by ``LABEL`` and ``LABEL_VALUE`` (empty: any value) in ``NAMESPACE`` (a
comma list, ``ALL``, or its own); grafana-operator matches ``instanceSelector`` against Grafanas of the same namespace
unless ``allowCrossNamespaceImport`` is set.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from platform_health.documents.datasources import Provisioned, provisioned
from platform_health.domain import environment
from platform_health.domain.config_users import users
from platform_health.domain.images import image
from platform_health.inventory import Inventory, Unknown
from platform_health.views.core import GRAFANA, HOLDS_DATASOURCES, ConfigMap, Container, Pod, Secret
from platform_health.views.grafana import Grafana, GrafanaDashboard, GrafanaDatasource
from platform_health.views.view import Ref

GRAFANA_ONLY = frozenset(("-- Grafana --", "-- Mixed --", "-- Dashboard --", "grafana", "__expr__", "-100", "default"))
"""References that are no datasource of its own."""


_SOURCE_LABEL = "grafana_datasource"


class Sidecar(NamedTuple):
    """A sidecar that hands dashboards to a Grafana. ``namespaces`` None means all."""

    workload: Ref
    label: str
    value: str
    namespaces: tuple[str, ...] | None

    def takes(self, config: ConfigMap) -> bool:
        """Whether it picks a ConfigMap up."""
        return self.reaches(config) and (self.label in config.labels) and self._fits(config.labels[self.label])

    def reaches(self, config: ConfigMap) -> bool:
        """Whether it looks into the namespace of a ConfigMap."""
        return self.namespaces is None or config.namespace in self.namespaces

    def _fits(self, value: str) -> bool:
        return not self.value or value == self.value

    def __str__(self) -> str:
        return f"{self.label}={self.value}" if self.value else self.label


def sidecars(inventory: Inventory) -> list[Sidecar]:
    """Every dashboard sidecar; Unknown where the settings of one are not literal."""
    found: dict[Sidecar, None] = {}
    for pod in inventory.modifying(Pod, term=GRAFANA):
        for _, container in pod.spec.all_containers():
            if "k8s-sidecar" in container.image and not pod.is_over and _is_for_dashboards(container):
                found[_sidecar(pod, container, inventory)] = None
    return list(found)


def _is_for_dashboards(container: Container) -> bool:
    label, folder = container.variable("LABEL"), container.variable("FOLDER")
    words = (container.name, label.value if label else "", folder.value if folder else "")
    return any("dashboard" in word for word in words)


def _sidecar(pod: Pod, container: Container, inventory: Inventory) -> Sidecar:
    def value(name: str) -> str:
        return environment.text(container, (name,), pod.namespace, inventory) or ""

    label, places = value("LABEL"), value("NAMESPACE")
    if not label:
        raise Unknown(f"the label that {pod.workload} looks for is not known")
    names = tuple(name.strip() for name in places.split(",") if name.strip()) or (pod.namespace,)
    return Sidecar(pod.workload, label, value("LABEL_VALUE"), None if "ALL" in names else names)


def is_provisioned(config: ConfigMap, inventory: Inventory) -> bool:
    """Whether a ConfigMap is handed to a Grafana as it is: by a sidecar's label, or as a volume of Grafana itself."""
    if any("dashboard" in key for key in config.labels) or any(entry.takes(config) for entry in sidecars(inventory)):
        return True
    return any(image(usage.container.image).name == "grafana" for usage in users(config, inventory))


def is_given_otherwise(config: ConfigMap, inventory: Inventory) -> bool:
    """Whether a ConfigMap is shown without a sidecar: mounted, named by an object, or for OpenShift's console."""
    if "console.openshift.io/dashboard" in config.labels:
        return True
    return bool(users(config, inventory)) or any(True for _ in named_by(config, inventory))


def named_by(config: ConfigMap, inventory: Inventory) -> Iterator[GrafanaDashboard]:
    """The GrafanaDashboards that take their dashboard from a ConfigMap."""
    for dashboard in inventory.modifying(GrafanaDashboard, config.namespace):
        reference = dashboard.spec.config_map_ref
        if reference is not None and reference.name == config.name:
            yield dashboard


def instances(dashboard: GrafanaDashboard, inventory: Inventory) -> tuple[list[Grafana], list[Grafana]]:
    """The Grafanas that a dashboard goes to, and those that only another namespace keeps it from."""
    selector = dashboard.spec.instance_selector
    if selector is None:
        raise Unknown(f"{dashboard.ref} has no instanceSelector")
    matching = [entry for entry in inventory.every(Grafana) if selector.matches(entry.labels)]
    if dashboard.spec.allow_cross_namespace_import:
        return matching, []
    near = [entry for entry in matching if entry.namespace == dashboard.namespace]
    return near, [entry for entry in matching if entry.namespace != dashboard.namespace]


def datasources(inventory: Inventory) -> list[Provisioned]:
    """Every datasource; Unknown where one may have been made by hand, elsewhere or under a uid that Grafana chose."""
    found = [
        entry for config in inventory.modifying(ConfigMap, term=HOLDS_DATASOURCES) for entry in provisioned(config)
    ]
    for source in inventory.modifying(GrafanaDatasource):
        inner = source.spec.datasource
        found.append(Provisioned(inner.name, source.spec.uid or inner.uid or source.metadata.uid, inner.type, False))
    if not found:
        raise Unknown("no provisioned datasource is known")
    if not inventory.is_known(Secret) and not _are_all_in_config_maps(inventory):
        raise Unknown("a datasource may stand in a Secret")
    if any(_SOURCE_LABEL in secret.labels for secret in inventory.near(Secret)):
        raise Unknown("a datasource stands in a Secret")
    if any(entry.is_editable or not entry.uid for entry in found):
        raise Unknown("a datasource has no uid of its own, or may be changed by hand")
    if any(grafana.spec.external is not None for grafana in inventory.modifying(Grafana)):
        raise Unknown("a Grafana runs elsewhere, whose datasources are not known")
    return found


def _are_all_in_config_maps(inventory: Inventory) -> bool:
    """Whether every sidecar for datasources reads ConfigMaps only."""
    found = [
        container.variable("RESOURCE")
        for pod in inventory.modifying(Pod, term=GRAFANA)
        for _, container in pod.spec.all_containers()
        if "k8s-sidecar" in container.image and not _is_for_dashboards(container)
    ]
    return bool(found) and all(entry is not None and entry.value == "configmap" for entry in found)
