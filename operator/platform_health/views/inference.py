"""Gateway API Inference Extension: InferencePool in both API groups, InferenceObjective, InferencePoolImport."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from platform_health.views.gateway import ParentRef
from platform_health.views.view import Condition, Kind, Labels, LabelSelector, Path, Shape, Term, View

GROUP = "inference.networking.k8s.io"
LEGACY_GROUP = "inference.networking.x-k8s.io"


class PoolSelector(Shape, frozen=True):
    """The selector of a pool: equality only, same namespace only."""

    match_labels: Labels = {}


class TargetPort(Shape, frozen=True):
    """One port on the pods; every port of a pod is an endpoint of its own."""

    number: int = 0


class PickerPort(Shape, frozen=True):
    """A port of the picker's Service (not a target port)."""

    number: int = 0


class PickerRef(Shape, frozen=True):
    """The endpoint picker of a pool; always in the pool's namespace."""

    name: str = ""
    group: str = ""
    kind: str = "Service"
    port: PickerPort | None = None
    failure_mode: str = "FailClose"


class PoolParentStatus(Shape, frozen=True):
    """What one Gateway's controller says of a pool."""

    parent_ref: ParentRef = ParentRef()
    controller_name: str = ""
    conditions: tuple[Condition, ...] = ()


class PoolSpec(Shape, frozen=True):
    """The specification of an InferencePool v1."""

    selector: PoolSelector = PoolSelector()
    target_ports: tuple[TargetPort, ...] = ()
    endpoint_picker_ref: PickerRef | None = None
    app_protocol: str = ""


class PoolStatus(Shape, frozen=True):
    """The status of an InferencePool v1."""

    parents: tuple[PoolParentStatus, ...] = ()


class InferencePool(View, frozen=True):
    """An InferencePool of inference.networking.k8s.io."""

    kind: ClassVar[Kind] = Kind(GROUP, "InferencePool", "inferencepools", ("v1",))

    spec: PoolSpec = PoolSpec()
    status: PoolStatus = PoolStatus()

    @property
    def selector(self) -> LabelSelector:
        """The selector of the model server pods."""
        return LabelSelector(match_labels=self.spec.selector.match_labels)

    @property
    def selector_at(self) -> Path:
        """Where the selector stands."""
        return Path("spec.selector.matchLabels")

    @property
    def picker(self) -> PickerRef | None:
        """The endpoint picker, None where the pool has none."""
        return self.spec.endpoint_picker_ref

    @property
    def picker_at(self) -> Path:
        """Where the picker reference stands."""
        return Path("spec.endpointPickerRef")

    @property
    def picker_port_at(self) -> Path:
        """Where the picker's port number stands."""
        return Path("spec.endpointPickerRef.port.number")

    @property
    def names_picker_port(self) -> bool:
        """Whether the picker's port is written down."""
        return self.picker is not None and self.picker.port is not None

    @property
    def app_protocol(self) -> str:
        """The protocol of the pods, empty for the default (HTTP/1.1)."""
        return self.spec.app_protocol

    def target_ports(self) -> Iterator[tuple[Path, int]]:
        """The target ports with the paths of their numbers."""
        for index, port in enumerate(self.spec.target_ports):
            yield Path("spec.targetPorts") / index / "number", port.number

    @property
    def parents_field(self) -> str:
        """The field of the status in which the parents stand."""
        return "parents"

    def parents(self) -> tuple[PoolParentStatus, ...]:
        """What Gateways say of the pool, without the placeholder of the legacy API."""
        return tuple(parent for parent in self.status.parents if parent.parent_ref.kind == "Gateway")

    def terms(self) -> Iterator[Term]:
        """Labels and the picker's Service."""
        yield from View.terms(self)
        if self.picker is not None and (self.picker.group, self.picker.kind) == ("", "Service"):
            yield picker_term(self.namespace, self.picker.name)


class LegacyPickerRef(Shape, frozen=True):
    """The endpoint picker of a legacy pool; without a port number implementations infer 9002."""

    name: str = ""
    group: str = ""
    kind: str = "Service"
    port_number: int | None = None
    failure_mode: str = "FailClose"


class LegacyPoolSpec(Shape, frozen=True):
    """The specification of an InferencePool v1alpha2."""

    selector: Labels = {}
    target_port_number: int = 0
    extension_ref: LegacyPickerRef | None = None


class LegacyPoolStatus(Shape, frozen=True):
    """The status of an InferencePool v1alpha2."""

    parent: tuple[PoolParentStatus, ...] = ()


