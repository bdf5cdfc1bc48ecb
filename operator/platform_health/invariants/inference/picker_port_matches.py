"""PickerPortMatches."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.listening import declared, listening
from platform_health.domain.pickers import Picker, pickers_in, service_of
from platform_health.domain.selection import one_per_template, pods_of_service
from platform_health.domain.servers import model_servers
from platform_health.invariant import ERROR, WARNING, Fix, Inventory, Operation, Unknown, Violation, invariant, pointer
from platform_health.views.core import Pod, Service, ServicePort
from platform_health.views.inference import InferencePool, LegacyInferencePool, Pool
from platform_health.yaml import path_steps


@invariant(
    severity=ERROR,
    symptom="HTTP 500 or 503 for every request to the pool: the gateway asks the endpoint picker on a wrong port",
    needs=(Service, Pod),
    fixes=(InferencePool, LegacyInferencePool),
)
def picker_port_matches(pool: InferencePool | LegacyInferencePool, inventory: Inventory) -> Iterator[Violation]:
    """The port of a pool's picker reference is a TCP port of the picker's Service and leads to its gRPC port.

    Why: `endpointPickerRef.port` is a port of the Service, not of the pod. A number that the Service does not have, or
    one that leads to the picker's health or metrics port, is an endpoint nobody answers on.

    Remedy: name the port of the Service whose target is the picker's `--grpc-port` (9002 by default). Where there is
    exactly one such port, the fix names it.

    See: Gateway API Inference Extension, `EndpointPickerRef.Port`.
    """
    service = service_of(pool, inventory)
    if service is None or service.is_external_name or pool.picker is None:
        return
    number = pool.picker.port.number if pool.picker.port is not None else None
    found = service.port(number) if number is not None else None
    because = None
    if number is None:
        because = f"endpointPickerRef names {service.ref} without a port"
    elif found is None or found.protocol != "TCP":
        ports = ", ".join(f"{entry.port}/{entry.protocol}" for entry in service.spec.ports) or "no port"
        because = f"{service.ref} has no TCP port {number}, it has {ports}"
    elif service.selector is not None:
        because = _why_wrong(service, found, inventory)
    if because is not None:
        yield Violation(
            at=pool.picker_port_at,
            because=because,
            verify=f"kubectl get service -n {pool.namespace} {service.name} -o yaml",
            related=(service.ref,),
            fix=_fix(pool, service, inventory),
        )
    elif found is not None and service.selector is not None:
        yield from _strangers(pool, service, found, inventory)


def _why_wrong(service: Service, port: ServicePort, inventory: Inventory) -> str | None:
    """Why a port does not lead to the picker's gRPC port on any pod; Unknown where a port is not known."""
    pods = pods_of_service(service, inventory)
    reasons = [_why_pod_is_missed(service, port, pod) for pod in pods]
    return reasons[0] if reasons and all(reasons) else None


def _why_pod_is_missed(service: Service, port: ServicePort, pod: Pod) -> str | None:
    target = pod.port_number(port.target)
    if target is None:
        return (
            f"port {port.port} of {service.ref} targets port {port.target!r}, which no container of the picker declares"
        )
    pickers = list(pickers_in(pod))
    if _is_of_another_container(target, pod, pickers):
        return None
    for picker in pickers:
        if target == picker.grpc_port:
            return None
    if not pickers:
        return None
    return f"port {port.port} of {service.ref} leads to {target}, {_meaning(target, pickers[0])}"


def _is_of_another_container(target: int, pod: Pod, pickers: list[Picker]) -> bool:
    """Whether a proxy beside the picker takes the port."""
    own = {picker.at for picker in pickers}
    return any(
        port.container_port == target
        for at, container in pod.spec.long_running()
        if at not in own
        for port in container.ports
    )


def _strangers(pool: Pool, service: Service, port: ServicePort, inventory: Inventory) -> Iterator[Violation]:
    """Model servers among the pods behind the picker's Service get a share of the picker's requests."""
    pods = one_per_template(pods_of_service(service, inventory))
    strangers = [
        pod
        for pod in pods
        if not any(pickers_in(pod))
        and model_servers(pod)
        and pod.port_number(port.target) not in listening(pod) | declared(pod)
    ]
    if strangers and len(strangers) < len(pods):
        yield Violation(
            at=pool.picker_at / "name",
            about="strangers",
            because=f"{service.ref} selects pods of {strangers[0].workload} too, which are no endpoint picker",
            severity=WARNING,
            symptom="HTTP 500 for the share of requests about which a model server is asked",
            related=(service.ref, strangers[0].workload),
        )


def _meaning(target: int, picker: Picker) -> str:
    asked = f"the picker answers gateways on {picker.grpc_port}"
    if target == picker.health_port:
        return f"the picker's health port; {asked}"
    if target == picker.metrics_port:
        return f"the picker's metrics port; {asked}"
    return f"but {asked}"


def _fix(pool: Pool, service: Service, inventory: Inventory) -> Fix | None:
    """The one port of the Service that leads to the gRPC port of every picker behind it."""
    try:
        pods = pods_of_service(service, inventory)
        candidates = [port.port for port in service.spec.ports if pods and _leads(port, pods)]
    except Unknown:
        return None
    if len(candidates) != 1:
        return None
    return Fix(
        title=f"name port {candidates[0]} of {service.ref}",
        safety="safe",
        target=pool.ref,
        patch=(_naming(pool, candidates[0]),),
    )


def _naming(pool: Pool, number: int) -> Operation:
    if pool.names_picker_port:
        return Operation("replace", pointer(*path_steps(pool.picker_port_at)), number)
    if isinstance(pool, LegacyInferencePool):
        return Operation("add", pointer("spec", "extensionRef", "portNumber"), number)
    return Operation("add", pointer("spec", "endpointPickerRef", "port"), {"number": number})


def _leads(port: ServicePort, pods: list[Pod]) -> bool:
    return port.protocol == "TCP" and all(
        any(pod.port_number(port.target) == picker.grpc_port for picker in pickers_in(pod)) for pod in pods
    )
