"""Gateway API: GatewayClass, Gateway, ListenerSet, routes, ReferenceGrant, and Envoy AI Gateway's AIGatewayRoute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, NamedTuple

import msgspec

from platform_health.views.view import Condition, Kind, Labels, LabelSelector, Metadata, Path, Ref, Shape, Term, View

GROUP = "gateway.networking.k8s.io"


class ParametersRef(Shape, frozen=True):
    """Where an implementation's own parameters stand; without a namespace, beside the referring object."""

    group: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""


class GatewayClassSpec(Shape, frozen=True):
    """The specification of a GatewayClass."""

    controller_name: str = ""
    parameters_ref: ParametersRef | None = None


class ConditionedStatus(Shape, frozen=True):
    """A status that is only conditions."""

    conditions: tuple[Condition, ...] = ()


class GatewayClass(View, frozen=True):
    """A GatewayClass."""

    kind: ClassVar[Kind] = Kind(GROUP, "GatewayClass", "gatewayclasses", ("v1", "v1beta1"), namespaced=False)

    spec: GatewayClassSpec = GatewayClassSpec()
    status: ConditionedStatus = ConditionedStatus()


class RouteNamespaces(Shape, frozen=True):
    """Which namespaces' routes a listener admits."""

    from_: str = msgspec.field(name="from", default="Same")
    selector: LabelSelector | None = None


class RouteKind(Shape, frozen=True):
    """A kind of route that a listener admits."""

    kind: str = ""
    group: str = GROUP


class AllowedRoutes(Shape, frozen=True):
    """Which routes a listener admits; no kinds means those of its protocol."""

    namespaces: RouteNamespaces = RouteNamespaces()
    kinds: tuple[RouteKind, ...] = ()


class CertificateRef(Shape, frozen=True):
    """A certificate of a TLS listener."""

    name: str = ""
    namespace: str = ""
    group: str = ""
    kind: str = "Secret"


class ListenerTls(Shape, frozen=True):
    """TLS of a listener."""

    mode: str = "Terminate"
    certificate_refs: tuple[CertificateRef, ...] = ()


class Listener(Shape, frozen=True):
    """One listener of a Gateway."""

    name: str = ""
    hostname: str = ""
    port: int = 0
    protocol: str = "HTTP"
    tls: ListenerTls | None = None
    allowed_routes: AllowedRoutes = AllowedRoutes()


class Address(Shape, frozen=True):
    """A requested address of a Gateway."""

    type: str = "IPAddress"
    value: str = ""


class Infrastructure(Shape, frozen=True):
    """Metadata for what the implementation creates."""

    labels: Labels = {}
    annotations: Labels = {}
    parameters_ref: ParametersRef | None = None


class GatewaySpec(Shape, frozen=True):
    """The specification of a Gateway."""

    gateway_class_name: str = ""
    listeners: tuple[Listener, ...] = ()
    addresses: tuple[Address, ...] = ()
    infrastructure: Infrastructure = Infrastructure()


class ListenerStatus(Shape, frozen=True):
    """The status of one listener."""

    name: str = ""
    conditions: tuple[Condition, ...] = ()


class GatewayStatus(Shape, frozen=True):
    """The status of a Gateway."""

    conditions: tuple[Condition, ...] = ()
    listeners: tuple[ListenerStatus, ...] = ()


class Gateway(View, frozen=True):
    """A Gateway."""

    kind: ClassVar[Kind] = Kind(GROUP, "Gateway", "gateways", ("v1", "v1beta1"))

    spec: GatewaySpec = GatewaySpec()
    status: GatewayStatus = GatewayStatus()


class ParentGateway(Shape, frozen=True):
    """The Gateway that a ListenerSet belongs to."""

    name: str = ""
    namespace: str = ""
    group: str = GROUP
    kind: str = "Gateway"


class ListenerSetSpec(Shape, frozen=True):
    """The specification of a ListenerSet."""

    parent_ref: ParentGateway = ParentGateway()
    listeners: tuple[Listener, ...] = ()


class ListenerSet(View, frozen=True):
    """A ListenerSet: listeners of a Gateway that live in an object of their own."""

    kind: ClassVar[Kind] = Kind(GROUP, "ListenerSet", "listenersets", ("v1",))

    spec: ListenerSetSpec = ListenerSetSpec()
    status: GatewayStatus = GatewayStatus()


class XListenerSet(View, frozen=True):
    """A ListenerSet of the experimental group."""

    kind: ClassVar[Kind] = Kind("gateway.networking.x-k8s.io", "XListenerSet", "xlistenersets", ("v1alpha1",))

    spec: ListenerSetSpec = ListenerSetSpec()
    status: GatewayStatus = GatewayStatus()


