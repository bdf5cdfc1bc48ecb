"""ConfigIsLoaded."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.config_users import NEEDS as USER_KINDS
from platform_health.domain.reloading import Stale, stale
from platform_health.invariant import INFO, WARNING, Fix, Inventory, Operation, Violation, invariant, pointer
from platform_health.views.apps import DaemonSet, Deployment, StatefulSet
from platform_health.views.core import ConfigMap, Pod
from platform_health.views.view import Ref

_WAYS = {"env": "as environment variables", "subPath": "through subPath", "volume": "and reads it once, at its start"}


@invariant(
    severity=WARNING,
    symptom="old routing: the change has no effect yet",
    needs=(*USER_KINDS, ConfigMap, Pod),
)
def config_is_loaded(subject: Deployment | StatefulSet | DaemonSet, inventory: Inventory) -> Iterator[Violation]:
    """No pod runs on a ConfigMap that is older than the one applied.

    Why: environment variables and `subPath` files never change in a running container, and LiteLLM, a plain router and
    the endpoint picker read their configuration once. Until the pods are restarted, the old one counts. Where only the
    time of a write is known this is a hint: the write may have changed a label.

    Remedy: `kubectl rollout restart`, or let a checksum annotation or Reloader do it.

    See: Kubernetes, mounted ConfigMaps are updated automatically; stakater/Reloader.
    """
    for entry in stale(subject, inventory):
        config = Ref(ConfigMap.kind, subject.namespace, entry.usage.config)
        kind = "created anew" if entry.is_exact else "written"
        yield Violation(
            at=entry.usage.at,
            about=entry.usage.config,
            because=f"{config} was {kind} at {entry.changed}, after pod {entry.pod.name} started; "
            f"container {entry.usage.container.name} uses it {_WAYS[entry.usage.way]}",
            severity=WARNING if entry.is_exact else INFO,
            related=(config,),
            verify=f"kubectl get pods -n {subject.namespace} -o wide",
            fix=_restart(subject, entry),
        )


def _restart(subject: Deployment | StatefulSet | DaemonSet, entry: Stale) -> Fix:
    at = pointer("spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt")
    return Fix(
        title="restart the pods",
        safety="unsafe",
        target=subject.ref,
        patch=(Operation(op="add", path=at, value=entry.changed),),
    )