class LegacyInferencePool(View, frozen=True):
    """An InferencePool of inference.networking.x-k8s.io: another object than one of the same name in the new group."""

    kind: ClassVar[Kind] = Kind(LEGACY_GROUP, "InferencePool", "inferencepools", ("v1alpha2", "v1alpha1"))

    spec: LegacyPoolSpec = LegacyPoolSpec()
    status: LegacyPoolStatus = LegacyPoolStatus()

    @property
    def selector(self) -> LabelSelector:
        """The selector of the model server pods."""
        return LabelSelector(match_labels=self.spec.selector)

    @property
    def selector_at(self) -> Path:
        """Where the selector stands."""
        return Path("spec.selector")

    @property
    def picker(self) -> PickerRef | None:
        """The endpoint picker, None where the pool has none."""
        written = self.spec.extension_ref
        if written is None:
            return None
        port = PickerPort(number=9002 if written.port_number is None else written.port_number)
        return PickerRef(
            name=written.name, group=written.group, kind=written.kind, port=port, failure_mode=written.failure_mode
        )

    @property
    def picker_at(self) -> Path:
        """Where the picker reference stands."""
        return Path("spec.extensionRef")

    @property
    def picker_port_at(self) -> Path:
        """Where the picker's port number stands."""
        return Path("spec.extensionRef.portNumber")

    @property
    def names_picker_port(self) -> bool:
        """Whether the picker's port is written down."""
        return self.spec.extension_ref is not None and self.spec.extension_ref.port_number is not None

    @property
    def app_protocol(self) -> str:
        """The protocol of the pods; the legacy API has no field for it."""
        return ""

    def target_ports(self) -> Iterator[tuple[Path, int]]:
        """The one target port with the path of its number."""
        yield Path("spec.targetPortNumber"), self.spec.target_port_number

    @property
    def parents_field(self) -> str:
        """The field of the status in which the parents stand."""
        return "parent"

    def parents(self) -> tuple[PoolParentStatus, ...]:
        """What Gateways say of the pool, without the placeholder ``Status/default``."""
        return tuple(parent for parent in self.status.parent if parent.parent_ref.kind == "Gateway")

    def terms(self) -> Iterator[Term]:
        """Labels and the picker's Service."""
        yield from View.terms(self)
        if self.picker is not None and (self.picker.group, self.picker.kind) == ("", "Service"):
            yield picker_term(self.namespace, self.picker.name)


Pool = InferencePool | LegacyInferencePool
"""A pool of either group."""


def picker_term(namespace: str, service: str) -> Term:
    """The index term of the pools whose picker is this Service."""
    return f"picker:{namespace}/{service}"


class PoolRef(Shape, frozen=True):
    """The pool of an objective or rewrite; same namespace."""

    name: str = ""
    group: str = GROUP
    kind: str = "InferencePool"


class ObjectiveSpec(Shape, frozen=True):
    """The specification of an InferenceObjective; no priority is 0."""

    priority: int | None = None
    pool_ref: PoolRef = PoolRef()


class LegacyInferenceObjective(View, frozen=True):
    """An InferenceObjective of inference.networking.x-k8s.io."""

    kind: ClassVar[Kind] = Kind(LEGACY_GROUP, "InferenceObjective", "inferenceobjectives", ("v1alpha2",))

    spec: ObjectiveSpec = ObjectiveSpec()


class InferenceObjective(View, frozen=True):
    """An InferenceObjective of llm-d.ai."""

    kind: ClassVar[Kind] = Kind("llm-d.ai", "InferenceObjective", "inferenceobjectives", ("v1alpha2",))

    spec: ObjectiveSpec = ObjectiveSpec()


class LegacyPoolRef(PoolRef, frozen=True):
    """The pool of an InferenceModel; without a group it is a legacy one."""

    group: str = LEGACY_GROUP


class InferenceModelSpec(Shape, frozen=True):
    """The specification of an InferenceModel."""

    model_name: str = ""
    criticality: str = ""
    pool_ref: LegacyPoolRef = LegacyPoolRef()


class InferenceModel(View, frozen=True):
    """An InferenceModel, the predecessor of InferenceObjective."""

    kind: ClassVar[Kind] = Kind(LEGACY_GROUP, "InferenceModel", "inferencemodels", ("v1alpha2", "v1alpha1"))

    spec: InferenceModelSpec = InferenceModelSpec()


class InferencePoolImport(View, frozen=True):
    """A pool of another cluster."""

    kind: ClassVar[Kind] = Kind(LEGACY_GROUP, "InferencePoolImport", "inferencepoolimports", ("v1alpha1",))


class ModelMatch(Shape, frozen=True):
    """The model that a request asks for."""

    type: str = "Exact"
    value: str = ""


class RewriteMatch(Shape, frozen=True):
    """One match of a rewrite; none means every request."""

    model: ModelMatch | None = None


class RewriteTarget(Shape, frozen=True):
    """A model that requests are rewritten to."""

    model_rewrite: str = ""
    weight: int = 1


class RewriteRule(Shape, frozen=True):
    """One rule of a rewrite."""

    matches: tuple[RewriteMatch, ...] = ()
    targets: tuple[RewriteTarget, ...] = ()


class RewriteSpec(Shape, frozen=True):
    """The specification of an InferenceModelRewrite."""

    pool_ref: PoolRef | None = None
    rules: tuple[RewriteRule, ...] = ()


class LegacyInferenceModelRewrite(View, frozen=True):
    """An InferenceModelRewrite of inference.networking.x-k8s.io."""

    kind: ClassVar[Kind] = Kind(LEGACY_GROUP, "InferenceModelRewrite", "inferencemodelrewrites", ("v1alpha2",))

    spec: RewriteSpec = RewriteSpec()


class InferenceModelRewrite(View, frozen=True):
    """An InferenceModelRewrite of llm-d.ai."""

    kind: ClassVar[Kind] = Kind("llm-d.ai", "InferenceModelRewrite", "inferencemodelrewrites", ("v1alpha2",))

    spec: RewriteSpec = RewriteSpec()