class ParentRef(Shape, frozen=True):
    """What a route wants to attach to."""

    name: str = ""
    namespace: str = ""
    group: str = GROUP
    kind: str = "Gateway"
    section_name: str = ""
    port: int | None = None


class BackendRef(Shape, frozen=True):
    """One backend of a rule as written; :class:`Backend` is what it means."""

    name: str = ""
    namespace: str = ""
    group: str = ""
    kind: str = "Service"
    port: int | None = None
    weight: int = 1


class Backend(NamedTuple):
    """One backend reference of a route with its namespace resolved and the place it was read from."""

    group: str
    kind: str
    namespace: str
    name: str
    port: int | None
    weight: int
    at: Path
    rule: int

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def ref(self) -> Ref | None:
        """The object referred to, None where the kind is not one we read."""
        kind = Kind.registry.get((self.group, self.kind))
        return Ref(kind, self.namespace, self.name) if kind else None


class HeaderMatch(Shape, frozen=True):
    """A match on a header."""

    name: str = ""
    value: str = ""
    type: str = "Exact"


class PathMatch(Shape, frozen=True):
    """A match on the path."""

    type: str = "PathPrefix"
    value: str = "/"


class QueryMatch(Shape, frozen=True):
    """A match on a query parameter."""

    name: str = ""
    value: str = ""
    type: str = "Exact"


class GrpcMethod(Shape, frozen=True):
    """A match on a gRPC service and method."""

    service: str = ""
    method: str = ""
    type: str = "Exact"


class RouteMatch(Shape, frozen=True):
    """A match of a rule; path and query parameters only in an HTTPRoute."""

    path: PathMatch = PathMatch()
    headers: tuple[HeaderMatch, ...] = ()
    query_params: tuple[QueryMatch, ...] = ()
    method: str | GrpcMethod = ""

    def __str__(self) -> str:
        words = [f"{self.path.type} {self.path.value}", *(f"{entry.name}={entry.value}" for entry in self.headers)]
        words += [f"?{entry.name}={entry.value}" for entry in self.query_params]
        if isinstance(self.method, GrpcMethod):
            return f"{self.method.service}/{self.method.method}"
        return " ".join([self.method, *words] if self.method else words)


class RewritePath(Shape, frozen=True):
    """How a path is rewritten."""

    type: str = ""
    replace_full_path: str | None = None
    replace_prefix_match: str | None = None


class UrlRewrite(Shape, frozen=True):
    """A URLRewrite filter."""

    hostname: str = ""
    path: RewritePath | None = None


class Mirror(Shape, frozen=True):
    """A RequestMirror filter."""

    backend_ref: BackendRef = BackendRef()


class HeaderModifier(Shape, frozen=True):
    """A RequestHeaderModifier filter."""

    set: tuple[HeaderMatch, ...] = ()
    add: tuple[HeaderMatch, ...] = ()


class Filter(Shape, frozen=True):
    """A filter of a rule."""

    type: str = ""
    url_rewrite: UrlRewrite | None = None
    request_mirror: Mirror | None = None
    request_header_modifier: HeaderModifier | None = None


class Timeouts(Shape, frozen=True):
    """Timeouts of a rule as GEP-2257 durations."""

    request: str | None = None
    backend_request: str | None = None


class Rule(Shape, frozen=True):
    """One rule of a route; no matches means the prefix ``/``."""

    matches: tuple[RouteMatch, ...] = ()
    backend_refs: tuple[BackendRef, ...] = ()
    filters: tuple[Filter, ...] = ()
    timeouts: Timeouts | None = None

    @property
    def redirects(self) -> bool:
        """Whether the rule answers by itself, so that its backends are never asked."""
        return any(entry.type == "RequestRedirect" for entry in self.filters)

    def __str__(self) -> str:
        return ", ".join(str(match) for match in self.matches) or "PathPrefix /"


class RouteSpec(Shape, frozen=True):
    """The specification of a route."""

    parent_refs: tuple[ParentRef, ...] = ()
    hostnames: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()


class RouteParentStatus(Shape, frozen=True):
    """What one parent says of a route."""

    parent_ref: ParentRef = ParentRef()
    controller_name: str = ""
    conditions: tuple[Condition, ...] = ()


class RouteStatus(Shape, frozen=True):
    """The status of a route."""

    parents: tuple[RouteParentStatus, ...] = ()


class Stamp(Shape, frozen=True):
    """When a field manager last wrote to an object."""

    time: str | None = None
    subresource: str = ""


class RouteMetadata(Metadata, frozen=True):
    """Metadata of the kinds whose last change matters."""

    managed_fields: tuple[Stamp, ...] = ()

    @property
    def changed_at(self) -> str | None:
        """When the object was last changed beside its status; None where nobody kept it."""
        times = [entry.time for entry in self.managed_fields if entry.time and entry.subresource != "status"]
        return max(times, default=self.creation_timestamp if self.generation == 1 else None)


