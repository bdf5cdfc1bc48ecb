"""PickerProbesFit."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.picker_configs import STATEFUL, config_of
from platform_health.domain.pickers import Picker, pickers_in
from platform_health.invariant import ERROR, WARNING, Inventory, Violation, invariant
from platform_health.views.apps import Deployment, StatefulSet
from platform_health.views.core import ConfigMap
from platform_health.views.view import SPEC

_EXT_PROC = "envoy.service.ext_proc.v3.ExternalProcessor"
_WITH_ELECTION = ("", "liveness", "readiness", _EXT_PROC)
_ONLY_LEADER = ("", "readiness", _EXT_PROC)


@invariant(
    severity=ERROR,
    symptom="the endpoint picker is restarted or never Ready: HTTP 500 or 503 while it is",
    needs=(ConfigMap,),
)
def picker_probes_fit(workload: Deployment | StatefulSet, inventory: Inventory) -> Iterator[Violation]:
    """The gRPC probes of a picker ask its health port, for a service that fits leader election.

    Why: with leader election the picker knows the health services `liveness` and `readiness` and refuses others, such
    as `inference-extension`; only the leader is ready, so a liveness probe that asks for readiness restarts every
    follower. Several replicas without leader election each know only what they decided themselves.

    Remedy: probe service `liveness` and `readiness` on port 9003, strategy `Recreate` and `--ha-enable-leader-election`
    for several replicas, as the chart does.

    See: llm-d-router, `cmd/epp/runner/health.go`; Gateway API Inference Extension issues 786 and 1619.
    """
    for pod in workload.pods():
        for picker in pickers_in(pod):
            with inventory.part():
                yield from _probes(workload, picker)
            with inventory.part():
                yield from _replicas(workload, picker, inventory)


def _probes(workload: Deployment | StatefulSet, picker: Picker) -> Iterator[Violation]:
    elects = picker.elects_leader
    for field, probe in picker.container.probes():
        if probe.grpc is None:
            continue
        at = picker.pod.template_path.join(picker.at / field / "grpc")
        if not _is_health_port(picker, probe.grpc.port):
            because = f"{field} asks port {probe.grpc.port}, the picker answers health checks on {picker.health_port}"
            yield Violation(at=at / "port", about=f"{field} port", because=because)
        service = probe.grpc.service
        if elects and service not in _WITH_ELECTION:
            because = f"{field} asks for service {service}, which is unknown with leader election; it has liveness and "
            yield Violation(at=at / "service", about=f"{field} service", because=because + "readiness")
        elif elects and field == "livenessProbe" and workload.replicas > 1 and service in _ONLY_LEADER:
            asked = service or "the overall health"
            because = f"livenessProbe asks for {asked}, which only the leader has: followers are restarted"
            yield Violation(at=at / "service", about=f"{field} service", because=because)


def _is_health_port(picker: Picker, port: int) -> bool:
    return port == picker.health_port or (picker.switch("health-checking", False) and port == picker.grpc_port)


def _replicas(workload: Deployment | StatefulSet, picker: Picker, inventory: Inventory) -> Iterator[Violation]:
    if not isinstance(workload, Deployment):
        return
    elects = picker.elects_leader
    if workload.replicas > 1 and not elects and _remembers(picker, inventory):
        yield Violation(
            at=SPEC / "replicas",
            about="replicas",
            because=f"{workload.replicas} pickers decide without leader election, each by a memory of its own",
            severity=WARNING,
            symptom="uneven load and fewer prefix cache hits",
        )
    if elects and workload.spec.strategy.type != "Recreate" and workload.max_unavailable == 0:
        yield Violation(
            at=SPEC / "strategy",
            about="strategy",
            because="a rolling update waits for new pods to be Ready, which only the leader is; Recreate does not wait",
            severity=WARNING,
            symptom="rollouts of the picker get stuck",
        )


def _remembers(picker: Picker, inventory: Inventory) -> bool:
    """Whether the picker scores by what it decided before; the built-in configuration does, by prefixes."""
    config = config_of(picker, inventory)
    return config is None or bool(config.of_type(*STATEFUL))
