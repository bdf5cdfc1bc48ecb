"""The fix for a retired metric name: the same text with the new name, where both have the same samples."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from platform_health import yaml
from platform_health.domain.metrics import Drop, Retired, retired
from platform_health.domain.promql import selectors
from platform_health.domain.queries import Use, uses
from platform_health.invariant import Fix, Operation, pointer
from platform_health.views.core import ConfigMap
from platform_health.views.files import FileView
from platform_health.views.scaling import HorizontalPodAutoscaler
from platform_health.views.view import View

Entry = tuple[Use, Drop]


def renamed(subject: View, entries: Iterable[Entry]) -> dict[str, Fix]:
    """The fix per retired name that new names can replace everywhere in the subject; one patch does all of them."""
    if isinstance(subject, HorizontalPodAutoscaler):
        return {}
    dropped: dict[Use, dict[str, Drop]] = defaultdict(dict)
    for use, drop in entries:
        dropped[use][drop.name] = drop
    if not dropped:
        return {}
    mixed = {drop.retired.name for use in dropped for drop in dropped[use].values() if not _is_whole(use, dropped[use])}
    exact = {drop.retired.name: drop for drops in dropped.values() for drop in drops.values() if drop.retired.exact}
    mixed |= {entry.name for use in uses(subject) if use not in dropped for entry in _retired_in(use)}
    names = {name: drop for name, drop in exact.items() if name not in mixed}
    changed = [use for use, drops in dropped.items() if any(drop.retired.name in names for drop in drops.values())]
    patch = _patch(subject, changed, names)
    if not patch:
        return {}
    title = "ask for " + ", ".join(sorted(drop.retired.instead for drop in names.values()))
    is_fixed = isinstance(subject, ConfigMap) and subject.immutable
    fix = Fix(title=title, safety="manual" if is_fixed else "safe", target=subject.ref, patch=() if is_fixed else patch)
    return dict.fromkeys(names, fix)


def _is_whole(use: Use, drops: dict[str, Drop]) -> bool:
    """Whether every retired name in a query is dead and has an exact successor, so that nothing old is left beside."""
    asked = {entry.name for entry in selectors(use.expr) if retired(entry.name)}
    return asked == set(drops) and all(drop.retired.exact for drop in drops.values())


def _retired_in(use: Use) -> list[Retired]:
    return [entry for selector in selectors(use.expr) if (entry := retired(selector.name)) is not None]


def _patch(subject: View, changed: list[Use], names: dict[str, Drop]) -> tuple[Operation, ...]:
    operations: dict[str, Operation] = {}
    for use in changed:
        if use.text is None or isinstance(subject, FileView):
            path, value = pointer(*yaml.path_steps(use.at)), use.expr
        else:
            path, value = pointer(*yaml.path_steps(use.text.at)), use.text.content
        operations[path] = Operation(op="replace", path=path, value=_replaced(value, names))
    return tuple(operations.values())


def _replaced(text: str, names: dict[str, Drop]) -> str:
    for name, drop in names.items():
        suffix = "(?=_total)" if drop.retired.type == "counter" else "(?=(?:_bucket|_sum|_count|_created)?(?![\\w:]))"
        text = re.sub(rf"(?<![\w:]){re.escape(name)}{suffix}", drop.retired.instead, text)
    return text
