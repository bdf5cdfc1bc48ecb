"""Grafana's provisioning files for datasources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from platform_health.documents.texts import items, mapping, string, texts
from platform_health.views.view import View


class Provisioned(NamedTuple):
    """One datasource. ``uid`` is empty where Grafana makes one up; one that is editable may be changed by hand."""

    name: str
    uid: str
    type: str
    is_editable: bool


def provisioned(view: View) -> Iterator[Provisioned]:
    """The datasources that an object provisions."""
    for text in texts(view):
        if "datasources" not in text.content:
            continue
        for value in items(mapping(text.value).get("datasources")):
            entry = mapping(value)
            if entry.get("name") and entry.get("type"):
                yield Provisioned(
                    string(entry.get("name")),
                    string(entry.get("uid")),
                    string(entry.get("type")),
                    entry.get("editable") is True,
                )
