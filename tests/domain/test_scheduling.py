"""Which nodes could take a pod."""

from __future__ import annotations

import pytest

from platform_health.domain.patches import added_keys, appended
from platform_health.domain.scheduling import TEMPORARY, gpu_hardware, mismatches, obstacles, offers, untolerated
from platform_health.invariant import Operation
from platform_health.views.core import (
    Affinity,
    Node,
    NodeAffinity,
    NodeSelector,
    NodeSelectorTerm,
    NodeSpec,
    NodeStatus,
    PodSpec,
    Taint,
    Toleration,
)
from platform_health.views.view import Metadata, Requirement

GPU = Taint(key="nvidia.com/gpu", value="present", effect="NoSchedule")
SOFT = Taint(key="spot", effect="PreferNoSchedule")
CORDON = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")


def node(*taints: Taint, **labels: str) -> Node:
    return Node(metadata=Metadata(name="n1", labels=labels), spec=NodeSpec(taints=taints))


@pytest.mark.parametrize(
    ("toleration", "stays"),
    [
        (Toleration(operator="Exists"), False),
        (Toleration(key="nvidia.com/gpu", operator="Exists"), False),
        (Toleration(key="nvidia.com/gpu", value="present"), False),
        (Toleration(key="nvidia.com/gpu", value="other"), True),
        (Toleration(key="nvidia.com/gpu", operator="Exists", effect="NoExecute"), True),
        (Toleration(key="other", operator="Exists"), True),
    ],
)
def test_tolerations(toleration: Toleration, stays: bool) -> None:
    assert (untolerated([toleration], node(GPU, SOFT)) == [GPU]) is stays


def test_a_cordon_is_no_lasting_obstacle() -> None:
    assert obstacles(PodSpec(), node(CORDON)) == ["taint node.kubernetes.io/unschedulable:NoSchedule"]
    assert obstacles(PodSpec(), node(CORDON), extra=TEMPORARY) == []


def affine(*terms: NodeSelectorTerm) -> PodSpec:
    return PodSpec(affinity=Affinity(node_affinity=NodeAffinity(required=NodeSelector(node_selector_terms=terms))))


def expression(key: str, operator: str, *values: str) -> NodeSelectorTerm:
    return NodeSelectorTerm(match_expressions=(Requirement(key=key, operator=operator, values=values),))


def test_selector_and_affinity() -> None:
    assert mismatches(PodSpec(node_selector={"pool": "a"}), node(pool="b")) == ["nodeSelector pool=a, found b"]
    assert mismatches(PodSpec(node_selector={"pool": "a"}), node()) == ["nodeSelector pool=a, found no such label"]
    one_of = affine(expression("pool", "In", "a"), expression("zone", "Exists"))
    assert mismatches(one_of, node(zone="z")) == []
    assert mismatches(one_of, node(pool="b")) == ["node affinity pool in (a) or zone"]
    assert mismatches(affine(NodeSelectorTerm()), node()), "a term without requirements matches nothing"
    by_name = NodeSelectorTerm(match_fields=(Requirement(key="metadata.name", operator="In", values=("n1",)),))
    assert mismatches(affine(by_name), node()) == []


def test_what_a_node_offers() -> None:
    split = Node(status=NodeStatus(allocatable={"nvidia.com/mig-1g.10gb": "7"}))
    assert offers(split)
    assert offers(Node(status=NodeStatus(allocatable={"nvidia.com/gpu.shared": 8})))
    assert not offers(Node(status=NodeStatus(allocatable={"nvidia.com/gpu": "0", "cpu": "8"})))


def test_labels_that_prove_hardware() -> None:
    present, label = "nvidia.com/gpu.present", "cloud.google.com/gke-accelerator"
    assert gpu_hardware(Node(metadata=Metadata(labels={present: "true"}))) == present
    assert gpu_hardware(Node(metadata=Metadata(labels={present: "false"}))) is None
    assert gpu_hardware(Node(metadata=Metadata(labels={label: "nvidia-l4"}))) == label


def test_patches_make_what_they_add_to() -> None:
    made = added_keys(("metadata", "labels"), {}, {"a/b": "c"})
    assert made == (Operation("add", "/metadata/labels", {}), Operation("add", "/metadata/labels/a~1b", "c"))
    assert added_keys(("metadata", "labels"), {"x": "y"}, {"a": "c"}) == (Operation("add", "/metadata/labels/a", "c"),)
    assert appended(("spec", "items"), [], 1) == Operation("add", "/spec/items", [1])
    assert appended(("spec", "items"), [0], 1) == Operation("add", "/spec/items/-", 1)
