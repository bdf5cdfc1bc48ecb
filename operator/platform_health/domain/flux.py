"""What Flux leaves alone of an object.

Facts: kustomize-controller 1.9 (``spec.ignore``, annotations or labels ``reconcile`` and ``ssa``), helm-controller
(``driftDetection.ignore``); targets are regular expressions, anchored; no target means every object.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from platform_health.inventory import Unknown
from platform_health.views.apps import Workload
from platform_health.views.flux import HELM, KUSTOMIZE, IgnoreRule, IgnoreTarget

RECONCILE, SSA = f"{KUSTOMIZE}/reconcile", f"{KUSTOMIZE}/ssa"
DRIFT_DETECTION = f"{HELM}/driftDetection"
REPLICAS = "/spec/replicas"


def is_marked(workload: Workload, key: str, *values: str) -> bool:
    """Whether an annotation or label of the object has one of these values."""
    return workload.annotations.get(key) in values or workload.labels.get(key) in values


def ignores(rules: Iterable[IgnoreRule], workload: Workload) -> bool:
    """Whether one of the rules leaves the replicas of a workload alone; Unknown where its target is not understood."""
    return any(_covers(rule) and (rule.target is None or _means(rule.target, workload)) for rule in rules)


def _covers(rule: IgnoreRule) -> bool:
    return any(path == REPLICAS or REPLICAS.startswith(path.rstrip("/") + "/") for path in rule.paths)


def _means(target: IgnoreTarget, workload: Workload) -> bool:
    pairs = (
        (target.group, workload.kind.group),
        (target.kind, workload.kind.name),
        (target.name, workload.name),
        (target.namespace, workload.namespace),
    )
    if not all(not pattern or re.fullmatch(pattern, value) for pattern, value in pairs):
        return False
    if target.label_selector or target.annotation_selector:
        raise Unknown("a rule selects its objects by labels or annotations, which is not looked at")
    return True
