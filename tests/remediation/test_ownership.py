"""Who looks after an object, by the proofs that count and by those that do not (operations §0.4 to §0.7)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from platform_health.domain.ownership import owner_of
from platform_health.inventory import Inventory, Unknown
from platform_health.knowledge import ClusterKnowledge, KindState
from platform_health.views.argo import Application
from platform_health.views.kinds import KINDS, of_api_version
from platform_health.views.view import View

HERE = {"server": "https://kubernetes.default.svc"}
TRACKING = "argocd.argoproj.io/tracking-id"


def inventory(*views: View, applications: KindState = KindState.SYNCED) -> Inventory:
    knowledge = ClusterKnowledge()
    for kind in KINDS:
        knowledge.set(kind, KindState.SYNCED)
    knowledge.set(Application.kind, applications)
    made = Inventory(knowledge, lambda: 0.0)
    for view in views:
        made.put(view)
    return made


def subject(kind: str = "Deployment", api_version: str = "apps/v1", namespace: str = "llm", **metadata: Any) -> View:
    found = of_api_version(api_version, kind)
    assert found is not None
    raw = {"apiVersion": api_version, "metadata": {"name": "vllm", "namespace": namespace, **metadata}}
    return msgspec.convert(raw, found.view)


def application(destination: dict[str, str] = HERE, *, name: str = "llm", tracks: bool = True, **spec: Any) -> View:
    tracked = {"group": "apps", "kind": "Deployment", "namespace": "llm", "name": "vllm"}
    source = {"repoURL": "https://git.example.org/llm", "path": "prod", "targetRevision": "main"}
    raw = {
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {"destination": destination, "source": source, **spec},
        "status": {"resources": [tracked] if tracks else []},
    }
    return msgspec.convert(raw, Application)


def controlled(controller: bool = True) -> dict[str, Any]:
    owner = {
        "apiVersion": "nvidia.com/v1",
        "kind": "ClusterPolicy",
        "name": "gpu",
        "uid": "u",
        "controller": controller,
    }
    return {"ownerReferences": [owner]}


FLUX = "kustomize.toolkit.fluxcd.io"
RELEASE = "helm.toolkit.fluxcd.io"
HELM_LABEL = {"app.kubernetes.io/managed-by": "Helm"}
HELM_NAME = {"meta.helm.sh/release-name": "vllm", "meta.helm.sh/release-namespace": "llm"}

OWNED = {
    "a controller": (subject(**controlled()), "controller ClusterPolicy gpu"),
    "the addon manager": (subject(labels={"addonmanager.kubernetes.io/mode": "Reconcile"}), "addon manager"),
    "GKE": (subject(namespace="gke-managed-system"), "addon manager"),
    "the cluster's own namespace": (subject(namespace="kube-system"), "addon manager"),
    "Argo CD by annotation": (subject(annotations={TRACKING: "llm:apps/Deployment:llm/vllm"}), "Argo CD llm"),
    "Argo CD, cluster-scoped": (
        subject("ClusterPolicy", "nvidia.com/v1", "", annotations={TRACKING: "gpu:nvidia.com/ClusterPolicy:ns/vllm"}),
        "Argo CD gpu",
    ),
    "a Flux Kustomization": (
        subject(labels={f"{FLUX}/name": "apps", f"{FLUX}/namespace": "flux-system"}),
        "Flux Kustomization flux-system/apps",
    ),
    "a Flux HelmRelease": (
        subject(labels={f"{RELEASE}/name": "vllm", f"{RELEASE}/namespace": "llm"}),
        "Flux HelmRelease llm/vllm",
    ),
    "Helm": (subject(labels=HELM_LABEL, annotations=HELM_NAME), "Helm release llm/vllm"),
    "OLM": (subject(labels={"olm.owner": "gpu-operator.v24"}), "OLM gpu-operator.v24"),
}

NOT_OWNED = {
    "nobody": subject(),
    "an owner that does not control": subject(**controlled(controller=False)),
    "an add-on that exists once": subject(labels={"addonmanager.kubernetes.io/mode": "EnsureExists"}),
    "a tracking id copied from another name": subject(annotations={TRACKING: "llm:apps/Deployment:llm/other"}),
    "a tracking id copied from another namespace": subject(annotations={TRACKING: "llm:apps/Deployment:prod/vllm"}),
    "a tracking id copied from another kind": subject(annotations={TRACKING: "llm:apps/ReplicaSet:llm/vllm"}),
    "a tracking id copied from another group": subject(annotations={TRACKING: "llm:extensions/Deployment:llm/vllm"}),
    "a tracking id that is none": subject(annotations={TRACKING: "llm"}),
    "Argo CD's label alone": subject(labels={"app.kubernetes.io/instance": "llm"}),
    "half of Flux's labels": subject(labels={f"{FLUX}/name": "apps"}),
    "Helm's label alone": subject(labels=HELM_LABEL),
    "Helm's annotation alone": subject(annotations=HELM_NAME),
}


@pytest.mark.parametrize("case", OWNED)
def test_owned_by(case):
    view, expected = OWNED[case]
    owner = owner_of(view, inventory())
    assert owner is not None
    assert str(owner).startswith(expected)
    assert owner.because


@pytest.mark.parametrize("case", NOT_OWNED)
def test_not_owned_by(case):
    assert owner_of(NOT_OWNED[case], inventory(application(tracks=False))) is None


def test_an_application_that_lists_it_is_proof_without_any_annotation():
    owner = owner_of(subject(), inventory(application()))
    assert owner is not None
    assert (owner.by, owner.name) == ("Argo CD", "Application argocd/llm")
    assert owner.fix_in == "https://git.example.org/llm prod at main"


def test_an_in_cluster_application_by_name_counts():
    assert owner_of(subject(), inventory(application({"name": "in-cluster"}))) is not None


def test_an_application_of_another_cluster_lists_somebody_elses_object():
    remote = application({"server": "https://elsewhere.example.org"})
    assert owner_of(subject(), inventory(remote)) is None


def test_the_annotation_leads_to_the_repository():
    view = subject(annotations={TRACKING: "argocd_llm:apps/Deployment:llm/vllm"})
    owner = owner_of(view, inventory(application(tracks=False)))
    assert owner is not None
    assert owner.fix_in == "https://git.example.org/llm prod at main"


def test_several_sources_are_all_named():
    sources = [
        {"repoURL": "https://a", "chart": "vllm", "targetRevision": "1.2"},
        {"repoURL": "https://b", "path": "x"},
    ]
    owner = owner_of(subject(), inventory(application(sources=sources)))
    assert owner is not None
    assert owner.fix_in == "https://a vllm at 1.2, https://b x"


def test_an_argo_cd_elsewhere_is_enough():
    view = subject(annotations={TRACKING: "llm:apps/Deployment:llm/vllm"})
    owner = owner_of(view, inventory(applications=KindState.ABSENT))
    assert owner is not None
    assert (owner.name, owner.fix_in) == ("llm", "")


def test_applications_that_cannot_be_read_leave_it_unknown():
    with pytest.raises(Unknown):
        owner_of(subject(), inventory(applications=KindState.FORBIDDEN))


def test_a_proof_on_the_object_needs_no_applications():
    view = subject(annotations={TRACKING: "llm:apps/Deployment:llm/vllm"})
    assert owner_of(view, inventory(applications=KindState.FORBIDDEN)) is not None
    assert owner_of(subject(**controlled()), inventory(applications=KindState.FORBIDDEN)) is not None
