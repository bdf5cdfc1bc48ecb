"""Manifests: files, directories, standard input, rendered charts and kustomizations, as views with their origin.

What cannot be read is an :class:`Unreadable` entry with file, line and field, and loses nothing else. What is no
Kubernetes object is skipped and counted. Of a Secret only name, type and key names are kept.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path as FilePath
from typing import Any

import msgspec

from platform_health import yaml
from platform_health.documents.files import file_view
from platform_health.inventory import Inventory, parse_time
from platform_health.knowledge import FileKnowledge, Maker, Skipped, Unreadable
from platform_health.views.apps import Workload
from platform_health.views.core import Pod, Secret
from platform_health.views.files import NAMESPACE as FILES
from platform_health.views.files import FileView
from platform_health.views.kinds import of_api_version
from platform_health.views.view import Kind, Metadata, Ref, View

SUFFIXES = (".yaml", ".yml", ".json")
MAX_FILE_BYTES = 50 * 1024 * 1024
_RENDER_TIMEOUT_SECONDS = 120


class Text(msgspec.Struct, frozen=True, eq=False):
    """One file, or what stands for one: its name for people and its content."""

    name: str
    content: bytes
    is_rendered: bool = False
    parsed: dict[int, yaml.Positions] = {}
    """Where values stand, by the line a document starts on: the items of a List share one document."""

    def positions(self, line: int) -> yaml.Positions:
        """Where the values of one document stand."""
        return self.parsed.setdefault(line, yaml.Positions(self.content, line))


class Origin(msgspec.Struct, frozen=True):
    """Where an object was read from: the text, and the 1-based line its document starts on."""

    text: Text
    line: int
    prefix: str = ""
    """The path of the object inside its document, for an item of a List."""

    def line_of(self, at: str) -> int:
        """The 1-based line of a path in the object, or of its nearest existing ancestor."""
        path = self.prefix + (f".{at}" if self.prefix and not at.startswith("[") else at)
        return self.text.positions(self.line).line(path)


class Manifests:
    """Everything read from some paths."""

    def __init__(self, *, default_namespace: str = "default") -> None:
        self.default_namespace = default_namespace
        self.objects: dict[Ref, View] = {}
        self.origins: dict[Ref, Origin] = {}
        self.raw: dict[Ref, dict[str, Any]] = {}
        self.makers: list[Maker] = []
        self.unreadable: list[Unreadable] = []
        self.skipped: list[Skipped] = []
        self.newest: float | None = None
        self.oldest: float | None = None
        self.count = 0
        """How many Kubernetes objects were seen, also of kinds that we do not read."""

    # --- reading -----------------------------------------------------------------------------------------------

    def read(self, path: FilePath) -> None:
        """Reads a file, or a directory with everything below it."""
        if not path.exists():
            self._fail(str(path), None, "no such file or directory")
        elif path.is_dir():
            self._read_directory(path)
        else:
            self._read_file(path)

    def read_text(self, text: Text) -> None:
        """Reads the documents of one text."""
        if b"\0" in text.content[:8192]:
            self._fail(text.name, None, "this is a binary file, expected YAML or JSON")
            return
        for document in yaml.documents(text.content):
            if isinstance(document, yaml.Unreadable):
                self._fail(text.name, document.line, document.because)
            else:
                self._take(document.value, Origin(text, document.line))

    def _read_directory(self, path: FilePath) -> None:
        renderer = _renderer(path)
        if renderer is not None:
            self._render(path, renderer)
            return
        for child in sorted(path.iterdir()):
            if child.name.startswith("."):
                continue
            if child.is_dir():
                self._read_directory(child)
            elif child.suffix in SUFFIXES:
                self._read_file(child)

    def _read_file(self, path: FilePath) -> None:
        try:
            size = path.stat().st_size
            if size > MAX_FILE_BYTES:
                because = f"the file has {size} bytes, more than the {MAX_FILE_BYTES} that are read"
                self._fail(str(path), None, because)
                return
            content = path.read_bytes()
        except OSError as error:
            self._fail(str(path), None, error.strerror or str(error))
            return
        self.read_text(Text(str(path), content))

    def _render(self, path: FilePath, command: list[str]) -> None:
        if shutil.which(command[0]) is None:
            because = f"needs {command[0]} to be rendered, which is not on PATH; render it and scan the output"
            self._fail(str(path), None, because)
            return
        try:
            done = subprocess.run(command, capture_output=True, timeout=_RENDER_TIMEOUT_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            self._fail(str(path), None, f"{command[0]} failed: {error}")
            return
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            self._fail(str(path), None, f"{command[0]} failed: {said[-1] if said else 'no output'}")
            return
        self.read_text(Text(str(path), done.stdout, is_rendered=True))

    # --- taking objects ----------------------------------------------------------------------------------------

    def _take(self, value: Any, origin: Origin) -> None:
        if not _is_object(value):
            self._take_document(value, origin)
            return
        items = value.get("items")
        if value["kind"].endswith("List") and isinstance(items, list) and "metadata" not in (value.get("spec") or {}):
            for index, item in enumerate(items):
                self._take(item, Origin(origin.text, origin.line, f"{origin.prefix}items[{index}]"))
            return
        self._take_object(value, origin)

    def _take_document(self, value: Any, origin: Origin) -> None:
        """Takes a file that is no object: a dashboard, a router's or a picker's configuration; others are skipped."""
        view = file_view(value)
        if view is None:
            self.skipped.append(Skipped(origin.text.name, f"line {origin.line}: not a Kubernetes object"))
            return
        self.count += 1
        metadata = Metadata(name=self._file_name(origin, view), namespace=FILES)
        found = view(metadata=metadata, text=msgspec.json.encode(value).decode(errors="surrogatepass"))
        self.objects[found.ref] = found
        self.origins[found.ref] = origin
        self.raw[found.ref] = value

    def _file_name(self, origin: Origin, view: type[FileView]) -> str:
        """The file's name; with folders, then with the line, where another file of that name was read before."""
        parts = FilePath(origin.text.name).parts or (origin.text.name,)
        names = ["/".join(parts[-count:]) for count in range(1, len(parts) + 1)]
        free = (name for name in names if Ref(view.kind, FILES, name) not in self.objects)
        return next(free, f"{names[-1]}:{origin.line}")

    def _take_object(self, value: dict[str, Any], origin: Origin) -> None:
        self.count += 1
        kind = of_api_version(value["apiVersion"], value["kind"])
        metadata = value.get("metadata")
        if not isinstance(metadata, dict):
            self._refuse(origin, "metadata", "metadata is missing, expected a mapping with a name")
            return
        self._note_time(value)
        namespace = metadata.get("namespace") or self.default_namespace
        name = metadata.get("name") or metadata.get("generateName")
        if not isinstance(name, str) or not name or not isinstance(namespace, str):
            self._refuse(origin, "metadata.name", "metadata.name is missing, expected a string")
            return
        self.makers.append(Maker(value["apiVersion"].rpartition("/")[0], value["kind"], namespace, name))
        if kind is None:
            return
        shown = {**value, "metadata": {**metadata, "name": name, "namespace": namespace if kind.namespaced else ""}}
        try:
            view = _convert(_without_values(shown) if kind.view is Secret else shown, kind)
        except msgspec.ValidationError as error:
            self._refuse(origin, *_field_and_reason(error, kind))
            return
        earlier = self.origins.get(view.ref)
        if earlier is not None:
            because = f"{view.ref} stands again in {origin.text.name}, which counts"
            self.skipped.append(Skipped(earlier.text.name, because))
        self.objects[view.ref] = view
        self.origins[view.ref] = origin
        if kind.view is not Secret:
            self.raw[view.ref] = value

    def _refuse(self, origin: Origin, at: str, because: str) -> None:
        self._fail(origin.text.name, origin.line_of(at), because)

    def _fail(self, file: str, line: int | None, because: str) -> None:
        self.unreadable.append(Unreadable(because, file, line))

    def _note_time(self, value: dict[str, Any]) -> None:
        times = [time for time in map(parse_time, _times(value)) if time is not None]
        if times:
            self.newest = max(*times, self.newest or times[0])
            self.oldest = min(*times, self.oldest or times[0])

    # --- into the inventory ------------------------------------------------------------------------------------

    def fill(self, inventory: Inventory, knowledge: FileKnowledge) -> None:
        """Puts every object, and the pods that templates stand for, into an inventory."""
        for maker in self.makers:
            knowledge.add_maker(maker)
        for view in self.objects.values():
            inventory.put(view)
        for pod in self.template_pods(closed_world=knowledge.closed_world):
            inventory.put(pod)

    def template_pods(self, *, closed_world: bool = False) -> Iterator[Pod]:
        """The pods that templates stand for: of workloads whose own Pods are not in the files, and of no dump.

        A dump is told by uids. It is one of a namespace where Pods of the namespace carry them; in a closed world one
        Pod anywhere is enough, since a namespace without Pods then has none.
        """
        pods = [view for view in self.objects.values() if isinstance(view, Pod)]
        replaced = {pod.workload for pod in pods}
        dumped = {pod.namespace for pod in pods if pod.metadata.uid}
        for view in self.objects.values():
            if not isinstance(view, Workload) or view.ref in replaced or view.is_going:
                continue
            if view.metadata.uid and (view.namespace in dumped or (closed_world and dumped)):
                continue
            if view.metadata.controller is not None and self._has_owner(view):
                continue
            yield from view.pods()

    def _has_owner(self, view: View) -> bool:
        owner = view.metadata.controller
        kind = Kind.registry.get((owner.group, owner.kind)) if owner else None
        return owner is not None and kind is not None and Ref(kind, view.namespace, owner.name) in self.objects


