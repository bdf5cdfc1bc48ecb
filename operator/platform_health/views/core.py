"""The core group: Pod, Service, Node, Namespace, ConfigMap, Secret, ServiceAccount."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec

from platform_health.views.view import (
    Condition,
    IntOrString,
    Kind,
    Labels,
    LabelSelector,
    Metadata,
    Path,
    Quantity,
    Ref,
    Requirement,
    Shape,
    Term,
    View,
    condition,
    quantity,
)


class ContainerPort(Shape, frozen=True):
    """One declared port of a container."""

    container_port: int = 0
    name: str = ""
    protocol: str = "TCP"


class KeySelector(Shape, frozen=True):
    """A key of a ConfigMap or Secret, or the name of one (envFrom)."""

    name: str = ""
    key: str = ""
    optional: bool = False


class FieldSelector(Shape, frozen=True):
    """A field of the pod itself, as in the downward API."""

    field_path: str = ""


class EnvSource(Shape, frozen=True):
    """Where the value of an environment variable comes from."""

    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None
    field_ref: FieldSelector | None = None


class EnvVar(Shape, frozen=True):
    """One environment variable; ``value`` counts only where ``value_from`` is None."""

    name: str = ""
    value: str = ""
    value_from: EnvSource | None = None


class EnvFrom(Shape, frozen=True):
    """All keys of a ConfigMap or Secret as variables."""

    prefix: str = ""
    config_map_ref: KeySelector | None = None
    secret_ref: KeySelector | None = None


class Header(Shape, frozen=True):
    """One HTTP header of a probe. Values are dropped: they may be credentials."""

    name: str = ""


class HttpGet(Shape, frozen=True):
    """An HTTP probe."""

    port: IntOrString = 0
    path: str = "/"
    scheme: str = "HTTP"
    http_headers: tuple[Header, ...] = ()


class TcpSocket(Shape, frozen=True):
    """A TCP probe."""

    port: IntOrString = 0


class GrpcProbe(Shape, frozen=True):
    """A gRPC health probe."""

    port: int = 0
    service: str = ""


class Probe(Shape, frozen=True):
    """A liveness, readiness or start-up probe; seconds."""

    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None
    grpc: GrpcProbe | None = None
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    failure_threshold: int = 3

    @property
    def port(self) -> IntOrString | None:
        """The port the probe asks, None for exec probes."""
        handler = self.http_get or self.tcp_socket or self.grpc
        return handler.port if handler else None


class Resources(Shape, frozen=True):
    """Requests and limits by resource name."""

    limits: dict[str, Quantity] = {}
    requests: dict[str, Quantity] = {}


class VolumeMount(Shape, frozen=True):
    """Where a volume is mounted in a container."""

    name: str = ""
    mount_path: str = ""
    sub_path: str = ""
    sub_path_expr: str = ""


class Container(Shape, frozen=True):
    """A container or init container."""

    name: str = ""
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFrom, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    resources: Resources = Resources()
    volume_mounts: tuple[VolumeMount, ...] = ()
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    restart_policy: str = ""
    termination_message_policy: str = ""
    working_dir: str = ""

    def probes(self) -> Iterator[tuple[str, Probe]]:
        """The probes with the name of their field."""
        for field, probe in (
            ("livenessProbe", self.liveness_probe),
            ("readinessProbe", self.readiness_probe),
            ("startupProbe", self.startup_probe),
        ):
            if probe is not None:
                yield field, probe

    @property
    def words(self) -> tuple[str, ...]:
        """The image and the whole command line, as they are written."""
        return (self.image, *self.command, *self.args)

    def variable(self, name: str) -> EnvVar | None:
        """The environment variable of this name (the last definition wins), None where ``env`` has none."""
        return next((entry for entry in reversed(self.env) if entry.name == name), None)

    def port_number(self, port: IntOrString) -> int | None:
        """The number of a port given by number or by the name of a declared port."""
        if isinstance(port, int):
            return port
        return next((entry.container_port for entry in self.ports if entry.name == port), None)


class NodeSelectorTerm(Shape, frozen=True):
    """Requirements on a node's labels and fields; all must hold."""

    match_expressions: tuple[Requirement, ...] = ()
    match_fields: tuple[Requirement, ...] = ()


class NodeSelector(Shape, frozen=True):
    """Alternatives, of which one must match."""

    node_selector_terms: tuple[NodeSelectorTerm, ...] = ()


class NodeAffinity(Shape, frozen=True):
    """The required part of node affinity."""

    required: NodeSelector | None = msgspec.field(name="requiredDuringSchedulingIgnoredDuringExecution", default=None)


