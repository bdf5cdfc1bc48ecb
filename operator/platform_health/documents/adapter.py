"""prometheus-adapter's configuration: which series its rules serve as metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from platform_health.documents.texts import Text, items, mapping, string, texts
from platform_health.views.view import Path, View

_LISTS = ("rules", "externalRules")
_LITERAL = re.compile(r'\{\s*__name__\s*=~?\s*"\^?([A-Za-z_:][A-Za-z0-9_:]*)\$?"\s*\}')


class AdapterRule(NamedTuple):
    """One rule; ``series`` is the query for the series it serves, by a literal name where that is one."""

    series: str
    at: Path


def adapter_rules(view: View) -> Iterator[tuple[Text, AdapterRule]]:
    """The rules of every adapter configuration that an object carries."""
    for text in texts(view):
        if "seriesQuery" not in text.content:
            continue
        config = mapping(text.value)
        for field in _LISTS:
            for index, entry in enumerate(items(config.get(field))):
                series = string(mapping(entry).get("seriesQuery"))
                if series:
                    yield text, AdapterRule(_by_name(series), Path(field) / index / "seriesQuery")


def _by_name(series: str) -> str:
    found = _LITERAL.fullmatch(series.strip())
    return found[1] if found else series
