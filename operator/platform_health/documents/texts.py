"""The texts that an object carries, parsed once, and how a path inside of a text is written."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from platform_health import yaml
from platform_health.views.core import ConfigMap
from platform_health.views.files import FileView
from platform_health.views.grafana import GrafanaDashboard
from platform_health.views.view import Path, View

MAX_TEXT = 4 * 1024 * 1024


class Broken(NamedTuple):
    """Why a text cannot be parsed, and on which of its lines."""

    line: int
    because: str


class Text(NamedTuple):
    """One text of an object. ``at`` is its path, empty where the object is the text; ``key`` its name for people."""

    content: str
    at: Path
    key: str

    def within(self, path: str) -> str:
        """The path of a value inside of the text: ``data["config.yaml"]#model_list[0]``."""
        if not self.at:
            return path
        return f"{self.at}#{path}" if path else str(self.at)

    @property
    def value(self) -> Any:
        """The first document of the text as plain data, or :class:`Broken`."""
        return parsed(self.content)


def texts(view: View) -> Iterator[Text]:
    """Every text that an object carries."""
    if isinstance(view, ConfigMap):
        for key, content in view.data.items():
            yield Text(content, Path("data") / key, key)
    elif isinstance(view, FileView):
        yield Text(view.text, Path(""), view.name)
    elif isinstance(view, GrafanaDashboard) and view.spec.json:
        yield Text(view.spec.json, Path("spec.json"), "spec.json")


@lru_cache(maxsize=256)
def parsed(content: str) -> Any:
    """The first document of a YAML or JSON text as plain data; :class:`Broken` where it cannot be read."""
    if len(content) > MAX_TEXT:
        return Broken(1, f"the text has {len(content)} characters, more than the {MAX_TEXT} that are read")
    for document in yaml.documents(content.encode(errors="surrogatepass")):
        if isinstance(document, yaml.Unreadable):
            return Broken(document.line, document.because)
        return document.value
    return None


def items(value: Any) -> list[Any]:
    """A list as it is, anything else as an empty one."""
    return value if isinstance(value, list) else []


def mapping(value: Any) -> dict[str, Any]:
    """A mapping as it is, anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def string(value: Any) -> str:
    """A string as it is, anything else as an empty one."""
    return value if isinstance(value, str) else ""
