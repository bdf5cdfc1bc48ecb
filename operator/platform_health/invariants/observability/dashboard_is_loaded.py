"""DashboardIsLoaded."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.documents.dashboard import dashboards
from platform_health.domain import environment, grafana
from platform_health.domain.config_users import NEEDS as USER_KINDS
from platform_health.domain.grafana import Sidecar
from platform_health.invariant import WARNING, Fix, Inventory, Operation, Violation, invariant, pointer
from platform_health.views.core import ConfigMap, Pod
from platform_health.views.grafana import Grafana, GrafanaDashboard


@invariant(
    severity=WARNING,
    symptom="the dashboard is missing in Grafana",
    category="observability",
    needs=(*USER_KINDS, *environment.SOURCES, Pod, Grafana, GrafanaDashboard),
    fixes=(ConfigMap,),
)
def dashboard_is_loaded(subject: ConfigMap | GrafanaDashboard, inventory: Inventory) -> Iterator[Violation]:
    """A dashboard in a ConfigMap or GrafanaDashboard is picked up by some Grafana.

    Why: Grafana's sidecar takes ConfigMaps by one label in the namespaces it watches, grafana-operator takes
    GrafanaDashboards by `instanceSelector`. A dashboard without the label, or in another namespace, is never shown, and
    nothing says so.

    Remedy: add the label that the sidecar looks for; for grafana-operator match a Grafana's labels, and set
    `allowCrossNamespaceImport` where it runs in another namespace.

    See: kiwigrid/k8s-sidecar, `LABEL`; grafana-operator, `instanceSelector`.
    """
    if isinstance(subject, GrafanaDashboard):
        yield from _of_operator(subject, inventory)
    elif any(True for _ in dashboards(subject)) and not grafana.is_given_otherwise(subject, inventory):
        found = grafana.sidecars(inventory)
        if not found:
            inventory.every(Grafana)
        elif not any(sidecar.takes(subject) for sidecar in found):
            yield _not_taken(subject, found)


def _of_operator(subject: GrafanaDashboard, inventory: Inventory) -> Iterator[Violation]:
    if subject.spec.suspend:
        return
    taking, kept_out = grafana.instances(subject, inventory)
    if not taking:
        others = ", ".join(str(entry.ref) for entry in kept_out)
        yield Violation(
            at="spec.allowCrossNamespaceImport" if kept_out else "spec.instanceSelector",
            because=f"only {others} matches, in another namespace, and allowCrossNamespaceImport is not set"
            if kept_out
            else f"instanceSelector ({subject.spec.instance_selector}) matches no Grafana",
            verify=f"kubectl get grafana -A -l '{subject.spec.instance_selector}'",
        )


def _not_taken(subject: ConfigMap, found: list[Sidecar]) -> Violation:
    reaching = [sidecar for sidecar in found if sidecar.reaches(subject)]
    wanted = ", ".join(dict.fromkeys(str(sidecar) for sidecar in reaching or found))
    place = "" if reaching else f" in namespace {', '.join(found[0].namespaces or ())}"
    return Violation(
        at="metadata.labels" if reaching else "metadata.namespace",
        because=f"{found[0].workload} takes ConfigMaps with label {wanted}{place}, which this is not",
        fix=_fix(subject, reaching[0]) if len(found) == 1 and reaching else None,
    )


def _fix(subject: ConfigMap, sidecar: Sidecar) -> Fix | None:
    if sidecar.label in subject.labels:
        return None
    return Fix(
        title=f"add label {sidecar.label}",
        safety="safe",
        target=subject.ref,
        patch=(Operation(op="add", path=pointer("metadata", "labels", sidecar.label), value=sidecar.value or "1"),)
        if subject.labels
        else (Operation(op="add", path=pointer("metadata", "labels"), value={sidecar.label: sidecar.value or "1"}),),
    )