class Route(View, frozen=True):
    """What HTTPRoute and GRPCRoute share."""

    metadata: RouteMetadata = RouteMetadata()
    spec: RouteSpec = RouteSpec()
    status: RouteStatus = RouteStatus()

    def backends(self) -> Iterator[Backend]:
        """Every backend reference of every rule."""
        for number, rule in enumerate(self.spec.rules):
            for index, backend in enumerate(rule.backend_refs):
                at = Path("spec.rules") / number / "backendRefs" / index
                yield resolve(backend, self.namespace, at, number)

    def rules(self) -> Iterator[tuple[Path, Rule]]:
        """The rules with their paths."""
        for number, rule in enumerate(self.spec.rules):
            yield Path("spec.rules") / number, rule

    def weighted_backends(self) -> Iterator[Backend]:
        """The backends that get requests: weight not 0, in rules that do not redirect."""
        for backend in self.backends():
            if backend.weight != 0 and not self.spec.rules[backend.rule].redirects:
                yield backend

    def mirrors(self) -> Iterator[Backend]:
        """The backends that rules mirror requests to."""
        for number, rule in enumerate(self.spec.rules):
            for index, entry in enumerate(rule.filters):
                if entry.request_mirror is not None:
                    at = Path("spec.rules") / number / "filters" / index / "requestMirror" / "backendRef"
                    yield resolve(entry.request_mirror.backend_ref, self.namespace, at, number)

    def share(self, backend: Backend) -> float:
        """The part of its rule's requests that a backend gets, 0 to 1."""
        total = sum(entry.weight for entry in self.spec.rules[backend.rule].backend_refs)
        return backend.weight / total if total else 0.0

    def gateways(self) -> Iterator[tuple[Path, ParentRef, str]]:
        """The parents that are Gateways: path, reference and the Gateway's namespace."""
        for index, parent in enumerate(self.spec.parent_refs):
            if (parent.group, parent.kind) == (GROUP, "Gateway"):
                yield Path("spec.parentRefs") / index, parent, parent.namespace or self.namespace

    def terms(self) -> Iterator[Term]:
        """Labels, every backend, every parent Gateway."""
        yield from View.terms(self)
        for backend in self.backends():
            yield backend_term(backend.group, backend.kind, backend.namespace, backend.name)
        for _, parent, namespace in self.gateways():
            yield parent_term(namespace, parent.name)
        for _, match in self.matches():
            for host in self.hosts or ("",):
                yield match_term(match, host)

    def matches(self) -> Iterator[tuple[int, RouteMatch]]:
        """The matches of every rule with the rule's number; no matches means the prefix ``/``."""
        for number, rule in enumerate(self.spec.rules):
            for match in rule.matches or (RouteMatch(),):
                yield number, match

    @property
    def hosts(self) -> frozenset[str]:
        """The host names in lower case; empty for any."""
        return frozenset(name.lower() for name in self.spec.hostnames)


def match_term(match: RouteMatch, host: str) -> Term:
    """The index term of the routes that match a path for a host name, empty for any."""
    return f"path:{match.path.type}:{match.path.value}@{host}"


def resolve(backend: BackendRef, namespace: str, at: Path, rule: int) -> Backend:
    """What a backendRef in an object of ``namespace`` means."""
    return Backend(
        backend.group,
        backend.kind,
        backend.namespace or namespace,
        backend.name,
        backend.port,
        backend.weight,
        at,
        rule,
    )


def backend_term(group: str, kind: str, namespace: str, name: str) -> Term:
    """The index term of the routes that name a backend."""
    return f"backend:{kind}.{group}/{namespace}/{name}"


def parent_term(namespace: str, name: str) -> Term:
    """The index term of the routes that name a Gateway as parent."""
    return f"gateway:{namespace}/{name}"


class HTTPRoute(Route, frozen=True):
    """An HTTPRoute."""

    kind: ClassVar[Kind] = Kind(GROUP, "HTTPRoute", "httproutes", ("v1", "v1beta1"))


class GRPCRoute(Route, frozen=True):
    """A GRPCRoute."""

    kind: ClassVar[Kind] = Kind(GROUP, "GRPCRoute", "grpcroutes", ("v1",))


class GrantFrom(Shape, frozen=True):
    """Who may refer."""

    group: str = ""
    kind: str = ""
    namespace: str = ""


class GrantTo(Shape, frozen=True):
    """What may be referred to; no name means every object of the kind."""

    group: str = ""
    kind: str = ""
    name: str = ""


class ReferenceGrantSpec(Shape, frozen=True):
    """The specification of a ReferenceGrant."""

    from_: tuple[GrantFrom, ...] = msgspec.field(name="from", default=())
    to: tuple[GrantTo, ...] = ()