class Affinity(Shape, frozen=True):
    """Pod affinity as far as it decides which nodes could take a pod."""

    node_affinity: NodeAffinity | None = None


class Toleration(Shape, frozen=True):
    """One toleration."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""

    def tolerates(self, taint: Taint) -> bool:
        """Whether this toleration covers ``taint`` (k8s.io/api core/v1 ``ToleratesTaint``)."""
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        return self.operator == "Exists" or (bool(self.key) and self.value == taint.value)


class KeyToPath(Shape, frozen=True):
    """One projected key."""

    key: str = ""
    path: str = ""


class ConfigMapVolume(Shape, frozen=True):
    """A volume made of a ConfigMap; ``items`` empty means every key."""

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    optional: bool = False


class SecretVolume(Shape, frozen=True):
    """A volume made of a Secret."""

    secret_name: str = ""
    optional: bool = False


class ProjectedSource(Shape, frozen=True):
    """One source of a projected volume."""

    config_map: ConfigMapVolume | None = None


class ProjectedVolume(Shape, frozen=True):
    """A volume made of several sources."""

    sources: tuple[ProjectedSource, ...] = ()


class ClaimVolume(Shape, frozen=True):
    """A volume made of a PersistentVolumeClaim."""

    claim_name: str = ""


class Volume(Shape, frozen=True):
    """One volume of a pod; a source we do not read leaves every field None."""

    name: str = ""
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    projected: ProjectedVolume | None = None
    persistent_volume_claim: ClaimVolume | None = None
    host_path: dict[str, Any] | None = None
    empty_dir: dict[str, Any] | None = None
    image: dict[str, Any] | None = None
    csi: dict[str, Any] | None = None
    ephemeral: dict[str, Any] | None = None
    nfs: dict[str, Any] | None = None


class SchedulingGate(Shape, frozen=True):
    """A gate that holds a pod back from the scheduler."""

    name: str = ""


class PodSpec(Shape, frozen=True):
    """The specification of a pod or of a pod template."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    node_name: str = ""
    node_selector: Labels = {}
    affinity: Affinity | None = None
    tolerations: tuple[Toleration, ...] = ()
    volumes: tuple[Volume, ...] = ()
    service_account_name: str = ""
    host_network: bool = False
    enable_service_links: bool = True
    scheduling_gates: tuple[SchedulingGate, ...] = ()
    scheduler_name: str = ""
    resource_claims: tuple[dict[str, Any], ...] = ()
    restart_policy: str = "Always"

    def long_running(self) -> Iterator[tuple[Path, Container]]:
        """Containers that run as long as the pod, native sidecars included, with their paths in the spec."""
        for index, container in enumerate(self.containers):
            yield SPEC_CONTAINERS / index, container
        for index, container in enumerate(self.init_containers):
            if container.restart_policy == "Always":
                yield SPEC_INIT_CONTAINERS / index, container

    def all_containers(self) -> Iterator[tuple[Path, Container]]:
        """Every container, init containers after the others, with their paths in the pod."""
        for index, container in enumerate(self.containers):
            yield SPEC_CONTAINERS / index, container
        for index, container in enumerate(self.init_containers):
            yield SPEC_INIT_CONTAINERS / index, container


SPEC_CONTAINERS = Path("spec.containers")
SPEC_INIT_CONTAINERS = Path("spec.initContainers")


class Waiting(Shape, frozen=True):
    """Why a container waits."""

    reason: str = ""
    message: str = ""


class Terminated(Shape, frozen=True):
    """How a container ended."""

    exit_code: int = 0
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None


class Running(Shape, frozen=True):
    """Since when a container runs."""

    started_at: str | None = None


class ContainerState(Shape, frozen=True):
    """The state of a container."""

    waiting: Waiting | None = None
    terminated: Terminated | None = None
    running: Running | None = None


class ContainerStatus(Shape, frozen=True):
    """The status of one container."""

    name: str = ""
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()
    image_id: str = msgspec.field(name="imageID", default="")


class PodStatus(Shape, frozen=True):
    """The status of a pod; empty for a pod that stands for a template."""

    phase: str = ""
    pod_ip: str = msgspec.field(name="podIP", default="")
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    start_time: str | None = None


class Template(Shape, frozen=True):
    """A pod template inside a workload."""

    metadata: Metadata = Metadata()
    spec: PodSpec = PodSpec()


