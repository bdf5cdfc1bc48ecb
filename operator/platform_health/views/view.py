"""What all views share: kinds, references, metadata, paths and label selectors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar

import msgspec

Labels = dict[str, str]
Term = str

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
_STEP = re.compile(r'\[(\d+)\]|\["([^"]*)"\]|([^.\[]+)')


class Path(str):
    """Where a value stands in an object: ``spec.rules[0].backendRefs[1].name``; grows with ``/``.

    Example: ``Path("metadata") / "labels" / "a.io/b"`` is ``metadata.labels["a.io/b"]``.
    """

    __slots__ = ()

    def __truediv__(self, step: str | int) -> Path:
        if isinstance(step, int):
            return Path(f"{self}[{step}]")
        if _IDENTIFIER.match(step):
            return Path(f"{self}.{step}" if self else step)
        return Path(f'{self}["{step}"]')

    def join(self, other: str) -> Path:  # type: ignore[override]
        """This path followed by ``other``, which may be empty."""
        if not other:
            return self
        return Path(f"{self}{other}" if other.startswith("[") or not self else f"{self}.{other}")

    @property
    def pointer(self) -> str:
        """This path as a JSON pointer (RFC 6901): ``spec.rules[0]`` is ``/spec/rules/0``."""
        steps = [index or quoted or name for index, quoted, name in _STEP.findall(self)]
        return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


SPEC = Path("spec")
METADATA = Path("metadata")

Via = Literal["stream", "event", "never"]


class Kind:
    """One Kubernetes kind: group and name are its identity, never the version.

    ``versions`` lists the served versions that decode into the view, preferred first. ``via`` says how objects of the
    kind are watched: ``stream`` for built-in kinds, ``event`` for custom resources (through kopf), ``never`` for kinds
    that are not requested from an API server (Secrets).
    """

    registry: ClassVar[dict[tuple[str, str], Kind]] = {}
    __slots__ = ("group", "name", "namespaced", "plural", "versions", "via", "view")

    def __init__(
        self,
        group: str,
        name: str,
        plural: str,
        versions: tuple[str, ...] = ("v1",),
        *,
        namespaced: bool = True,
        via: Via = "event",
    ) -> None:
        self.group, self.name, self.plural, self.versions = group, name, plural, versions
        self.namespaced, self.via = namespaced, via
        self.view: type[View]
        Kind.registry[group, name] = self

    @property
    def api_version(self) -> str:
        """The preferred ``apiVersion``, e.g. ``gateway.networking.k8s.io/v1``."""
        return f"{self.group}/{self.versions[0]}" if self.group else self.versions[0]

    @property
    def resource(self) -> str:
        """The qualified resource as RBAC and discovery write it, e.g. ``httproutes.gateway.networking.k8s.io``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<Kind {self.resource}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_registered, (self.group, self.name))


def _registered(group: str, name: str) -> Kind:
    return Kind.registry[group, name]


class Ref(NamedTuple):
    """The identity of one object: kind (group and name, no version), namespace (empty: cluster-scoped) and name."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.name} {self.namespace}/{self.name}" if self.namespace else f"{self.kind.name} {self.name}"

    @property
    def sort_key(self) -> tuple[str, str, str, str]:
        """Orders references by kind, group, namespace and name."""
        return (self.kind.name, self.kind.group, self.namespace, self.name)


class Shape(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """A part of an object. Fields are camelCase in YAML; null means absent; unknown fields are ignored."""


class OwnerReference(Shape, frozen=True):
    """One entry of ``metadata.ownerReferences``."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False

    @property
    def group(self) -> str:
        """The API group of the owner; empty for core kinds."""
        return self.api_version.rpartition("/")[0]


class ReplicasField(msgspec.Struct, frozen=True, gc=False):
    """``f:spec`` of a managedFields entry as far as it is read: whether it owns ``replicas``."""

    replicas: Any = msgspec.field(name="f:replicas", default=None)


class OwnedFields(msgspec.Struct, frozen=True, gc=False):
    """``fieldsV1`` of a managedFields entry as far as it is read."""

    spec: ReplicasField | None = msgspec.field(name="f:spec", default=None)


class ManagedFields(msgspec.Struct, frozen=True, gc=False):
    """One entry of ``metadata.managedFields``, without its time (which would make every update look like a change)."""

    manager: str = ""
    operation: str = ""
    subresource: str = ""
    owned: OwnedFields | None = msgspec.field(name="fieldsV1", default=None)

    @property
    def owns_replicas(self) -> bool:
        """Whether this manager owns ``spec.replicas``."""
        return self.owned is not None and self.owned.spec is not None and self.owned.spec.replicas is not None


