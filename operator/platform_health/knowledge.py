"""What can be known: the rules by which absence is told from ignorance, in a cluster and in files.

In a cluster a kind is known once its first list is complete; a kind that the API server does not serve is known to be
empty; everything else is a gap. In files what can be known depends on the question: see :class:`FileKnowledge`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import NamedTuple

import msgspec

from platform_health.inventory import Inventory
from platform_health.views.apps import Deployment, StatefulSet
from platform_health.views.core import Namespace, Node, Pod, Secret, Service, ServiceAccount
from platform_health.views.gateway import Gateway, GatewayClass, HTTPRoute
from platform_health.views.inference import InferencePool, LegacyInferencePool
from platform_health.views.view import Kind, LabelSelector, View


class Unreadable(msgspec.Struct, frozen=True):
    """Input that could not be read, and why: a file with its 1-based line, or a kind of the cluster."""

    because: str
    file: str | None = None
    line: int | None = None
    kind: str | None = None


class Skipped(msgspec.Struct, frozen=True):
    """Input that is deliberately not looked at."""

    file: str
    because: str


class KindState(StrEnum):
    """How well a kind is known in a cluster."""

    PENDING = "pending"
    """Not listed yet."""
    SYNCED = "synced"
    """Listed, and watched since."""
    ABSENT = "absent"
    """Discovery succeeded without it: it is not installed, so it is empty."""
    FORBIDDEN = "forbidden"
    """The API server refuses to list or watch it."""
    STALE = "stale"
    """It was known, but its watch has been down for too long to rely on."""
    UNREADABLE = "unreadable"
    """Its list fails for another reason, or objects of it do not decode."""


class ClusterKnowledge:
    """Knowledge of a live cluster: a state per kind. Kinds that are never requested are never known."""

    def __init__(self) -> None:
        self._states: dict[Kind, tuple[KindState, str]] = {}

    @property
    def is_complete(self) -> bool:
        """What a cluster does not list does not exist."""
        return True

    def set(self, kind: Kind, state: KindState, because: str = "") -> bool:
        """Records the state of a kind; returns whether it changed. ``because`` is for people."""
        before = self.state(kind)
        self._states[kind] = (state, because)
        return before is not state

    def state(self, kind: Kind) -> KindState:
        """The state of a kind, pending until it is set."""
        return self._states.get(kind, (KindState.PENDING, ""))[0]

    def unreadable(self) -> dict[Kind, str]:
        """The kinds that cannot be relied on, with the reason, in stable order."""
        gaps = {kind: self._gap(kind) for kind in sorted(self._states, key=lambda kind: kind.resource)}
        return {kind: because for kind, because in gaps.items() if because is not None}

    def gap(self, kind: type[View]) -> str | None:
        """Why objects of this kind cannot be known at all."""
        return self._gap(kind.kind)

    def _gap(self, kind: Kind) -> str | None:
        if kind.via == "never":
            return f"{kind.plural} are never read"
        state, because = self._states.get(kind, (KindState.PENDING, ""))
        match state:
            case KindState.SYNCED | KindState.ABSENT:
                return None
            case KindState.PENDING:
                return f"{kind.plural} have not been listed yet"
            case KindState.FORBIDDEN:
                return f"{kind.resource} may not be listed and watched"
            case KindState.STALE:
                return f"{kind.resource} have not been heard of for too long"
            case _:
                return f"{kind.resource} cannot be read: {because}"

    def gap_named(self, inventory: Inventory, kind: type[View], namespace: str, name: str) -> str | None:
        """What is not there does not exist."""
        return None

    def gap_selected(
        self, inventory: Inventory, kind: type[View], namespace: str, selector: LabelSelector | None
    ) -> str | None:
        """What is not selected does not exist."""
        return None

    def gap_referring(self, inventory: Inventory, kind: type[View]) -> str | None:
        """Who does not refer does not exist."""
        return None

    def is_installed(self, kind: type[View]) -> bool:
        """Whether the API server serves the kind."""
        return self.state(kind.kind) is not KindState.ABSENT


class Derivation(NamedTuple):
    """What a controller makes from a custom resource: objects of these kinds, named after a pattern.

    ``{name}`` stands for the resource's name. ``label``, where given, is a key that every selector of the made pods
    uses; a selector without it is not about them. ``service_label`` is the one label that the made Services have.
    """

    kinds: tuple[type[View], ...]
    names: tuple[str, ...]
    label: str = ""
    service_label: str = ""

    def is_meant(self, kind: type[View], selector: LabelSelector) -> bool:
        """Whether a selector may be about the made objects of a kind."""
        if kind is Service and self.service_label:
            return self.service_label in selector.keys or selector.matches({self.service_label: "true"})
        return not self.label or self.label in selector.keys


_SERVING: tuple[type[View], ...] = (Pod, Deployment, StatefulSet, Service, InferencePool, HTTPRoute, ServiceAccount)

DERIVATIONS: dict[tuple[str, str], Derivation] = {
    ("monitoring.coreos.com", "Prometheus"): Derivation(
        (Pod, StatefulSet, Service),
        ("prometheus-operated", "prometheus-{name}*"),
        service_label="operated-prometheus",
    ),
    ("monitoring.coreos.com", "PrometheusAgent"): Derivation(
        (Pod, StatefulSet, Service),
        ("prometheus-agent-operated", "prom-agent-{name}*"),
        service_label="operated-prometheus",
    ),
    ("monitoring.coreos.com", "Alertmanager"): Derivation(
        (Pod, StatefulSet, Service),
        ("alertmanager-operated", "alertmanager-{name}*"),
        service_label="operated-alertmanager",
    ),
    ("monitoring.coreos.com", "ThanosRuler"): Derivation(
        (Pod, StatefulSet, Service),
        ("thanos-ruler-operated", "thanos-ruler-{name}*"),
        service_label="operated-thanos-ruler",
    ),
    ("gateway.networking.k8s.io", "Gateway"): Derivation(
        (Pod, Deployment, Service, ServiceAccount),
        ("{name}", "{name}-*"),
        label="gateway.networking.k8s.io/gateway-name",
    ),
    ("aigateway.envoyproxy.io", "AIGatewayRoute"): Derivation((HTTPRoute,), ("{name}",)),
    ("grafana.integreatly.org", "Grafana"): Derivation((Pod, Deployment, Service), ("{name}-*",)),
    ("helm.toolkit.fluxcd.io", "HelmRelease"): Derivation(_SERVING, ("*{name}*",)),
    ("serving.kserve.io", "LLMInferenceService"): Derivation(_SERVING, ("{name}", "{name}-*")),
    ("serving.kserve.io", "InferenceService"): Derivation(_SERVING, ("{name}", "{name}-*")),
    ("serving.knative.dev", "Service"): Derivation(_SERVING, ("{name}", "{name}-*")),
    ("ray.io", "RayCluster"): Derivation((Pod, Service), ("{name}-*",)),
    ("ray.io", "RayService"): Derivation((Pod, Service), ("{name}-*",)),
    ("ray.io", "RayJob"): Derivation((Pod, Service), ("{name}-*",)),
    ("apps.nvidia.com", "NIMService"): Derivation(_SERVING, ("{name}", "{name}-*")),
    ("nvidia.com", "DynamoGraphDeployment"): Derivation(_SERVING, ("{name}", "{name}-*")),
    ("kaito.sh", "Workspace"): Derivation(_SERVING, ("{name}", "{name}-*")),
    ("kaito.sh", "InferenceSet"): Derivation(_SERVING, ("{name}", "{name}-*")),
    ("kubeai.org", "Model"): Derivation(_SERVING, ("model-{name}*",)),
    ("production-stack.vllm.ai", "VLLMRuntime"): Derivation(_SERVING, ("{name}", "{name}-*")),
    ("production-stack.vllm.ai", "VLLMRouter"): Derivation(_SERVING, ("{name}", "{name}-*")),
    ("cert-manager.io", "Certificate"): Derivation((Secret,), ("*",)),
    ("external-secrets.io", "ExternalSecret"): Derivation((Secret,), ("*",)),
    ("bitnami.com", "SealedSecret"): Derivation((Secret,), ("*",)),
    ("secrets.hashicorp.com", "VaultStaticSecret"): Derivation((Secret,), ("*",)),
    ("secrets.hashicorp.com", "VaultDynamicSecret"): Derivation((Secret,), ("*",)),
    ("onepassword.com", "OnePasswordItem"): Derivation((Secret,), ("*",)),
    ("secrets.infisical.com", "InfisicalSecret"): Derivation((Secret,), ("*",)),
    ("isindir.github.com", "SopsSecret"): Derivation((Secret,), ("*",)),
    ("secrets-store.csi.x-k8s.io", "SecretProviderClass"): Derivation((Secret,), ("*",)),
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): Derivation(
        (StatefulSet, Service), ("{name}", "{name}-*"), label="leaderworkerset.sigs.k8s.io/name"
    ),
}
"""What controllers make from custom resources, so that its absence from files proves nothing."""

_EVERYWHERE = ("default", "kube-node-lease", "kube-public", "kube-system")
_SYSTEM = ("kube-", "gke-", "gmp-", "openshift-", "cattle-", "calico-")
_INSTALLED: frozenset[tuple[type[View], str]] = frozenset(
    [
        *(
            (GatewayClass, name)
            for name in (
                "istio",
                "istio-remote",
                "istio-waypoint",
                "agentgateway",
                "kgateway",
                "nginx",
                "gke-l7-regional-external-managed",
                "gke-l7-rilb",
                "gke-l7-global-external-managed",
                "gke-l7-gxlb",
            )
        ),
        *(
            (Namespace, name)
            for name in (
                "default",
                "agentgateway-system",
                "argocd",
                "cert-manager",
                "envoy-ai-gateway-system",
                "envoy-gateway-system",
                "flux-system",
                "gpu-operator",
                "ingress-nginx",
                "istio-system",
                "keda",
                "kgateway-system",
                "monitoring",
                "nginx-gateway",
            )
        ),
    ]
)
"""What installations bring along, so that its absence from files proves nothing."""

_POOLS = (InferencePool, LegacyInferencePool)
_ANYWHERE = (Gateway, GatewayClass, Node)
_OCCASIONAL = ("batch",)


class Maker(NamedTuple):
    """One custom resource that a controller makes objects from."""

    group: str
    kind: str
    namespace: str
    name: str


class FileKnowledge:
    """Knowledge of manifests: what they leave out may exist elsewhere, unless they show that they are complete.

    A named or selected object is known to be absent where the files hold another object of its kind in the namespace
    it would be in. A near miss of a selector makes it known too. ``closed_world`` says that the files are everything
    there is, except Secrets where they hold none, and except what controllers make from custom resources where no dump
    of the namespace shows it.
    """

    def __init__(self, *, closed_world: bool = False) -> None:
        self.closed_world = closed_world
        self._makers: dict[str, list[Maker]] = defaultdict(list)

    @property
    def is_complete(self) -> bool:
        """Whether the files are everything there is."""
        return self.closed_world

    def add_maker(self, maker: Maker) -> None:
        """Notes a custom resource that a controller may make objects from; others are ignored."""
        if (maker.group, maker.kind) in DERIVATIONS:
            self._makers[maker.namespace].append(maker)

    def gap(self, kind: type[View]) -> str | None:
        """Files can hold any kind."""
        return None

    def gap_named(self, inventory: Inventory, kind: type[View], namespace: str, name: str) -> str | None:
        """Unknown unless the files hold another object of the kind in the namespace."""
        if self._is_made(inventory, kind, namespace, name):
            return f"{kind.kind} {namespace}/{name} may be made by a controller"
        if kind is ServiceAccount and name == "default":
            return f"service account default exists in every namespace, though the files do not show {namespace}"
        if kind is Namespace and name in _EVERYWHERE:
            return f"namespace {name} exists in every cluster, but the files do not show it"
        if kind is Namespace and any(inventory.peek_all(held, name) for held in inventory.kinds()):
            return f"namespace {name} exists, since objects stand in it, but the files do not show it"
        if self.closed_world and (kind is not Secret or inventory.peek_all(Secret)):
            return None
        if (kind, name) in _INSTALLED or (kind is Namespace and name.startswith(_SYSTEM)):
            return f"{kind.kind} {name} comes with a cluster or an installation that the files do not show"
        if self._is_governing(kind, lambda made: name in made.names):
            return f"{kind.kind} {name} is made from a custom resource that the files do not show"
        place = namespace if kind.kind.namespaced else None
        if any(inventory.peek_all(alike, place) for alike in _alike(kind)):
            return None
        return f"the files hold no {kind.kind.plural}{f' of namespace {namespace}' if place else ''}"

    def gap_selected(
        self, inventory: Inventory, kind: type[View], namespace: str, selector: LabelSelector | None
    ) -> str | None:
        """As for a name; a near miss shows that the files hold what was meant."""
        maker = self._maker_of_selected(inventory, kind, namespace, selector)
        if maker is not None:
            return f"{kind.kind.plural} that {maker.kind} {maker.name} is made into are not in the files"
        if self.closed_world and (kind is not Secret or inventory.peek_all(Secret)):
            return None
        if selector is not None and self._is_governing(kind, lambda made: made.service_label in selector.keys):
            return (
                f"{kind.kind.plural} that {selector} means are made from a custom resource that the files do not show"
            )
        if selector is None or kind in _ANYWHERE:
            return None if inventory.peek_all(kind) else f"the files hold no {kind.kind.plural}"
        if _stand_in(inventory.peek_all(kind, namespace or None)) or _near_miss(inventory, kind, namespace, selector):
            return None
        return f"the files hold no {kind.kind.plural} of namespace {namespace}"

    def gap_referring(self, inventory: Inventory, kind: type[View]) -> str | None:
        """Who refers is known once the files hold one object of the referring kind anywhere."""
        if self.closed_world or any(inventory.peek_all(alike) for alike in _alike(kind)):
            return None
        return f"the files hold no {kind.kind.plural}"

    def is_installed(self, kind: type[View]) -> bool:
        """Files say nothing of what an API server serves."""
        return True

    def _is_made(self, inventory: Inventory, kind: type[View], namespace: str, name: str) -> bool:
        return any(
            fnmatchcase(name, pattern.format(name=maker.name))
            for maker, derivation in self._derivations(inventory, kind, namespace)
            for pattern in derivation.names
        )

    def _is_governing(self, kind: type[View], is_meant: Callable[[Derivation], bool]) -> bool:
        """Whether what is meant is only ever made, from kinds of which the files hold none."""
        shown = {(maker.group, maker.kind) for makers in self._makers.values() for maker in makers}
        makers = {key for key, made in DERIVATIONS.items() if kind in made.kinds and is_meant(made)}
        return bool(makers) and not makers & shown

    def _maker_of_selected(
        self, inventory: Inventory, kind: type[View], namespace: str, selector: LabelSelector | None
    ) -> Maker | None:
        if selector is None:
            return None
        for maker, derivation in self._derivations(inventory, kind, namespace):
            if derivation.is_meant(kind, selector):
                return maker
        return None

    def _derivations(
        self, inventory: Inventory, kind: type[View], namespace: str
    ) -> Iterator[tuple[Maker, Derivation]]:
        """Who may make objects of a kind in a namespace; a dump, told by its uids, holds what was made."""
        if any(view.metadata.uid for view in inventory.peek_all(kind, namespace)):
            return
        for maker in self._makers.get(namespace, ()):
            derivation = DERIVATIONS[maker.group, maker.kind]
            if kind in derivation.kinds:
                yield maker, derivation


def _alike(kind: type[View]) -> tuple[type[View], ...]:
    return _POOLS if kind in _POOLS else (kind,)


def _stand_in(views: Iterable[View]) -> bool:
    """Whether there is something that shows the namespace's objects are in the files; pods of Jobs do not count."""
    return any(not (isinstance(view, Pod) and view.workload.kind.group in _OCCASIONAL) for view in views)


def _near_miss(inventory: Inventory, kind: type[View], namespace: str, selector: LabelSelector) -> bool:
    size = len(selector.match_labels) + len(selector.match_expressions)
    if not size:
        return False
    for view in inventory.peek_all(kind):
        missed = len(selector.misses(view.labels))
        if missed == 0 or (view.namespace == namespace and missed == 1 and size > 1):
            return True
    return False