class Pod(View, frozen=True):
    """A pod, or one that stands for a workload's template (``origin`` set)."""

    kind: ClassVar[Kind] = Kind("", "Pod", "pods", via="stream")

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()
    origin: Ref | None = None
    origin_path: str = ""

    @property
    def is_template(self) -> bool:
        """Whether this pod stands for a workload's template: all that its spec says is so, its state is unknown."""
        return self.origin is not None

    @property
    def template_path(self) -> Path:
        """Where the pod's own paths start in the workload that a finding names."""
        return Path(self.origin_path) if self.origin is not None else Path("spec.template")

    @property
    def workload(self) -> Ref:
        """The built-in, LeaderWorkerSet or Rollout workload at the root of the owner chain; else the pod itself.

        Computed from names and labels alone, so that ReplicaSets need not be read: a Deployment's name is its
        ReplicaSet's without the pod's ``pod-template-hash``.
        """
        if self.origin is not None:
            return self.origin
        owner = self.metadata.controller
        if owner is None:
            return self.ref
        if owner.kind == "ReplicaSet":
            for label, group, name in (
                ("pod-template-hash", "apps", "Deployment"),
                ("rollouts-pod-template-hash", "argoproj.io", "Rollout"),
            ):
                suffix = "-" + self.labels.get(label, "")
                if len(suffix) > 1 and owner.name.endswith(suffix):
                    return Ref(Kind.registry[group, name], self.namespace, owner.name.removesuffix(suffix))
        group_name = self.labels.get("leaderworkerset.sigs.k8s.io/name")
        if group_name and owner.group in ("apps", "leaderworkerset.x-k8s.io"):
            return Ref(Kind.registry["leaderworkerset.x-k8s.io", "LeaderWorkerSet"], self.namespace, group_name)
        kind = Kind.registry.get((owner.group, owner.kind))
        return Ref(kind, self.namespace, owner.name) if kind and owner.group in _BUILT_IN else self.ref

    @property
    def is_over(self) -> bool:
        """Whether the pod has ended for good, or is on its way out."""
        return self.status.phase in ("Succeeded", "Failed") or self.is_going

    @property
    def is_stateless(self) -> bool:
        """Whether nothing is known of the pod's state: a template, or a Pod in files without a status."""
        return self.is_template or not self.status.phase

    @property
    def is_ready(self) -> bool:
        """Whether the pod is Ready. A pod without status counts as one that is, in all that its spec says."""
        ready = condition(self.status.conditions, "Ready")
        return self.is_stateless or (ready is not None and ready.status == "True")

    @property
    def is_unschedulable(self) -> bool:
        """Whether the scheduler says that it finds no node for the pod."""
        scheduled = condition(self.status.conditions, "PodScheduled")
        return scheduled is not None and scheduled.status == "False"

    def ports(self) -> Iterator[ContainerPort]:
        """Declared ports of long-running containers."""
        for _, container in self.spec.long_running():
            yield from container.ports

    def port_number(self, port: IntOrString, protocol: str = "TCP") -> int | None:
        """The number behind a port that is given by number or by name; None where no container declares the name."""
        if isinstance(port, int):
            return port
        return next(
            (entry.container_port for entry in self.ports() if (entry.name, entry.protocol) == (port, protocol)), None
        )

    def requests(self, resource: str) -> float:
        """How much of an extended resource the pod asks for: the sum of its containers, at least each init's."""
        running = [_requested(container, resource) for _, container in self.spec.long_running()]
        starting = [_requested(container, resource) for container in self.spec.init_containers]
        return max([sum(running), *starting])

    def resources(self) -> set[str]:
        """The names of all resources that some container asks for."""
        return {
            name
            for _, container in self.spec.all_containers()
            for name in (*container.resources.limits, *container.resources.requests)
        }

    def terms(self) -> Iterator[Term]:
        """Labels, the node, and what the pod is known to run."""
        yield from View.terms(self)
        if self.spec.node_name:
            yield node_term(self.spec.node_name)
        for mark, term in _ROLES:
            if any(mark.search(container.image) for _, container in self.spec.long_running()):
                yield term
                yield term_on(term, self.spec.node_name)
        if any(_GPU.match(name) for name in self.resources()):
            yield GPU_USER
        if any(_INFERENCE.search(word) for _, container in self.spec.long_running() for word in container.words):
            yield INFERENCE
        yield workload_term(self.workload)


