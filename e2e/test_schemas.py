"""Definitions come out of published files whole, and nothing else with them."""

import pytest
import yaml

from e2e.schemas import OWN, SchemaError, crds, definitions

FILE = """\
# generated
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: things.example.org
spec:
  names:
    kind: Thing
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: safe-upgrades
"""


def test_only_definitions_are_taken() -> None:
    """Gateway API ships an admission policy in the same folder, which would refuse other versions."""
    [(name, text)] = definitions([FILE])
    assert name == "things.example.org"
    assert yaml.safe_load(text)["spec"] == {"names": {"kind": "Thing"}}


@pytest.mark.parametrize("group", OWN)
def test_slim_definitions_take_every_field_and_are_named_as_they_must_be(group: str) -> None:
    """The API server refuses a definition whose name is not plural and group."""
    for path in crds(group):
        for definition in yaml.safe_load_all(path.read_text()):
            spec = definition["spec"]
            assert definition["metadata"]["name"] == f"{spec['names']['plural']}.{spec['group']}"
            schema = spec["versions"][0]["schema"]["openAPIV3Schema"]
            assert schema["properties"]["spec"]["x-kubernetes-preserve-unknown-fields"] is True


def test_an_unknown_group_is_named_with_the_known_ones() -> None:
    """So that a typing error is found at once."""
    with pytest.raises(SchemaError, match=r"'gateway'; there are .*gateway-api"):
        crds("gateway")
