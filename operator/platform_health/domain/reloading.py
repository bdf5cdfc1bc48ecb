"""Whether a running container still has an older ConfigMap than the one that is applied.

Facts: variables and ``subPath`` files never change in a running container; the kubelet refreshes other files within a
minute or two, but LiteLLM, the plain router and the endpoint picker read theirs once. The time of a change is known
exactly where the ConfigMap was made anew, and only roughly from managedFields, where an edit of a label counts too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from platform_health.documents.litellm import litellm_configs
from platform_health.documents.router import router_configs
from platform_health.domain.config_users import LongRunning, Usage, usages
from platform_health.inventory import Inventory, Unknown, parse_time
from platform_health.views.apps import DaemonSet
from platform_health.views.core import ConfigMap, Pod, workload_term

REFRESH_SECONDS = 120.0
RELOADER_SECONDS = 300.0
"""How long Reloader may take to restart a workload it looks after."""

_RELOADER = re.compile(r"reloader\.stakater\.com/|^checksum/|^configmap/checksum|config-hash|config-checksum")
_OWN_NAMES = ("kube-root-ca.crt", "istio-ca-root-cert", "linkerd-identity-trust-roots", "openshift-service-ca.crt")
_HASHED = re.compile(r".*-[bcdfghkm2456789t]{10}\Z")
"""kustomize's content hash: a changed ConfigMap gets a new name."""


class Stale(NamedTuple):
    """One container that runs on an older ConfigMap."""

    usage: Usage
    pod: Pod
    changed: str
    is_exact: bool


def stale(workload: LongRunning, inventory: Inventory) -> Iterator[Stale]:
    """The outdated uses of ConfigMaps by a workload, one per ConfigMap; Unknown where its pods are not shown."""
    if _is_rolling(workload) or workload.replicas == 0:
        return
    seen: set[str] = set()
    for usage in usages(workload):
        if usage.config in _OWN_NAMES or _HASHED.match(usage.config) or usage.config in seen:
            continue
        with inventory.part():
            config = inventory.named(ConfigMap, workload.namespace, usage.config)
            if config is None or config.immutable or not _is_read_once(usage, config):
                continue
            found = _older(usage, config, inventory)
            if found is not None:
                seen.add(usage.config)
                yield found


def _is_rolling(workload: LongRunning) -> bool:
    if isinstance(workload, DaemonSet):
        return False
    status = workload.status
    if workload.spec.paused or 0 < status.observed_generation < workload.metadata.generation:
        return True
    return bool(status.observed_generation) and status.updated_replicas < workload.replicas


def _is_read_once(usage: Usage, config: ConfigMap) -> bool:
    if usage.way != "volume":
        return True
    documents = [text.key for text, _ in litellm_configs(config)] + [text.key for text, _ in router_configs(config)]
    documents += [key for key, content in config.data.items() if "kind: EndpointPickerConfig" in content]
    return any(usage.sees(key) for key in documents)


def _older(usage: Usage, config: ConfigMap, inventory: Inventory) -> Stale | None:
    written = list(config.written(usage.keys))
    created = config.metadata.creation_timestamp
    if not written and created is None:
        raise Unknown(f"when {config.ref} was changed is not known")
    pods = inventory.modifying(Pod, usage.workload.namespace, workload_term(usage.workload.ref))
    running = [pod for pod in pods if not pod.is_over and not pod.is_stateless]
    if not running:
        raise Unknown(f"since when the pods of {usage.workload.ref} run is not known")
    for pod in running:
        started = _started(pod, usage)
        for time, is_exact in ((created, True), (max(written, default=None), False)):
            if time and started and _is_after(time, started) and _is_overdue(usage, config, time, inventory):
                return Stale(usage, pod, time, is_exact)
    return None


def _started(pod: Pod, usage: Usage) -> str | None:
    for status in pod.status.container_statuses:
        if status.name == usage.container.name and status.state.running is not None:
            return status.state.running.started_at
    return None


def _is_after(changed: str, started: str) -> bool:
    one, other = parse_time(changed), parse_time(started)
    return one is not None and other is not None and one > other + REFRESH_SECONDS


def _is_overdue(usage: Usage, config: ConfigMap, changed: str, inventory: Inventory) -> bool:
    """Whether nothing will restart the pod any more. Hashes in a template change with the configuration."""
    templates = [template.metadata.annotations for _, template in usage.workload.templates()]
    keys = [key for annotations in (usage.workload.annotations, *templates) for key in annotations]
    if any(_RELOADER.search(key) and "reloader" not in key for key in keys):
        return False
    is_watched = any(_RELOADER.search(key) for key in keys) or any(
        entry.name.startswith("STAKATER_") for entry in usage.container.env
    )
    if any("reloader.stakater.com/ignore" in key for key in config.annotations):
        is_watched = False
    return not is_watched or inventory.lasted(changed, RELOADER_SECONDS)
