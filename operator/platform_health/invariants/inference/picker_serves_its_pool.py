"""PickerServesItsPool."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain.picker_configs import runs_without_kubernetes
from platform_health.domain.pickers import Picker, pickers_of
from platform_health.domain.pools import TRAFFIC_KINDS, Traffic, traffic, twin_of
from platform_health.invariant import (
    ERROR,
    WARNING,
    Fix,
    Inventory,
    Operation,
    Severity,
    Violation,
    invariant,
    pointer,
)
from platform_health.views.core import ConfigMap, Pod, Service
from platform_health.views.inference import InferencePool, LegacyInferencePool, Pool
from platform_health.yaml import path_steps


@invariant(
    severity=ERROR,
    symptom="the endpoint picker waits for another pool and is restarted: HTTP 500 or 503 for every request",
    needs=(Service, Pod, ConfigMap, *TRAFFIC_KINDS),
)
def picker_serves_its_pool(pool: InferencePool | LegacyInferencePool, inventory: Inventory) -> Iterator[Violation]:
    """The picker that a pool refers to is told to serve this pool, by name, namespace and API group.

    Why: a picker serves exactly one pool, the one of its `--pool-name` and `--pool-namespace`. It is not Ready, not
    even alive to its probes, before it has found that pool; another pool that refers to the same picker is routed by
    the endpoints of the first.

    Remedy: correct the flags of the picker, or give the pool a picker of its own. A v0.x picker reads pools of
    `inference.networking.x-k8s.io` only.

    See: Gateway API Inference Extension, "InferencePool": an EPP can only be associated with a single InferencePool.
    """
    pickers = pickers_of(pool, inventory)
    found: list[tuple[Picker, str, Severity]] = []
    for picker in pickers:
        if runs_without_kubernetes(picker, inventory):
            return
        why = _why_not(picker, pool, inventory)
        if why is None:
            return
        found.append((picker, *why))
    if found:
        picker, because, severity = found[0]
        workload = picker.pod.workload
        yield Violation(
            at=pool.picker_at / "name",
            because=f"{workload} {because}",
            severity=severity,
            symptom=None if severity is ERROR else "requests are sent by another selection than the pool's",
            verify=f"kubectl get {workload.kind.name.lower()} -n {workload.namespace} {workload.name} -o yaml",
            related=(workload,),
            fix=_fix(picker, pool, inventory),
        )


def _fix(picker: Picker, pool: Pool, inventory: Inventory) -> Fix | None:
    """Naming this pool in the flags, where no other pool is meant; the picker restarts for it."""
    name = picker.pool_name
    namesake = any(entry.name == name for entry in inventory.near(type(pool), pool.namespace))
    for flag, found, value in (
        ("pool-name", name, pool.name),
        ("pool-namespace", picker.pool_namespace, pool.namespace),
    ):
        place = picker.place_of_value(flag, value)
        if found is not None and found != value and place is not None and not (flag == "pool-name" and namesake):
            path = pointer(*path_steps(picker.pod.template_path.join(place[0])))
            title = f"--{flag}={value} for {picker.pod.workload}"
            patch = (Operation("replace", path, place[1]),) if picker.pod.is_template else ()
            return Fix(title=title, safety="unsafe", target=picker.pod.workload, patch=patch)
    return None


def _why_not(picker: Picker, pool: Pool, inventory: Inventory) -> tuple[str, Severity] | None:
    """Why a picker does not serve a pool, and how bad that is; None where it does."""
    if picker.flag("endpoint-selector"):
        return _other_endpoints(picker, pool) if picker.pool_name is None else None
    name = picker.pool_name
    if name is None:
        return None
    if name != pool.name:
        return f"serves pool {name} (--pool-name), not {pool.name}", ERROR
    namespace = picker.pool_namespace
    if namespace != pool.namespace:
        return f"looks for pool {name} in namespace {namespace}, not in {pool.namespace}", ERROR
    return _other_group(picker, pool, inventory)


def _other_endpoints(picker: Picker, pool: Pool) -> tuple[str, Severity] | None:
    selector = picker.flag("endpoint-selector") or ""
    wanted = {f"{key}={value}" for key, value in pool.selector.match_labels.items()}
    if {part.strip().replace("==", "=") for part in selector.split(",")} != wanted:
        return f"selects endpoints by {selector}, the pool by {pool.selector}", WARNING
    ports = {int(port) for port in (picker.flag("endpoint-target-ports") or "").split(",") if port.strip().isdigit()}
    if ports and ports != {port for _, port in pool.target_ports()}:
        return f"uses ports {', '.join(map(str, sorted(ports)))}, not those of the pool", WARNING
    return None


def _other_group(picker: Picker, pool: Pool, inventory: Inventory) -> tuple[str, Severity] | None:
    """A picker that watches pools of the other group; from v1.5 on a legacy pool is LegacyPoolIsMigrated's business."""
    group = picker.pool_group
    if group is None or group == pool.kind.group or picker.is_gie("1.5.0") or picker.is_router():
        return None
    if not picker.is_ancient and traffic(pool, inventory) is not Traffic.ROUTED:
        return None
    twin = twin_of(pool, inventory)
    if twin is None:
        return f"reads pools of {group} only, and there is no pool {pool.name} in that group", ERROR
    if _means(twin) != _means(pool):
        return f"reads pool {pool.name} of {group}, whose selector or ports differ from this one's", WARNING
    return None


def _means(pool: Pool) -> tuple[dict[str, str], list[int]]:
    return pool.selector.match_labels, [port for _, port in pool.target_ports()]