GPU_EXPORTER = "runs:dcgm-exporter"
OTHER_GPU_EXPORTER = "runs:other-gpu-exporter"
MONITOR_READER = "runs:monitor-reader"
"""Whatever takes ServiceMonitors and PodMonitors beside the Prometheus operator."""
PROMETHEUS_OPERATOR = "runs:prometheus-operator"
NODE_AUTOSCALER = "runs:node-autoscaler"
GRAFANA = "runs:grafana"
"""Grafana, or the sidecar that hands it dashboards and datasources."""
HOLDS_DATASOURCES = "holds:datasources"
HOLDS_DEX = "holds:dex"
HOLDS_RULES = "holds:rules"
HOLDS_CALLER = "holds:caller"
"""A configuration of a router, which may say how long it waits for its upstreams."""
_ROLES = (
    (re.compile(r"dcgm-exporter"), GPU_EXPORTER),
    (
        re.compile(r"nvidia[_-](gpu|smi)[_-]exporter|gpu-exporter|gpu-prometheus-exporter|datadog/agent|dynatrace"),
        OTHER_GPU_EXPORTER,
    ),
    (
        re.compile(
            r"/alloy|target-?allocator|grafana/agent|victoriametrics/operator|datadog/agent|newrelic-prometheus"
        ),
        MONITOR_READER,
    ),
    (re.compile(r"/prometheus-operator(:|@|$)"), PROMETHEUS_OPERATOR),
    (re.compile(r"/(cluster-autoscaler|karpenter/controller)"), NODE_AUTOSCALER),
    (re.compile(r"k8s-sidecar|/grafana(:|@|$)"), GRAFANA),
)
INFERENCE = "runs:inference"
"""Whatever may be a model server, a router to some or an endpoint picker: more than really are."""
_INFERENCE = re.compile(
    r"vllm|sglang|llm-d|text-generation|inference|triton|lmstack|/epp\b|endpoint-picker|"
    r"--?(model|pool-name|poolName|endpoint-selector|service-discovery)\b"
)
GPU_USER = "uses:gpu"
_GPU = re.compile(r"(nvidia\.com/(gpu|mig-)|amd\.com/|gpu\.intel\.com/|habana\.ai/gaudi|google\.com/tpu)")
_BUILT_IN = ("", "apps", "batch")


GPU_METRIC = "DCGM_FI_"
"""How the names of the DCGM exporter's metrics start; the index term of whatever asks for one."""


def node_term(node: str) -> Term:
    """The index term of the pods on a node."""
    return f"node:{node}"


def name_term(name: str) -> Term:
    """The index term of the ConfigMaps of a name, wherever they are."""
    return f"named:{name}"


def term_on(term: Term, node: str) -> Term:
    """The index term of the pods of a role on a node; of those without a node for the empty name."""
    return f"{term} on:{node}"


def workload_term(workload: Ref) -> Term:
    """The index term of a workload's pods."""
    return f"workload:{workload.kind.resource}/{workload.name}"


def _requested(container: Container, resource: str) -> float:
    value = container.resources.limits.get(resource, container.resources.requests.get(resource, 0))
    return quantity(value)


class ServicePort(Shape, frozen=True):
    """One port of a Service; without ``target_port`` the number itself is targeted."""

    port: int = 0
    name: str = ""
    target_port: IntOrString | None = None
    protocol: str = "TCP"
    app_protocol: str = ""

    @property
    def target(self) -> IntOrString:
        """The port on the pods, by number or name."""
        return self.port if self.target_port is None or self.target_port == "" else self.target_port


class ServiceSpec(Shape, frozen=True):
    """The specification of a Service."""

    type: str = "ClusterIP"
    cluster_ip: str = msgspec.field(name="clusterIP", default="")
    external_name: str = ""
    selector: Labels = {}
    ports: tuple[ServicePort, ...] = ()


BREAKS_VLLM = "named:vllm"
"""A Service whose variables would be taken for vLLM's own."""


class Service(View, frozen=True):
    """A Service."""

    kind: ClassVar[Kind] = Kind("", "Service", "services", via="stream")

    spec: ServiceSpec = ServiceSpec()

    @property
    def is_external_name(self) -> bool:
        """Whether it is only a DNS alias."""
        return self.spec.type == "ExternalName"

    @property
    def is_headless(self) -> bool:
        """Whether DNS answers with the pods themselves."""
        return self.spec.cluster_ip == "None"

    @property
    def selector(self) -> LabelSelector | None:
        """The selector of its pods; None for a Service without one."""
        return LabelSelector(match_labels=self.spec.selector) if self.spec.selector else None

    @property
    def is_shadow(self) -> bool:
        """Whether Istio made it for an InferencePool; such Services are nobody's business."""
        return "istio.io/inferencepool-name" in self.labels

    def terms(self) -> Iterator[Term]:
        """Labels, what it selects by, and the name where the kubelet's variables for it break a server."""
        yield from View.terms(self)
        if self.spec.selector:
            yield selecting_term(*min(self.spec.selector.items()))
        if self.name == "vllm":
            yield BREAKS_VLLM

    def port(self, number: int) -> ServicePort | None:
        """The port with this number, None where there is none."""
        return next((entry for entry in self.spec.ports if entry.port == number), None)

    def ports(self) -> Iterator[tuple[Path, ServicePort]]:
        """The ports with their paths."""
        for index, entry in enumerate(self.spec.ports):
            yield Path("spec.ports") / index, entry