def read(paths: Iterable[FilePath], *, default_namespace: str = "default") -> Manifests:
    """Reads all paths."""
    manifests = Manifests(default_namespace=default_namespace)
    for path in paths:
        manifests.read(path)
    return manifests


def _renderer(path: FilePath) -> list[str] | None:
    if (path / "Chart.yaml").is_file():
        return ["helm", "template", path.name, str(path)]
    if any((path / name).is_file() for name in ("kustomization.yaml", "kustomization.yml", "Kustomization")):
        if shutil.which("kustomize"):
            return ["kustomize", "build", str(path)]
        return ["kubectl", "kustomize", str(path)]
    return None


def _is_object(value: Any) -> bool:
    """Whether a document is a Kubernetes object; a picker's configuration looks like one but has no name."""
    if not isinstance(value, dict) or not _is_text(value.get("kind")) or not _is_text(value.get("apiVersion")):
        return False
    return bool(value["kind"] != "EndpointPickerConfig")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _convert(value: dict[str, Any], kind: Kind) -> View:
    """The view of an object; a null field is an absent one."""
    try:
        return msgspec.convert(value, kind.view)
    except msgspec.ValidationError:
        return msgspec.convert(_without_nulls(value), kind.view)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value if item is not None]
    return value


def _without_values(secret: dict[str, Any]) -> dict[str, Any]:
    hidden = {field: dict.fromkeys(secret.get(field) or {}, "") for field in ("data", "stringData")}
    metadata = {key: value for key, value in secret["metadata"].items() if key != "annotations"}
    return {**secret, **hidden, "metadata": metadata}


_AT = re.compile(r"(?P<reason>.*?)(?: - at `(?:key in )?\$\.?(?P<path>.*?)`)?\Z", re.DOTALL)


def _field_and_reason(error: msgspec.ValidationError, kind: Kind) -> tuple[str, str]:
    found = _AT.match(str(error))
    assert found is not None
    path = (found["path"] or "").split("[...]")[0]
    return path, f"{kind} {path or 'object'}: {found['reason'][:1].lower()}{found['reason'][1:]}"


_TIME_KEYS = ("Timestamp", "Time", "At")


def _times(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str):
                if key.endswith(_TIME_KEYS) and len(item) < 40:
                    yield item
            elif key not in ("data", "spec", "managedFields"):
                yield from _times(item)
    elif isinstance(value, list):
        for item in value:
            yield from _times(item)