class Metadata(Shape, frozen=True):
    """``metadata`` without what changes on every write (resourceVersion)."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    labels: Labels = {}
    annotations: Labels = {}
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    owner_references: tuple[OwnerReference, ...] = ()
    generate_name: str = ""

    @property
    def controller(self) -> OwnerReference | None:
        """The owner that controls this object, if any."""
        return next((owner for owner in self.owner_references if owner.controller), None)


class MetadataWithManagers(Metadata, frozen=True):
    """Metadata of the kinds whose field managers matter (workloads under an autoscaler)."""

    managed_fields: tuple[ManagedFields, ...] = ()


class Condition(Shape, frozen=True):
    """A status condition. Times of heartbeats are left out on purpose."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    observed_generation: int = 0
    last_transition_time: str | None = None


def condition(conditions: Iterable[Condition], name: str) -> Condition | None:
    """The condition of type ``name``, or None where it has not been written."""
    return next((entry for entry in conditions if entry.type == name), None)


class Requirement(Shape, frozen=True):
    """One entry of ``matchExpressions``."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether ``labels`` satisfy this requirement (apimachinery ``labels.Requirement.Matches``)."""
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value is not None and value in self.values
            case "NotIn":
                return value is None or value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt" | "Lt":
                return _compares(self.operator, value, self.values)
        return False

    def __str__(self) -> str:
        match self.operator:
            case "Exists":
                return self.key
            case "DoesNotExist":
                return f"!{self.key}"
        return f"{self.key} {self.operator.lower()} ({', '.join(self.values)})"


def _compares(operator: str, value: str | None, bound: tuple[str, ...]) -> bool:
    try:
        number, limit = int(value or ""), int(bound[0])
    except (ValueError, IndexError):
        return False
    return number > limit if operator == "Gt" else number < limit


class LabelSelector(Shape, frozen=True):
    """A metav1.LabelSelector; the empty one selects everything. ``None`` in a field means there is no selector."""

    match_labels: Labels = {}
    match_expressions: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with ``labels`` is selected."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )

    def misses(self, labels: Mapping[str, str]) -> list[str]:
        """What of the selector ``labels`` do not satisfy, as ``key=value`` or an expression."""
        wrong = [f"{key}={value}" for key, value in self.match_labels.items() if labels.get(key) != value]
        return wrong + [str(entry) for entry in self.match_expressions if not entry.matches(labels)]

    @property
    def keys(self) -> set[str]:
        """Every label key the selector looks at."""
        return {*self.match_labels, *(entry.key for entry in self.match_expressions)}

    def __str__(self) -> str:
        parts = [f"{key}={value}" for key, value in self.match_labels.items()]
        return ",".join(parts + [str(entry) for entry in self.match_expressions]) or "everything"


class View(Shape, frozen=True):
    """Base of every view: metadata and an identity."""

    metadata: Metadata = Metadata()
    api_version: str = ""

    kind: ClassVar[Kind]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "kind" in cls.__dict__:
            cls.kind.view = cls

    @property
    def ref(self) -> Ref:
        """The identity of this object."""
        return Ref(self.kind, self.metadata.namespace, self.metadata.name)

    @property
    def name(self) -> str:
        """``metadata.name``."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """``metadata.namespace``; empty for cluster-scoped objects."""
        return self.metadata.namespace

    @property
    def labels(self) -> Labels:
        """``metadata.labels``."""
        return self.metadata.labels

    @property
    def annotations(self) -> Labels:
        """``metadata.annotations``."""
        return self.metadata.annotations

    @property
    def is_going(self) -> bool:
        """Whether the object is being deleted; such objects are not judged."""
        return self.metadata.deletion_timestamp is not None

    def terms(self) -> Iterator[Term]:
        """What the inventory indexes this object under; labels unless a view says more."""
        for key, value in self.labels.items():
            yield label_term(key, value)


AnyView = TypeVar("AnyView", bound=View)


def label_term(key: str, value: str) -> Term:
    """The index term of one label."""
    return f"{key}={value}"


IntOrString = int | str
Quantity = Annotated[str | int | float, "resource.Quantity"]


def quantity(value: Quantity) -> float:
    """A Kubernetes quantity as a number: ``"8"`` → 8, ``"500m"`` → 0.5, ``"16Gi"`` → 17179869184; ValueError else."""
    if isinstance(value, int | float):
        return float(value)
    found = re.fullmatch(r"([+-]?[0-9.]+)([eE][+-]?[0-9]+)?([numkMGTPE]|[KMGTPE]i)?", value.strip())
    if found is None:
        raise ValueError(f"{value!r} is not a quantity")
    number, exponent, suffix = found.groups()
    return float(number + (exponent or "")) * _SUFFIXES[suffix or ""]


_SUFFIXES = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_SUFFIXES |= {f"{unit}i": 1024.0**power for power, unit in enumerate("KMGTPE", start=1)}
