"""DashboardDatasourceResolves."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.documents.dashboard import Dashboard, Source, dashboards
from platform_health.documents.texts import Text
from platform_health.domain import grafana
from platform_health.domain.config_users import NEEDS as USER_KINDS
from platform_health.domain.queries import variable_name
from platform_health.invariant import ERROR, WARNING, Inventory, Unknown, Violation, invariant, nearest
from platform_health.views.core import ConfigMap, Pod, Secret
from platform_health.views.files import DashboardFile
from platform_health.views.grafana import Grafana, GrafanaDashboard, GrafanaDatasource

Subject = ConfigMap | GrafanaDashboard | DashboardFile


@invariant(
    severity=ERROR,
    symptom="every panel says that the datasource was not found",
    category="observability",
    needs=(*USER_KINDS, Pod, Secret, Grafana, GrafanaDatasource),
)
def dashboard_datasource_resolves(
    subject: ConfigMap | GrafanaDashboard | DashboardFile, inventory: Inventory
) -> Iterator[Violation]:
    """The datasource that a dashboard names is a variable of the dashboard, or one that exists.

    Why: `${DS_PROMETHEUS}` of an exported dashboard is filled in by the import dialogue only. Provisioned through a
    ConfigMap nothing replaces it, and Grafana answers `Datasource ${DS_PROMETHEUS} was not found`. A uid from another
    Grafana leads nowhere either.

    Remedy: add a variable of type datasource with that name, or name the uid of a provisioned datasource; in a
    GrafanaDashboard, map the input in `spec.datasources`.

    See: Grafana, provisioning dashboards; grafana-operator, dashboard `datasources`.
    """
    for text, dashboard in dashboards(subject):
        seen: set[str] = set()
        for source in dashboard.sources:
            if source.uid in seen or not source.uid or source.uid in grafana.GRAFANA_ONLY:
                continue
            seen.add(source.uid)
            with inventory.part():
                yield from _judged(source, text, dashboard, subject, inventory)


def _judged(
    source: Source, text: Text, dashboard: Dashboard, subject: Subject, inventory: Inventory
) -> Iterator[Violation]:
    name = variable_name(source.uid)
    if name and dashboard.variable(name) is None and name not in _inputs(dashboard, subject, inventory):
        said = "only stands in __inputs, which nothing fills in here" if name in dashboard.inputs else "is no variable"
        yield Violation(
            at=text.within(source.at),
            about=f"{text.key}: {source.uid}",
            because=f"the datasource is {source.uid}, and {name} {said}",
            severity=WARNING if isinstance(subject, DashboardFile) else ERROR,
        )
    elif "$" not in source.uid and not name and not isinstance(subject, DashboardFile):
        known = grafana.datasources(inventory)
        names = {entry.uid for entry in known} | {entry.name for entry in known}
        if source.uid not in names:
            yield Violation(
                at=text.within(source.at),
                about=f"{text.key}: {source.uid}",
                because=f"the datasource is {source.uid}, but provisioned are {', '.join(sorted(names))}",
                severity=WARNING,
                nearest=nearest(source.uid, names),
            )


def _inputs(dashboard: Dashboard, subject: Subject, inventory: Inventory) -> set[str]:
    """The inputs that are filled in: all in a file for import, those that grafana-operator maps otherwise."""
    if isinstance(subject, DashboardFile):
        return set(dashboard.inputs)
    if isinstance(subject, GrafanaDashboard):
        return {entry.input_name for entry in subject.spec.datasources}
    mapped = [entry for owner in grafana.named_by(subject, inventory) for entry in owner.spec.datasources]
    if not mapped and not grafana.is_provisioned(subject, inventory):
        raise Unknown(f"it is not known who loads the dashboard of {subject.ref}")
    return {entry.input_name for entry in mapped}
