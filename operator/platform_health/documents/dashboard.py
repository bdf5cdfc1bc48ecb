"""Grafana dashboards: queries with their legends and datasources, variables, inputs, the default time window.

Read are the classic schema (``panels``, with rows and nested panels), the old one (``rows[].panels``), and either of
them inside of ``dashboard`` as Grafana's HTTP API exports it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from platform_health.documents.texts import Broken, Text, items, mapping, parsed, string, texts
from platform_health.views.view import Path, View


class Source(NamedTuple):
    """A reference to a datasource by uid, or by name in older dashboards; ``type`` is empty where it is not said."""

    uid: str
    type: str
    at: Path


class Query(NamedTuple):
    """One query of a panel."""

    expr: str
    at: Path
    panel: str
    legend: str = ""
    legend_at: Path = Path("")
    source: Source | None = None
    format: str = ""


class Variable(NamedTuple):
    """One template variable. ``query`` is empty where it is not a string."""

    name: str
    type: str
    query: str
    at: Path
    source: Source | None = None


class Dashboard(NamedTuple):
    """One dashboard, with paths relative to its text."""

    title: str
    queries: tuple[Query, ...]
    variables: tuple[Variable, ...]
    inputs: tuple[str, ...]
    sources: tuple[Source, ...]
    window: tuple[str, str]
    """``time.from`` and ``time.to``; empty where they are not set."""
    root: Path

    def variable(self, name: str) -> Variable | None:
        """The template variable of this name."""
        return next((entry for entry in self.variables if entry.name == name), None)


def dashboards(view: View) -> Iterator[tuple[Text, Dashboard]]:
    """The dashboards that an object carries, each with its text."""
    for text in texts(view):
        found = dashboard(text.content)
        if found is not None:
            yield text, found


def is_dashboard(value: Any) -> bool:
    """Whether data is a dashboard, by its content."""
    body = _body(value)[0]
    panels = body.get("panels", body.get("rows"))
    return isinstance(panels, list) and any(key in body for key in ("title", "schemaVersion", "templating", "uid"))


def dashboard(content: str) -> Dashboard | None:
    """The dashboard that a text is, None where it is none."""
    if '"panels"' not in content and '"rows"' not in content:
        return None
    return _dashboard(content)


@lru_cache(maxsize=256)
def _dashboard(content: str) -> Dashboard | None:
    value = parsed(content)
    if isinstance(value, Broken) or not is_dashboard(value):
        return None
    body, root = _body(value)
    queries, sources = _Queries(), list[Source]()
    for panel, at in _panels(body, root):
        queries.add(panel, at, sources)
    variables = tuple(_variables(body, root))
    annotations = mapping(body.get("annotations")).get("list")
    for index, entry in enumerate(items(annotations)):
        _note(mapping(entry), root / "annotations" / "list" / index, sources)
    window = mapping(body.get("time"))
    return Dashboard(
        title=string(body.get("title")),
        queries=tuple(queries.found),
        variables=variables,
        inputs=tuple(string(mapping(entry).get("name")) for entry in items(body.get("__inputs"))),
        sources=(*sources, *(entry.source for entry in variables if entry.source is not None)),
        window=(string(window.get("from")), string(window.get("to"))),
        root=root,
    )


def _body(value: Any) -> tuple[dict[str, Any], Path]:
    outer = mapping(value)
    inner = outer.get("dashboard")
    if isinstance(inner, dict) and "panels" not in outer:
        return inner, Path("dashboard")
    return outer, Path("")


def _panels(body: dict[str, Any], at: Path) -> Iterator[tuple[dict[str, Any], Path]]:
    for field in ("panels", "rows"):
        for index, entry in enumerate(items(body.get(field))):
            panel, place = mapping(entry), at / field / index
            yield panel, place
            yield from _panels(panel, place)


class _Queries:
    def __init__(self) -> None:
        self.found: list[Query] = []

    def add(self, panel: dict[str, Any], at: Path, sources: list[Source]) -> None:
        default = _note(panel, at, sources)
        title = string(panel.get("title"))
        for index, entry in enumerate(items(panel.get("targets"))):
            target, place = mapping(entry), at / "targets" / index
            own = _note(target, place, sources)
            expr = string(target.get("expr"))
            if not expr.strip():
                continue
            source = own or (None if default is not None and default.uid == "-- Mixed --" else default)
            self.found.append(
                Query(
                    expr=expr,
                    at=place / "expr",
                    panel=title,
                    legend=string(target.get("legendFormat")),
                    legend_at=place / "legendFormat",
                    source=source,
                    format=string(target.get("format")),
                )
            )


def _note(owner: dict[str, Any], at: Path, sources: list[Source]) -> Source | None:
    found = _source(owner.get("datasource"), at / "datasource")
    if found is not None:
        sources.append(found)
    return found


def _source(value: Any, at: Path) -> Source | None:
    if isinstance(value, str):
        return Source(value, "", at)
    if isinstance(value, dict):
        return Source(string(value.get("uid")), string(value.get("type")), at / "uid")
    return None


def _variables(body: dict[str, Any], root: Path) -> Iterator[Variable]:
    for index, value in enumerate(items(mapping(body.get("templating")).get("list"))):
        entry, at = mapping(value), root / "templating" / "list" / index
        query = entry.get("query")
        is_nested = isinstance(query, dict)
        yield Variable(
            name=string(entry.get("name")),
            type=string(entry.get("type")),
            query=string(mapping(query).get("query")) if is_nested else string(query),
            at=at / "query" / "query" if is_nested else at / "query",
            source=_source(entry.get("datasource"), at / "datasource"),
        )