class ReferenceGrant(View, frozen=True):
    """A ReferenceGrant; it lives in the namespace of the target."""

    kind: ClassVar[Kind] = Kind(GROUP, "ReferenceGrant", "referencegrants", ("v1beta1", "v1"))

    spec: ReferenceGrantSpec = ReferenceGrantSpec()

    def allows(self, source: tuple[str, str, str], target: tuple[str, str, str]) -> bool:
        """Whether it lets ``source`` (group, kind, namespace) refer to ``target`` (group, kind, name) here."""
        return any((entry.group, entry.kind, entry.namespace) == source for entry in self.spec.from_) and any(
            (entry.group, entry.kind) == target[:2] and entry.name in ("", target[2]) for entry in self.spec.to
        )


class TargetRef(Shape, frozen=True):
    """What a policy is attached to, in its own namespace; ``section_name`` narrows it to a rule or a listener."""

    group: str = ""
    kind: str = ""
    name: str = ""
    section_name: str = ""


class TargetSelector(Shape, frozen=True):
    """What a policy is attached to, by labels."""

    group: str = GROUP
    kind: str = ""
    match_labels: Labels = {}


class AttachedPolicySpec(Shape, frozen=True):
    """The specification of a policy of an implementation's own (GEP-713)."""

    target_ref: TargetRef | None = None
    target_refs: tuple[TargetRef, ...] = ()
    target_selectors: tuple[TargetSelector, ...] = ()


class AttachedPolicy(View, frozen=True):
    """A policy that is attached to objects of its namespace."""

    spec: AttachedPolicySpec = AttachedPolicySpec()

    def is_for(self, target: View) -> bool:
        """Whether the policy is attached to an object."""
        if target.namespace != self.namespace:
            return False
        kind = (target.kind.group, target.kind.name)
        single = (self.spec.target_ref,) if self.spec.target_ref is not None else ()
        return any(
            (entry.group, entry.kind, entry.name) == (*kind, target.name) for entry in (*single, *self.spec.target_refs)
        ) or any(
            (entry.group, entry.kind) == kind and LabelSelector(match_labels=entry.match_labels).matches(target.labels)
            for entry in self.spec.target_selectors
        )


class AIGatewayRule(Shape, frozen=True):
    """One rule of an AIGatewayRoute."""

    backend_refs: tuple[AIBackendRef, ...] = ()

    @property
    def redirects(self) -> bool:
        """Such a rule cannot redirect."""
        return False


class AIBackendRef(Shape, frozen=True):
    """A backend of an AIGatewayRoute; without group and kind it is an AIServiceBackend."""

    name: str = ""
    namespace: str = ""
    group: str = "aigateway.envoyproxy.io"
    kind: str = "AIServiceBackend"
    weight: int = 1


class AIGatewayRouteSpec(Shape, frozen=True):
    """The specification of an AIGatewayRoute; ``target_refs`` is the former name of its parents."""

    parent_refs: tuple[ParentRef, ...] = ()
    target_refs: tuple[ParentRef, ...] = ()
    rules: tuple[AIGatewayRule, ...] = ()


class AIGatewayRoute(View, frozen=True):
    """An AIGatewayRoute of Envoy AI Gateway; the HTTPRoutes it makes are judged by themselves."""

    kind: ClassVar[Kind] = Kind(
        "aigateway.envoyproxy.io", "AIGatewayRoute", "aigatewayroutes", ("v1alpha1", "v1beta1", "v1")
    )

    spec: AIGatewayRouteSpec = AIGatewayRouteSpec()

    def backends(self) -> Iterator[Backend]:
        """Every backend reference of every rule."""
        for number, rule in enumerate(self.spec.rules):
            for index, backend in enumerate(rule.backend_refs):
                yield Backend(
                    backend.group,
                    backend.kind,
                    backend.namespace or self.namespace,
                    backend.name,
                    None,
                    backend.weight,
                    Path("spec.rules") / number / "backendRefs" / index,
                    number,
                )

    def gateways(self) -> Iterator[tuple[Path, ParentRef, str]]:
        """The parents that are Gateways: path, reference and the Gateway's namespace."""
        for field, parents in (("parentRefs", self.spec.parent_refs), ("targetRefs", self.spec.target_refs)):
            for index, parent in enumerate(parents):
                if (parent.group, parent.kind) == (GROUP, "Gateway"):
                    yield Path("spec") / field / index, parent, parent.namespace or self.namespace

    def terms(self) -> Iterator[Term]:
        """Labels, every backend and every parent Gateway."""
        yield from View.terms(self)
        for backend in self.backends():
            yield backend_term(backend.group, backend.kind, backend.namespace, backend.name)
        for _, parent, namespace in self.gateways():
            yield parent_term(namespace, parent.name)
