"""PickerSpeaksGatewayTls."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.gateways import Implementation
from platform_health.domain.meshes import is_meshed
from platform_health.domain.pickers import pickers_of
from platform_health.domain.pool_gateways import GATEWAY_KINDS, implementations
from platform_health.invariant import ERROR, WARNING, Fix, Inventory, Unknown, Violation, invariant
from platform_health.views.core import Namespace, Pod, Service
from platform_health.views.inference import InferencePool, LegacyInferencePool, Pool
from platform_health.views.istio import DestinationRule

_ALWAYS_TLS = ("agentgateway", "kgateway", "Envoy Gateway")


@invariant(
    severity=ERROR,
    symptom="HTTP 500: the gateway and the endpoint picker do not both speak TLS",
    needs=(Service, Pod, Namespace, DestinationRule, *GATEWAY_KINDS),
)
def picker_speaks_gateway_tls(pool: InferencePool | LegacyInferencePool, inventory: Inventory) -> Iterator[Violation]:
    """The picker of a pool speaks TLS if, and only if, the gateway asks it over TLS.

    Why: a picker serves TLS with a certificate of its own unless `--secure-serving=false`. agentgateway, kgateway and
    Envoy AI Gateway always ask over TLS. Istio asks in plaintext unless a DestinationRule for the picker's Service says
    `tls.mode: SIMPLE`, as the chart does.

    Remedy: for Istio, a DestinationRule with `tls: {mode: SIMPLE, insecureSkipVerify: true}` for the picker's host; for
    the others, remove `--secure-serving=false`.

    See: Istio, task "Kubernetes Gateway API Inference Extension"; kgateway issue 11429.
    """
    pickers = pickers_of(pool, inventory)
    if not pickers or pool.picker is None:
        return
    if not all(picker.is_recognised or picker.flag("secure-serving") for picker in pickers):
        raise Unknown(f"whether {pickers[0].pod.workload} speaks TLS by default is not known")
    secure = {picker.switch("secure-serving", True) for picker in pickers}
    if len(secure) != 1 or any(is_meshed(picker.pod, inventory) for picker in pickers):
        return
    workload = pickers[0].pod.workload
    for entry in implementations(pool, inventory):
        if entry.name in _ALWAYS_TLS and secure == {False}:
            yield Violation(
                at=pool.picker_at / "name",
                about=entry.name,
                because=f"{entry.name} asks pickers over TLS only, but {workload} has --secure-serving=false",
                related=(workload,),
            )
        elif entry.name == "Istio":
            yield from _istio(pool, secure == {True}, entry, inventory)


def _istio(pool: Pool, secure: bool, entry: Implementation, inventory: Inventory) -> Iterator[Violation]:
    assert pool.picker is not None
    name, port = pool.picker.name, pool.picker.port.number if pool.picker.port is not None else 9002
    rules = [rule for rule in inventory.modifying(DestinationRule) if rule.is_about(name, pool.namespace)]
    host = f"{name}.{pool.namespace}.svc.cluster.local"
    tls = [rule for rule in rules if rule.tls_mode(port) in ("SIMPLE", "MUTUAL")]
    if any(not rule.is_exported for rule in rules):
        raise Unknown(f"{rules[0].ref} is not exported to every namespace")
    if any(rule.tls_mode(port) == "ISTIO_MUTUAL" for rule in rules):
        return
    if secure and not tls:
        yield Violation(
            at=pool.picker_at / "name",
            about=entry.name,
            because=f"the picker speaks TLS, but no DestinationRule lets Istio speak TLS to {host}",
            severity=WARNING,
            symptom="HTTP 500: Istio asks in plaintext a picker that speaks TLS",
            verify=f"kubectl get destinationrules -A | grep {name}",
            fix=Fix(title=f"let Istio speak TLS to {host}", safety="unsafe", target=pool.ref, create=_rule(pool, host)),
        )
    elif not secure and tls:
        yield Violation(
            at=pool.picker_at / "name",
            about=entry.name,
            because=f"{tls[0].ref} lets Istio speak TLS to {host}, but the picker has --secure-serving=false",
            related=(tls[0].ref,),
        )


def _rule(pool: Pool, host: str) -> dict[str, object]:
    assert pool.picker is not None
    return {
        "apiVersion": DestinationRule.kind.api_version,
        "kind": DestinationRule.kind.name,
        "metadata": {"name": pool.picker.name, "namespace": pool.namespace},
        "spec": {"host": host, "trafficPolicy": {"tls": {"mode": "SIMPLE", "insecureSkipVerify": True}}},
    }
