"""Certificates of listeners: whether their Secrets exist, and whether another namespace permits them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from platform_health.domain.grants import Crossing
from platform_health.views.core import Secret
from platform_health.views.gateway import GROUP, CertificateRef, Gateway
from platform_health.views.view import Path

_ISSUERS = ("cert-manager.io/issuer", "cert-manager.io/cluster-issuer")


class Certificate(NamedTuple):
    """One certificateRef of a listener."""

    at: Path
    listener: str
    reference: CertificateRef
    namespace: str

    @property
    def is_secret(self) -> bool:
        """Whether it is a Secret; other kinds are an implementation's own."""
        return (self.reference.group, self.reference.kind) == ("", Secret.kind.name)

    def crossing(self, gateway: Gateway) -> Crossing:
        """The reference from the Gateway's namespace to the Secret's."""
        source = (GROUP, Gateway.kind.name, gateway.namespace)
        return Crossing(source, ("", Secret.kind.name, self.reference.name), self.namespace)


def certificates(gateway: Gateway) -> Iterator[Certificate]:
    """The certificates of the listeners that end TLS."""
    for index, listener in enumerate(gateway.spec.listeners):
        if listener.tls is None or listener.tls.mode == "Passthrough":
            continue
        for number, reference in enumerate(listener.tls.certificate_refs):
            at = Path("spec.listeners") / index / "tls" / "certificateRefs" / number
            yield Certificate(at, listener.name, reference, reference.namespace or gateway.namespace)


def is_issued(gateway: Gateway) -> bool:
    """Whether cert-manager makes the Gateway's certificates, so that their Secrets are in no file."""
    return any(key in gateway.annotations for key in _ISSUERS)
