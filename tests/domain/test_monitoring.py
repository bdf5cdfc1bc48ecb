"""Who selects a monitor, and which ports an endpoint finds."""

from __future__ import annotations

import pytest

from platform_health.domain.durations import seconds
from platform_health.domain.monitoring import asked_port, is_found_in_pod, look, names_match, taking
from platform_health.domain.namespaces import takes_namespace
from platform_health.inventory import Inventory, Unknown
from platform_health.knowledge import FileKnowledge
from platform_health.views.core import Container, ContainerPort, Namespace, Pod, PodSpec
from platform_health.views.monitoring import Endpoint, PodMonitor, Prometheus, PrometheusSpec, ServiceMonitor
from platform_health.views.view import LabelSelector, Metadata, Requirement, View

EVERYTHING = LabelSelector()
KPS = LabelSelector(match_labels={"release": "kps"})


def inventory(*views: View) -> Inventory:
    found = Inventory(FileKnowledge(), lambda: 0.0)
    for view in views:
        found.put(view)
    return found


def prometheus(**spec: object) -> Prometheus:
    return Prometheus(metadata=Metadata(name="main", namespace="monitoring"), spec=PrometheusSpec(**spec))


def monitor(namespace: str = "serving", kind: type = ServiceMonitor, **labels: str) -> ServiceMonitor | PodMonitor:
    return kind(metadata=Metadata(name="llama", namespace=namespace, labels=labels))


@pytest.mark.parametrize(
    ("spec", "namespace", "taken"),
    [
        ({"service_monitor_selector": KPS, "service_monitor_namespace_selector": EVERYTHING}, "serving", True),
        ({"service_monitor_selector": KPS}, "serving", False),
        ({"service_monitor_selector": KPS}, "monitoring", True),
        ({"pod_monitor_selector": EVERYTHING}, "monitoring", False),
        ({"service_monitor_selector": LabelSelector(match_labels={"a": "b"})}, "monitoring", False),
    ],
)
def test_absent_and_empty_selectors_differ(spec: dict[str, object], namespace: str, taken: bool) -> None:
    subject = monitor(namespace, release="kps")
    assert bool(taking(look(subject, inventory(prometheus(**spec), subject)), subject.labels)) is taken


def test_a_prometheus_without_any_selector_proves_nothing() -> None:
    subject = monitor("monitoring")
    with pytest.raises(Unknown, match="managed elsewhere"):
        taking(look(subject, inventory(prometheus(), subject)), subject.labels)


def test_namespace_labels_are_known_only_from_the_namespace() -> None:
    team = LabelSelector(match_labels={"team": "llm"})
    named = LabelSelector(match_labels={"kubernetes.io/metadata.name": "serving"})
    other = LabelSelector(match_expressions=(Requirement(key="team", operator="DoesNotExist"),))
    known = inventory(Namespace(metadata=Metadata(name="serving", labels={"team": "llm"})))
    assert takes_namespace(team, "serving", known)
    assert takes_namespace(named, "serving", inventory())
    assert not takes_namespace(named, "batch", inventory())
    for selector in (team, other):
        with pytest.raises(Unknown):
            takes_namespace(selector, "serving", inventory())


@pytest.mark.parametrize(
    ("pattern", "names", "found"),
    [
        ("metrics", ["metrics"], True),
        ("metrics", ["http-metrics"], False),
        ("(http-)?metrics", ["http-metrics"], True),
        (".*", [""], False),
    ],
)
def test_a_port_is_an_anchored_expression(pattern: str, names: list[str], found: bool) -> None:
    assert names_match(pattern, names) is found


def test_an_expression_that_is_not_understood_is_unknown() -> None:
    with pytest.raises(Unknown):
        names_match("(", ["metrics"])


def test_which_field_decides_about_a_pods_port() -> None:
    ports = (ContainerPort(name="http", container_port=8000),)
    init = Container(name="init", ports=(ContainerPort(name="admin", container_port=9901),))
    pod = Pod(spec=PodSpec(containers=(Container(ports=ports),), init_containers=(init,)))
    assert is_found_in_pod(Endpoint(port="http", port_number=1), pod)
    assert is_found_in_pod(Endpoint(port_number=9901), pod)
    assert is_found_in_pod(Endpoint(target_port="admin"), pod)
    assert is_found_in_pod(Endpoint(), pod)
    assert not is_found_in_pod(Endpoint(target_port=1234), pod)
    assert asked_port(Endpoint(port="a", port_number=1)) == ("port", "a")
    assert asked_port(Endpoint(port_number=1, target_port=2)) == ("portNumber", 1)
    assert asked_port(Endpoint(target_port=2)) == ("targetPort", 2)


@pytest.mark.parametrize(
    ("text", "value"), [("30s", 30.0), ("1m30s", 90.0), ("500ms", 0.5), ("", None), ("5", None), ("1m 30s", None)]
)
def test_durations(text: str, value: float | None) -> None:
    assert seconds(text) == value
