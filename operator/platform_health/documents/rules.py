"""Prometheus rule files, as they stand in the ConfigMaps of a Prometheus without an operator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from platform_health.documents.texts import Text, items, mapping, string, texts
from platform_health.views.view import Path, View


class Rule(NamedTuple):
    """One rule; either ``alert`` or ``record`` is its name."""

    expr: str
    alert: str
    record: str
    at: Path


def rules(view: View) -> Iterator[tuple[Text, Rule]]:
    """The rules of every rule file that an object carries, each with its text."""
    for text in texts(view):
        if "groups:" not in text.content or "expr:" not in text.content:
            continue
        for number, group in enumerate(items(mapping(text.value).get("groups"))):
            for index, value in enumerate(items(mapping(group).get("rules"))):
                rule, at = mapping(value), Path("groups") / number / "rules" / index
                alert, record = string(rule.get("alert")), string(rule.get("record"))
                if (alert or record) and isinstance(rule.get("expr"), str):
                    yield text, Rule(rule["expr"], alert, record, at / "expr")
