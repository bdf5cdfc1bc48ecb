"""PickerMayReadItsPool."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from platform_health.domain.picker_configs import runs_without_kubernetes
from platform_health.domain.picker_rights import EXTRA_KINDS, Need, denied, needs
from platform_health.domain.pickers import Picker, pickers_of, service_of
from platform_health.domain.rbac import RBAC_KINDS, Account, Permission, is_allowed
from platform_health.invariant import ERROR, WARNING, Fix, Inventory, Violation, invariant
from platform_health.views.core import ConfigMap, Namespace, Pod, Service, ServiceAccount
from platform_health.views.inference import InferencePool, LegacyInferencePool, Pool
from platform_health.views.monitoring import ServiceMonitor
from platform_health.views.rbac import ClusterRoleBinding

_REVIEWS = (
    Permission("create", "authentication.k8s.io", "tokenreviews"),
    Permission("create", "authorization.k8s.io", "subjectaccessreviews"),
)

_LATER = "nothing yet: the picker lives on what it read before; it ends in a crash loop when it starts again"


@invariant(
    severity=ERROR,
    symptom='the endpoint picker logs "forbidden" and never becomes Ready: HTTP 500 or 503 for every request',
    needs=(Service, Pod, ConfigMap, Namespace, ServiceAccount, ServiceMonitor, *RBAC_KINDS, *EXTRA_KINDS),
)
def picker_may_read_its_pool(pool: InferencePool | LegacyInferencePool, inventory: Inventory) -> Iterator[Violation]:
    """The service account of a pool's picker may list and watch what its release needs.

    Why: the picker waits for its caches of pods and of its pool, and of objectives and rewrites where they are
    installed. One that is forbidden is never filled: the picker stays unready and is restarted.

    Remedy: a Role with the verbs `list` and `watch` for what the message names, in the pool's namespace, bound to the
    picker's service account. Reviews of tokens (for its guarded `/metrics`) are cluster-scoped: they need a
    ClusterRoleBinding.

    See: Kubernetes, "Using RBAC Authorization"; llm-d-router chart, `templates/rbac.yaml`.
    """
    judged: set[Account] = set()
    pickers = pickers_of(pool, inventory)
    is_at_work = any(not picker.pod.is_stateless and picker.pod.is_ready for picker in pickers)
    if is_at_work and not any(inventory.near(ClusterRoleBinding)):
        return
    for picker in pickers:
        account = Account(picker.pod.namespace, picker.pod.spec.service_account_name or "default")
        if account in judged:
            continue
        judged.add(account)
        with inventory.part():
            if not runs_without_kubernetes(picker, inventory):
                yield from _later(_rights(pool, picker, account, inventory), is_at_work)
        with inventory.part():
            yield from _reviews(pool, picker, account, inventory)


def _later(violations: Iterator[Violation], is_at_work: bool) -> Iterator[Violation]:
    """What a picker that is seen to be Ready suffers from only at its next start."""
    for violation in violations:
        yield msgspec.structs.replace(violation, severity=WARNING, symptom=_LATER) if is_at_work else violation


def _rights(pool: Pool, picker: Picker, account: Account, inventory: Inventory) -> Iterator[Violation]:
    if account.name != "default" and inventory.named(ServiceAccount, account.namespace, account.name) is None:
        because = f"{account}, of {picker.pod.workload}, does not exist: its pods cannot be created"
        yield Violation(at=pool.picker_at, about=f"account {account.name}", because=because)
        return
    missing, gaps = denied(account, list(needs(picker, pool, inventory)), inventory)
    if missing:
        yield _forbidden(pool, picker, account, missing)
    if gaps:
        raise gaps[0]


def _forbidden(pool: Pool, picker: Picker, account: Account, missing: list[Need]) -> Violation:
    what = ", ".join(map(str, missing))
    namespace = missing[0].namespace
    return Violation(
        at=pool.picker_at,
        about=f"rights of {account.name}",
        because=f"{account}, of {picker.pod.workload}, may not {what} in namespace {namespace}",
        verify=f"kubectl auth can-i {missing[0].verbs[0]} {missing[0].resource} -n {namespace} "
        f"--as system:serviceaccount:{account.namespace}:{account.name}",
        related=(picker.pod.workload,),
        fix=Fix(title=f"grant {account} {what} in namespace {namespace}", safety="manual"),
    )


def _reviews(pool: Pool, picker: Picker, account: Account, inventory: Inventory) -> Iterator[Violation]:
    """Scrapes of the guarded metrics fail where the picker may not review tokens."""
    service = service_of(pool, inventory)
    if service is None or not picker.is_recognised or picker.is_ancient:
        return
    if not picker.switch("metrics-endpoint-auth", True) or not _is_scraped(service, inventory):
        return
    refused = [entry.resource for entry in _REVIEWS if not is_allowed(account, entry, inventory)]
    if refused:
        yield Violation(
            at=pool.picker_at,
            about=f"reviews of {account.name}",
            because=f"{account} may not create {' and '.join(refused)}, but a monitor scrapes its guarded /metrics",
            severity=WARNING,
            symptom="no metrics of the picker: scrapes get HTTP 401 or 500",
            related=(picker.pod.workload,),
        )


def _is_scraped(service: Service, inventory: Inventory) -> bool:
    return any(
        monitor.spec.selector.matches(service.labels) and monitor.namespace == service.namespace
        for monitor in inventory.modifying(ServiceMonitor, service.namespace)
    )
