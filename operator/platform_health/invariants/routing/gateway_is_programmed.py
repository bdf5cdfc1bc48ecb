"""GatewayIsProgrammed."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.certificates import Certificate, certificates, is_issued
from platform_health.domain.gateways import class_of
from platform_health.domain.grants import is_granted, narrow_grant
from platform_health.domain.routing import is_current
from platform_health.invariant import ERROR, INFO, WARNING, Fix, Inventory, Severity, Violation, invariant, nearest
from platform_health.views.core import Secret
from platform_health.views.gateway import Gateway, GatewayClass, ListenerStatus, ReferenceGrant
from platform_health.views.view import Condition, Path, condition

_BAD = {"Accepted": "False", "ResolvedRefs": "False", "Conflicted": "True", "OverlappingTLSConfig": "True"}


@invariant(severity=ERROR, symptom="connection refused", needs=(GatewayClass, ReferenceGrant, Secret))
def gateway_is_programmed(gateway: Gateway, inventory: Inventory) -> Iterator[Violation]:
    """A Gateway has an accepted class, is accepted and programmed, and its listeners work.

    Why: a Gateway whose class does not exist belongs to nobody; one that is not programmed has no data plane or no
    address; a listener that conflicts with another, or whose certificate does not exist, does not listen.

    Remedy: correct `gatewayClassName` or the listener that is named. Where only the address is missing, the cluster has
    no load balancers; requests through a port-forward or a NodePort still arrive.

    See: Gateway API, `GatewayConditionType`, `ListenerConditionType`.
    """
    with inventory.part():
        yield from _class(gateway, inventory)
    broken = [violation for status in gateway.status.listeners for violation in _listener(gateway, status)]
    yield from broken
    yield from _conditions(gateway, any(violation.severity is ERROR for violation in broken))
    if inventory.is_known(Secret):
        for certificate in certificates(gateway):
            with inventory.part():
                yield from _certificate(gateway, certificate, inventory)


def _class(gateway: Gateway, inventory: Inventory) -> Iterator[Violation]:
    name, at = gateway.spec.gateway_class_name, Path("spec.gatewayClassName")
    found = class_of(gateway, inventory)
    if found is None:
        meant = nearest(name, (entry.name for entry in inventory.near(GatewayClass)))
        yield Violation(
            at=at,
            about="class",
            because=f"GatewayClass {name} does not exist, so nobody serves this Gateway",
            nearest=meant,
            verify="kubectl get gatewayclasses",
        )
        return
    said = condition(found.status.conditions, "Accepted")
    if said is not None and said.status == "False" and is_current(said, found.metadata.generation):
        because = f"GatewayClass {name} is not accepted{_words(said)}"
        yield Violation(at=at, about="class", because=because, related=(found.ref,))


def _conditions(gateway: Gateway, listeners_fail: bool) -> Iterator[Violation]:
    """What the Gateway's conditions say beyond what its listeners, and one another, say already."""
    explained = listeners_fail
    for name, restated in (("Accepted", "ListenersNotValid"), ("Programmed", "Invalid")):
        said = condition(gateway.status.conditions, name)
        if said is None or said.status != "False" or not is_current(said, gateway.metadata.generation):
            continue
        if not (explained and said.reason == restated):
            yield Violation(
                at=Path("status.conditions") / gateway.status.conditions.index(said),
                about=name,
                because=f"{name} is False{_words(said)}",
                severity=_severity(gateway, said),
                verify=f"kubectl get gateways -n {gateway.namespace} {gateway.name} -o yaml",
            )
        explained = True


def _severity(gateway: Gateway, said: Condition) -> Severity:
    """A missing address is no outage: without load balancers it stays missing, with a ClusterIP it is meant."""
    if said.reason != "AddressNotAssigned":
        return ERROR
    marks = {**gateway.annotations, **gateway.spec.infrastructure.annotations}
    kept_inside = marks.get("networking.istio.io/service-type") in ("ClusterIP", "NodePort")
    return INFO if kept_inside else WARNING


def _listener(gateway: Gateway, status: ListenerStatus) -> Iterator[Violation]:
    number = gateway.status.listeners.index(status)
    for index, said in enumerate(status.conditions):
        if said.status == _BAD.get(said.type) and is_current(said, gateway.metadata.generation):
            yield Violation(
                at=Path("status.listeners") / number / "conditions" / index,
                about=f"listener {status.name} {said.type}",
                because=f"listener {status.name}: {said.type} is {said.status}{_words(said)}",
                severity=WARNING if said.type == "OverlappingTLSConfig" else ERROR,
                symptom="the wrong certificate or HTTP 421" if said.type == "OverlappingTLSConfig" else None,
            )


def _certificate(gateway: Gateway, certificate: Certificate, inventory: Inventory) -> Iterator[Violation]:
    if not certificate.is_secret or is_issued(gateway) or _resolves(gateway, certificate):
        return
    secret = inventory.named(Secret, certificate.namespace, certificate.reference.name)
    place = f"{certificate.namespace}/{certificate.reference.name}"
    about = f"listener {certificate.listener} certificate {place}"
    if secret is None:
        names = (entry.name for entry in inventory.near(Secret, certificate.namespace))
        yield Violation(
            at=certificate.at / "name",
            about=about,
            because=f"Secret {place} does not exist",
            nearest=nearest(certificate.reference.name, names),
            symptom="TLS handshake fails",
        )
    elif certificate.namespace != gateway.namespace and not is_granted(certificate.crossing(gateway), inventory):
        crossing = certificate.crossing(gateway)
        because = f"no ReferenceGrant in namespace {certificate.namespace} permits Gateways of {gateway.namespace} to"
        fix = Fix(
            title=f"permit {gateway.ref} to refer to Secret {place}", safety="manual", create=narrow_grant(crossing)
        )
        yield Violation(
            at=certificate.at / "namespace",
            about=about,
            because=f"{because} refer to Secret {place}",
            fix=fix,
            symptom="TLS handshake fails",
        )


def _resolves(gateway: Gateway, certificate: Certificate) -> bool:
    status = next((entry for entry in gateway.status.listeners if entry.name == certificate.listener), None)
    said = condition(status.conditions, "ResolvedRefs") if status is not None else None
    return said is not None and said.status == "True" and is_current(said, gateway.metadata.generation)


def _words(said: Condition) -> str:
    reason = f" ({said.reason})" if said.reason else ""
    return f"{reason}: {said.message}" if said.message else reason
