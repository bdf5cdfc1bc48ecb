"""Files that are no objects are recognised by their content."""

from __future__ import annotations

from pathlib import Path

import pytest

from platform_health.documents.files import file_view
from platform_health.sources.manifests import Manifests, Text

DASHBOARD = '{"title": "a", "panels": [{"type": "row", "panels": [{"targets": [{"expr": "x"}]}]}]}'
LITELLM = "model_list:\n- model_name: a\n  litellm_params: {model: openai/a}\n"
ROUTER = "backends:\n- {name: a, url: 'http://a:8000'}\n"
PICKER = "apiVersion: inference.networking.x-k8s.io/v1alpha1\nkind: EndpointPickerConfig\nplugins: []\n"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (DASHBOARD, "Dashboard"),
        ('{"dashboard": ' + DASHBOARD + ', "overwrite": true}', "Dashboard"),
        ('{"title": "old", "rows": [{"panels": []}]}', "Dashboard"),
        (LITELLM, "LiteLLMConfig"),
        ("litellm_settings: {drop_params: true}\n", "LiteLLMConfig"),
        (ROUTER, "RouterConfig"),
        ("rules:\n- {backend: a, fallback_backend: b}\n", "RouterConfig"),
        ("upstreams:\n  a: {url: 'http://a'}\n", "RouterConfig"),
        (PICKER, "EndpointPickerConfig"),
    ],
)
def test_documents_are_recognised(content: str, kind: str) -> None:
    manifests = Manifests()
    manifests.read_text(Text("some/file.yaml", content.encode()))
    (ref,) = manifests.objects
    assert (str(ref.kind), ref.namespace, ref.name) == (kind, "-", "file.yaml")
    assert manifests.count == 1
    assert not manifests.skipped
    assert not manifests.unreadable


@pytest.mark.parametrize(
    "content",
    [
        "replicaCount: 1\nimage: {tag: a}\n",
        '{"name": "package", "version": "1.0.0", "dependencies": {}}',
        "rules:\n- {host: a, http: {paths: [{backend: {service: {name: a}}}]}}\n",
        "groups:\n- {name: a, rules: [{record: a, expr: b}]}\n",
        "proxy_config: {model_list: []}\n",
        "- a\n- b\n",
        "backends: 3\n",
        "panels: [a, b]\n",
    ],
)
def test_other_files_are_skipped(content: str) -> None:
    manifests = Manifests()
    manifests.read_text(Text("values.yaml", content.encode()))
    assert not manifests.objects
    assert len(manifests.skipped) == 1


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    manifests = Manifests()
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "dashboard.json").write_text(DASHBOARD)
    manifests.read(tmp_path)
    assert [ref.name for ref in manifests.objects] == ["dashboard.json", "two/dashboard.json"]


@pytest.mark.parametrize("value", [None, 3, "a", [], {}, {"panels": None}, {"model_list": "a"}, {"backends": [3]}])
def test_strange_values_are_nothing(value: object) -> None:
    assert file_view(value) is None


def test_the_items_of_a_list_share_one_parse_of_it() -> None:
    manifests = Manifests()
    items = "".join(
        f"- apiVersion: v1\n  kind: Service\n  metadata: {{name: s{number}, namespace: models}}\n"
        for number in range(2)
    )
    manifests.read_text(Text("dump.yaml", f"apiVersion: v1\nkind: List\nitems:\n{items}".encode()))
    origins = list(manifests.origins.values())
    assert [origin.line_of("metadata.name") for origin in origins] == [6, 9]
    assert list(origins[0].text.parsed) == [1]