def selecting_term(key: str, value: str) -> Term:
    """The index term of the Services whose selector asks for this label, as the first of its labels by name."""
    return f"selects:{key}={value}"


class Taint(Shape, frozen=True):
    """A taint of a node."""

    key: str = ""
    value: str = ""
    effect: str = ""

    def __str__(self) -> str:
        return f"{self.key}{'=' + self.value if self.value else ''}:{self.effect}"


class NodeSpec(Shape, frozen=True):
    """The specification of a node."""

    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False


class NodeStatus(Shape, frozen=True):
    """The status of a node, without heartbeats."""

    allocatable: dict[str, Quantity] = {}
    capacity: dict[str, Quantity] = {}
    conditions: tuple[Condition, ...] = ()


class Node(View, frozen=True):
    """A node."""

    kind: ClassVar[Kind] = Kind("", "Node", "nodes", namespaced=False, via="stream")

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    @property
    def is_ready(self) -> bool:
        """Whether the node's Ready condition is True."""
        ready = condition(self.status.conditions, "Ready")
        return ready is not None and ready.status == "True"

    def allocatable(self, resource: str) -> float:
        """How much of a resource pods may use on the node."""
        return quantity(self.status.allocatable.get(resource, 0))


class Namespace(View, frozen=True):
    """A namespace."""

    kind: ClassVar[Kind] = Kind("", "Namespace", "namespaces", namespaced=False, via="stream")


class DataFields(msgspec.Struct, frozen=True, gc=False):
    """``fieldsV1`` of a managedFields entry as far as it owns data."""

    data: dict[str, Any] | None = msgspec.field(name="f:data", default=None)


class DataManager(Shape, frozen=True):
    """One entry of a ConfigMap's managedFields, with the time of its last write."""

    time: str | None = None
    owned: DataFields | None = msgspec.field(name="fieldsV1", default=None)


class DataMetadata(Metadata, frozen=True):
    """Metadata of an object whose data may be newer than what runs on it."""

    managed_fields: tuple[DataManager, ...] = ()


class ConfigMap(View, frozen=True):
    """A ConfigMap."""

    kind: ClassVar[Kind] = Kind("", "ConfigMap", "configmaps", via="stream")

    metadata: DataMetadata = DataMetadata()

    data: dict[str, str] = {}
    immutable: bool = False

    def written(self, keys: frozenset[str] | None) -> Iterator[str]:
        """When some of these keys (None: any) were last written, per field manager; a label edit counts as well."""
        for entry in self.metadata.managed_fields:
            owned = entry.owned.data if entry.owned is not None else None
            if owned is not None and entry.time and (keys is None or any(f"f:{key}" in owned for key in keys)):
                yield entry.time

    def terms(self) -> Iterator[Term]:
        """Labels, the name, and what it holds: configurations and rules that others look for, GPU queries, reports."""
        yield from View.terms(self)
        yield name_term(self.name)
        if self.name == "cluster-autoscaler-status":
            yield NODE_AUTOSCALER
        if any(key.endswith(".json") and GPU_METRIC in value for key, value in self.data.items()):
            yield GPU_METRIC
        if any("datasources:" in value for value in self.data.values()):
            yield HOLDS_DATASOURCES
        if any("issuer:" in value and "storage:" in value for value in self.data.values()):
            yield HOLDS_DEX
        if any("groups:" in value and "record:" in value for value in self.data.values()):
            yield HOLDS_RULES
        if any("model_list" in value or "timeout_seconds" in value for value in self.data.values()):
            yield HOLDS_CALLER


class Secret(View, frozen=True):
    """A Secret: name, type and key names. Values are dropped before decoding; never requested from an API server."""

    kind: ClassVar[Kind] = Kind("", "Secret", "secrets", via="never")

    type: str = "Opaque"
    data: dict[str, str] = {}
    string_data: dict[str, str] = {}

    @property
    def keys(self) -> set[str]:
        """The key names; a service account token Secret gets three from the control plane."""
        made = {"token", "ca.crt", "namespace"} if self.type == "kubernetes.io/service-account-token" else set()
        return {*self.data, *self.string_data, *made}


class ServiceAccount(View, frozen=True):
    """A service account."""

    kind: ClassVar[Kind] = Kind("", "ServiceAccount", "serviceaccounts", via="stream")
