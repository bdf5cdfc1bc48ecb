"""YAML and JSON, read with exactly the values that Kubernetes reads from them.

Every Kubernetes client turns manifests into JSON with sigs.k8s.io/yaml, which resolves scalars with go.yaml.in/yaml/v2:
YAML 1.1 booleans (`yes`, `on`, `y`), octal, hexadecimal and binary integers, no sexagesimals, timestamps as strings. No
Python library does the same.

Two readers give the same values. `_plain` reads the block style that manifests are written in, one line at a time, and
refuses everything that it cannot prove to be just that; what it refuses goes to `_decode`, which follows go-yaml's
decoder over libyaml's events. rapidyaml is not used: it resolves scalars differently and takes aliases of unknown
anchors, so that every line would have to be looked at before it. Nodes are not composed by PyYAML, whose C composer
recurses without bound.

Followed where the choice was open:

- A repeated key: the last one wins, as in sigs.k8s.io/yaml outside of its strict mode, which kubectl does not use for
  manifests (cli-runtime, StreamVisitor). `<<` is applied where it stands, so that it overrides keys above it.
- Documents are divided at lines that begin with `---`, even inside of a scalar, and no text may follow on such a line
  (apimachinery, YAMLReader). kubectl reads one YAML document between two such lines and silently drops the rest; here
  the rest is `Unreadable`.
- Numbers are what JSON makes of them: `1.0` and `1e3` in YAML are integers; an integer that does not fit 64 bits is a
  float.
- Text that begins with `{` is first tried as a stream of JSON values (apimachinery, YAMLOrJSONDecoder).

Known differences: nesting is bounded at 256 levels instead of 10,000 and aliases of aliases at 32; UTF-16 is refused;
JSON with invalid UTF-8 or lone surrogates is refused instead of repaired; of two keys that are equal only as strings
(`1` and `"1"`) the last one wins, not a random one; within brackets libyaml refuses `{b:}` (a key without space or
value) and takes a `?` inside of a scalar, go-yaml the other way round.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, Final, NoReturn, cast

import msgspec

__all__ = ["MAX_DEPTH", "Document", "Positions", "Unreadable", "YamlError", "documents", "join", "path_steps"]

MAX_DEPTH: Final = 256
"""How many levels of maps and lists a document may have, aliases expanded."""


class Document(msgspec.Struct, frozen=True):
    """One document of a text: its value (`dict`, `list` or scalar) and the 1-based line of its first content."""

    value: Any
    line: int


class Unreadable(msgspec.Struct, frozen=True):
    """A part of a text that cannot be read: the 1-based line of the problem in the whole text, and why, for a user."""

    line: int
    because: str


class YamlError(Exception):
    """Why a document cannot be read, raised inside of this module; `documents` hands it out as `Unreadable`."""

    def __init__(self, line: int, because: str) -> None:
        super().__init__(f"line {line}: {because}")
        self.line = line
        self.because = because


def documents(text: bytes) -> Iterator[Document | Unreadable]:
    """Every document of a YAML or JSON text in order, with an entry for each part that cannot be read.

    A broken document leaves the others of the same text readable. Empty and null documents are left out, as kubectl
    leaves them out.
    """
    strings: dict[str, Any] = {}
    for piece in _pieces(text):
        if not isinstance(piece, _Chunk):
            if not isinstance(piece, Document) or piece.value is not None:
                yield piece
            continue
        plain = _plain(piece.text, strings)
        if plain is not None:
            if plain[1] is not None:
                yield Document(plain[1], piece.line + plain[0])
            continue
        try:
            yield from _decode(piece)
        except YamlError as error:
            hint = "; this looks like a template that was not rendered" if "{{" in piece.text else ""
            yield Unreadable(error.line, error.because + hint)
        except RecursionError:
            yield Unreadable(piece.line, _TOO_DEEP)


# --- Where documents begin and end


class _Chunk(msgspec.Struct):
    """The YAML text between two separators, and the line in the whole text on which it begins."""

    text: str
    line: int


_SEPARATOR = re.compile(r"^---(.*)$", re.MULTILINE)
_NOT_BLANK = re.compile(r"[^ \t\n\r]")
_LONG_INTEGER = re.compile(r"\d{19}")


def _pieces(text: bytes) -> Iterator[_Chunk | Document | Unreadable]:
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        yield Unreadable(1, "the text is UTF-16; save it as UTF-8")
        return
    if b"\0" in text:
        yield Unreadable(text.count(b"\n", 0, text.index(b"\0")) + 1, "this is a binary file, not text")
        return
    try:
        whole = text.decode()
    except UnicodeDecodeError:
        # Surrogates mark what is not UTF-8, so that only the documents they stand in are unreadable.
        whole = text.decode(errors="surrogateescape")
    whole = whole.replace("\r\n", "\n")
    if whole and not whole.endswith("\n"):
        whole += "\n"
    if whole[:4096].lstrip().startswith("{"):
        yield from _json_pieces(whole)
    else:
        yield from _yaml_pieces(whole, 1)


def _yaml_pieces(text: str, line: int) -> Iterator[_Chunk | Unreadable]:
    """Divide at separator lines; one that comes first is part of its chunk, as in apimachinery's YAMLReader."""
    start = 0
    refused = False
    for separator in _SEPARATOR.finditer(text):
        at = separator.start()
        if at > start and not refused:
            yield _Chunk(text[start:at], line)
        trailing = separator[1].strip()
        if trailing and trailing[0] != "#":
            line += text.count("\n", start, at)
            start, refused = at, True
            yield Unreadable(line, f"only a comment may follow '---' on its line, found {_shortened(trailing)!r}")
        elif at > start or refused:
            line += text.count("\n", start, separator.end() + 1)
            start, refused = separator.end() + 1, False
    if start < len(text) and not refused:
        yield _Chunk(text[start:], line)


def _json_pieces(text: str) -> Iterator[_Chunk | Document | Unreadable]:
    start = _skip_blank(text, 0)
    if not _LONG_INTEGER.search(text):
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            pass
        else:
            line = text.count("\n", 0, start) + 1
            yield Unreadable(line, _TOO_DEEP) if _is_deep(value) else Document(value, line)
            return
    read = _JSON.raw_decode
    end, count, line, counted = 0, 0, 1, 0
    while (start := _skip_blank(text, end)) < len(text):
        line += text.count("\n", counted, start)
        counted = start
        try:
            value, end = read(text, start)
            msgspec.json.encode(value)
        except (RecursionError, OverflowError) as error:
            yield Unreadable(line, _TOO_DEEP if isinstance(error, RecursionError) else str(error))
            return
        except ValueError as error:
            if count > 1:
                yield Unreadable(
                    line + text.count("\n", start, getattr(error, "pos", start)), f"not valid JSON: {error}"
                )
                return
            newline = text.find("\n", end, start)
            rest = newline + 1 if newline >= 0 else start
            yield from _yaml_pieces(text[rest:], text.count("\n", 0, rest) + 1)
            return
        count += 1
        yield Unreadable(line, _TOO_DEEP) if _is_deep(value) else Document(value, line)


def _json_integer(digits: str) -> int | float:
    return _fitting(int(digits)) if len(digits) < 300 else _json_float(digits)


def _json_float(digits: str) -> float:
    number = float(digits)
    if number in _INFINITE:
        raise OverflowError(f"{_shortened(digits)} is too large a number")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


_JSON = json.JSONDecoder(parse_constant=_no_constant, parse_int=_json_integer, parse_float=_json_float)


def _skip_blank(text: str, start: int) -> int:
    found = _NOT_BLANK.search(text, start)
    return found.start() if found else len(text)


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for node in level
            if type(node) is dict or type(node) is list
            for child in (node.values() if type(node) is dict else node)
        ]
        if not level:
            return False
    return True


# --- What a plain scalar means: go.yaml.in/yaml/v2 v2.4, resolve.go

_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_INFINITE: Final = (float("inf"), float("-inf"))
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|(0[oO][0-7]+|0[0-7]*)|([1-9][0-9]*))")
_SIGNED_BINARY = re.compile(r"0b([-+][01]+)")
_FRACTION = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def _scalar(text: str) -> Any:
    """What go-yaml resolves an unquoted, untagged scalar to, not yet as JSON has it."""
    first = text[:1]
    if first not in "yYnNtTfFoO~.+-0123456789":
        return text
    if text in _WORDS:
        return _WORDS[text]
    if first.isalpha():
        return text
    if first == ".":
        digits = text.replace("_", "") if _FRACTION.fullmatch(text) else ""
    else:
        digits = text.replace("_", "")
        integer = _integer(digits)
        if integer is not None:
            return integer
    if _FLOAT.fullmatch(digits):
        number = float(digits)
        if number not in _INFINITE:
            return number
    return text


def _integer(digits: str) -> int | None:
    match = _INTEGER.fullmatch(digits)
    if match is None:
        binary = _SIGNED_BINARY.fullmatch(digits)
        number = int(binary[1], 2) if binary else None
        return number if number is not None and -(2**63) <= number < 2**63 else None
    sign, hexadecimal, binary_digits, octal, decimal = match.groups()
    if hexadecimal:
        number = int(hexadecimal, 16)
    elif binary_digits:
        number = int(binary_digits, 2)
    elif octal:
        number = int(octal.lower().replace("o", ""), 8)
    else:
        number = int(decimal) if len(decimal) <= 20 else 2**64
    limit = 2**63 + 1 if sign == "-" else 2**63 if sign == "+" else 2**64
    if number >= limit:
        return None
    return -number if sign == "-" else number


def _fitting(number: int) -> int | float:
    return number if -(2**63) <= number < 2**63 else float(number)


def _json_value(value: Any) -> Any:
    """A resolved scalar after its way through Go's JSON, where a float without a fraction is an integer."""
    if type(value) is int:
        return _fitting(value)
    if type(value) is float and value.is_integer() and abs(value) < 1e21:
        if abs(value) < 2**53:
            return int(value)
        from decimal import Decimal

        integer = int(Decimal(repr(value)))
        return integer if -(2**63) <= integer < 2**63 else value
    return value


def _key(value: Any) -> str | None:
    """A map key as JSON has it, or `None` where sigs.k8s.io/yaml has none."""
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int:
        return str(value) if value < 2**63 else None
    if type(value) is float:
        return _single_precision(value)
    return None


def _single_precision(value: float) -> str:
    """A float as it is written in a key: the fewest digits that give the same 32-bit float."""
    import struct

    single32 = struct.Struct("f")
    if value != value:
        return ".nan"
    try:
        (single,) = single32.unpack(single32.pack(value))
    except OverflowError:
        single = value * _INFINITE[0]
    if single in _INFINITE:
        return ".inf" if single > 0 else "-.inf"
    precision = 0
    while single32.unpack(single32.pack(float(f"{single:.{precision}e}")))[0] != single:
        precision += 1
    shortest = f"{single:.{precision}e}"
    exponent = int(shortest.partition("e")[2])
    if -4 <= exponent < 6:
        return f"{single:.{max(0, precision - exponent)}f}"
    return shortest


# --- The block style, one line at a time

_UNUSUAL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_LINE = re.compile(
    r"""([ ]*)((?:-[ ]+)*)
    (?:([A-Za-z_][A-Za-z0-9_./-]{0,200}|"[^"\\]{0,200}"|'[^']{0,200}'):(?:[ ]+|$))?
    (.*)""",
    re.VERBOSE,
)
_FLOW_ITEM = r"""(?:"[^"\\]*+"|'[^']*+'|[A-Za-z0-9_./][A-Za-z0-9_./=-]*+)"""
_VALUE = re.compile(
    rf"""(?:
    "([^"\\]*+)"
    | '([^']*+)'
    | ((?:[A-Za-z0-9_/$(.+=^;~\\<]|-(?=[^ ]))[^:#]*+(?:(?::(?=[^ ])|(?<=[^ ])\#)[^:#]*+)*+)
    | \{{[ ]*+(\}})
    | \[[ ]*+((?:{_FLOW_ITEM}[ ]*+(?:,[ ]*+{_FLOW_ITEM}[ ]*+)*+)?)\]
    | ([|>][-+]?)
    )[ ]*+(?:(?<=[ ])\#.*)?""",
    re.VERBOSE,
)
_FLOW = re.compile(_FLOW_ITEM)
_PLAIN_SEPARATOR = re.compile(r"---(?: *| +#.*)")
_MISSING: Final = object()


class _Refused(Exception):
    """What was read is not, or not provably, in the plain block style."""


def _plain(text: str, resolved: dict[str, Any]) -> tuple[int, Any] | None:
    """The 0-based first line and the value of a document in plain block style; `None` for everything else.

    Accepted are block maps and lists, scalars on one line without escapes, anchors or tags, lists of such scalars in
    brackets, `{}`, and block scalars whose indentation is not given. `resolved` keeps what scalars resolve to between
    calls.
    """
    if _UNUSUAL.search(text):
        return None
    try:
        return _read_plain(text, resolved)
    except _Refused:
        return None


def _read_plain(text: str, resolved: dict[str, Any]) -> tuple[int, Any]:
    lines = text.split("\n")
    lines.pop()
    number = 1 if _PLAIN_SEPARATOR.fullmatch(lines[0]) else 0
    first = 0
    root: list[Any] = []
    open_columns, open_containers = [-1], [root]
    column: int = -1
    container: Any = root
    # The key whose value the next line may begin: True for the root, None after a line that had a value.
    waiting: Any = True
    match_line = _LINE.match

    def enter(at: int, child: Any) -> None:
        nonlocal column, container
        open_columns.append(at)
        open_containers.append(child)
        column, container = at, child
        if len(open_columns) > MAX_DEPTH:
            raise _Refused

    while number < len(lines):
        line = lines[number]
        number += 1
        bare = line.lstrip(" ")
        if not bare or bare[0] == "#":
            continue
        indent, dashes, key, rest = match_line(line).groups()  # type: ignore[union-attr]  # every line matches
        if not dashes and key is None:
            raise _Refused
        at = len(indent)
        if at > column or (dashes and at == column and type(container) is dict):
            if waiting is None:
                raise _Refused
            child: Any = [] if dashes else {}
            if container is root:
                first = number - 1
                root.append(child)
            else:
                container[waiting] = child
            enter(at, child)
        else:
            while column > at or (not dashes and column == at and type(container) is list):
                open_columns.pop()
                open_containers.pop()
                column, container = open_columns[-1], open_containers[-1]
            if column != at or (type(container) is list) is not bool(dashes):
                raise _Refused
        waiting = None

        if dashes:
            for gap in dashes.split("-")[1:-1]:
                at += 1 + len(gap)
                child = []
                container.append(child)
                enter(at, child)
            if key is not None:
                child = {}
                container.append(child)
                enter(len(indent) + len(dashes), child)
        if key is not None:
            if key[0] in "\"'":
                key = key[1:-1]
            elif key in _WORDS:
                raise _Refused
            if not rest or rest[0] == "#":
                container[key] = None
                waiting = key
                continue

        value = resolved.get(rest, _MISSING)
        if value is _MISSING:
            style, value = _one_line(rest)
            if style:
                value, number = _block(lines, number, column, style)
            elif type(value) is not list and type(value) is not dict:
                resolved[rest] = value
        if key is not None:
            container[key] = value
        else:
            container.append(value)
    return first, root[0] if root else None


def _one_line(text: str) -> tuple[str, Any]:
    """The value that stands on one line, or the header of a block scalar that begins there."""
    match = None if "\t" in text else _VALUE.fullmatch(text)
    if match is None:
        raise _Refused
    double, single, plain, braces, flow, header = match.groups()
    if plain is not None:
        return "", _finite(_scalar(plain.rstrip(" ")))
    if header is not None:
        return header, None
    if flow is not None:
        return "", [item[1:-1] if item[0] in "\"'" else _finite(_scalar(item)) for item in _FLOW.findall(flow)]
    if braces is not None:
        return "", {}
    return "", single if double is None else double


def _finite(value: Any) -> Any:
    if type(value) is float and (value != value or value in _INFINITE):
        raise _Refused
    return _json_value(value)


def _block(lines: list[str], number: int, parent: int, header: str) -> tuple[str, int]:
    """The block scalar from line `number` on below a node at column `parent`, and the number of the line after it."""
    start = number
    while number < len(lines) and not lines[number]:
        number += 1
    opening = lines[number] if number < len(lines) else ""
    indent = opening[: len(opening) - len(opening.lstrip(" "))]
    if len(indent) <= parent or opening[len(indent) : len(indent) + 1] in ("", "\t"):
        raise _Refused
    content = [""] * (number - start)
    while number < len(lines):
        line = lines[number]
        if line.startswith(indent):
            content.append(line[len(indent) :])
        elif not line.strip(" "):
            content.append("")
        else:
            bare = line.lstrip(" ")
            if bare[0] == "#" and len(line) - len(bare) > parent:
                raise _Refused
            break
        number += 1
    blank = 0
    while not content[-1]:
        content.pop()
        blank += 1
    if header[0] == ">" and any(not line or line[0] in " \t" for line in content):
        raise _Refused
    ending = {"-": "", "+": "\n" * (1 + blank)}.get(header[1:], "\n")
    return (" " if header[0] == ">" else "\n").join(content) + ending, number


# --- Everything else, as go.yaml.in/yaml/v2 decodes it: decode.go

_TAG = "tag:yaml.org,2002:"
_MAX_ALIASES: Final = 32
_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"
_SURROGATE = re.compile("[\ud800-\udfff]")
_SOLIDUS = re.compile(r'(?:&\S+\s+|!\S*\s+)*"(?:[^\\]|\\[^/])*+\\/')
_TIMESTAMP = re.compile(r"(\d{4}-\d\d?-\d\d?)(?:([Tt ])(\d\d?):(\d\d?):(\d\d?)(?:[.,]\d+)?(Z|[-+]\d\d:\d\d)?)?")


class _Scalar(msgspec.Struct, eq=False):
    line: int
    text: str
    tag: str | None
    implicit: bool
    literal: bool


class _List(msgspec.Struct, eq=False):
    line: int
    items: "list[_Node]"


class _Map(msgspec.Struct, eq=False):
    line: int
    pairs: "list[tuple[_Node, _Node]]"


class _Alias(msgspec.Struct, eq=False):
    line: int
    name: str
    target: "_Node"


_Node = _Scalar | _List | _Map | _Alias


def _decode(chunk: _Chunk) -> Iterator[Document | Unreadable]:
    """The first YAML document of a chunk, and an entry for what stands after it, which Kubernetes does not read."""
    composer = _Composer(chunk)
    node = composer.document()
    if node is None:
        return
    value = _Decoder().value(node, 0)
    if value is not None:
        yield Document(value, node.line)
    rest = composer.rest()
    if rest:
        yield Unreadable(rest, "Kubernetes does not read what follows the end of a document before the next '---' line")


class _Composer:
    """Builds the nodes of a chunk's first document from libyaml's events; raises `YamlError`."""

    def __init__(self, chunk: _Chunk) -> None:
        import yaml

        self._yaml = yaml
        self._chunk = chunk
        self._anchors: dict[str, _Node] = {}
        stray = _SURROGATE.search(chunk.text)
        if stray:
            byte = ord(stray[0]) - 0xDC00
            raise YamlError(self._line(chunk.text.count("\n", 0, stray.start())), f"not UTF-8: byte {byte:#04x}")
        self._source = chunk.text.removeprefix("\ufeff")
        self._has_solidus = "\\/" in self._source
        self._parser = yaml.cyaml.CParser(self._source)  # type: ignore[attr-defined]  # absent in the stubs

    def document(self) -> _Node | None:
        """The root node, or `None` when there is no document."""
        events = self._yaml.events
        self._next()
        if isinstance(self._next(), events.StreamEndEvent):
            return None
        root = self._node(self._next(), 0)
        self._next()
        return root

    def rest(self) -> int:
        """The line of whatever stands behind the first document; 0 when nothing does."""
        try:
            event = self._next()
        except YamlError as error:
            return error.line
        return 0 if isinstance(event, self._yaml.events.StreamEndEvent) else self._line(event.start_mark.line)

    def _line(self, zero_based: int) -> int:
        return self._chunk.line + zero_based

    def _next(self) -> Any:
        try:
            return self._parser.get_event()
        except self._yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = self._line(mark.line if mark else 0)
            because = error.problem or "not valid YAML"
            if error.context and error.context_mark:
                because += f", {error.context} that begins on line {self._line(error.context_mark.line)}"
            raise YamlError(line, because) from None
        except self._yaml.reader.ReaderError as error:
            before = self._chunk.text.encode()[: max(error.position, 0)]
            character = error.character if isinstance(error.character, int) else ord(error.character[:1] or "\0")
            raise YamlError(self._line(before.count(b"\n")), f"{error.reason}: {character:#04x}") from None

    def _node(self, event: Any, depth: int) -> _Node:
        events = self._yaml.events
        line = self._line(event.start_mark.line)
        kind = type(event)
        if kind is events.AliasEvent:
            target = self._anchors.get(event.anchor)
            if target is None:
                raise YamlError(line, f"unknown anchor {event.anchor!r}")
            return _Alias(line, event.anchor, target)
        if depth > MAX_DEPTH:
            raise YamlError(line, _TOO_DEEP)
        if kind is events.ScalarEvent:
            if self._has_solidus and event.style == '"':
                self._refuse_solidus(event, line)
            scalar = _Scalar(line, event.value, event.tag, event.implicit[0], event.style == "|")
            if event.anchor:
                self._anchors[event.anchor] = scalar
            return scalar
        if kind is events.SequenceStartEvent:
            sequence = _List(line, [])
            if event.anchor:
                self._anchors[event.anchor] = sequence
            while type(event := self._next()) is not events.SequenceEndEvent:
                sequence.items.append(self._node(event, depth + 1))
            return sequence
        mapping = _Map(line, [])
        if event.anchor:
            self._anchors[event.anchor] = mapping
        while type(event := self._next()) is not events.MappingEndEvent:
            mapping.pairs.append((self._node(event, depth + 1), self._node(self._next(), depth + 1)))
        return mapping

    def _refuse_solidus(self, event: Any, line: int) -> None:
        """libyaml takes the escape `\\/`, go-yaml does not."""
        if _SOLIDUS.match(self._source, event.start_mark.index, event.end_mark.index):
            raise YamlError(line, "found unknown escape character '/' in a double-quoted scalar")


class _Decoder:
    """Turns nodes into the values that JSON has for them, with go-yaml's limits on aliases; raises `YamlError`."""

    def __init__(self) -> None:
        self._decoded = 0
        self._decoded_in_aliases = 0
        self._aliases: list[_Alias] = []

    def value(self, node: _Node, depth: int) -> Any:
        self._count(node, depth)
        if type(node) is _Scalar:
            resolved = _tagged(node)
            if type(resolved) is float and (resolved != resolved or resolved in _INFINITE):
                raise YamlError(node.line, f"{node.text} has no form in JSON")
            return _json_value(resolved)
        if type(node) is _List:
            return [self.value(item, depth + 1) for item in node.items]
        if type(node) is _Map:
            out: dict[str, Any] = {}
            self._fill(out, node, depth)
            return out
        assert type(node) is _Alias
        return self._follow(node, lambda target: self.value(target, depth))

    def _count(self, node: _Node, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise YamlError(node.line, _TOO_DEEP)
        self._decoded += 1
        if self._aliases:
            self._decoded_in_aliases += 1
            if self._decoded_in_aliases > 100 and self._decoded > 1000:
                beyond = min(max(self._decoded - 400_000, 0) / 3_600_000, 1)
                if self._decoded_in_aliases / self._decoded > 0.99 - 0.89 * beyond:
                    raise YamlError(
                        self._aliases[0].line, "the aliases of this document multiply its content too often"
                    )

    def _follow(self, alias: _Alias, decode: Callable[[_Node], Any]) -> Any:
        if len(self._aliases) >= _MAX_ALIASES:
            raise YamlError(alias.line, f"aliases of aliases, more than {_MAX_ALIASES} levels deep")
        if alias in self._aliases:
            raise YamlError(alias.line, f"the value of anchor {alias.name!r} contains itself")
        self._aliases.append(alias)
        result = decode(alias.target)
        self._aliases.pop()
        return result

    def _fill(self, out: dict[str, Any], node: _Map, depth: int) -> None:
        for key, value in node.pairs:
            if _is_merge(key):
                self._merge(out, value, depth)
            else:
                name = self._name(key, depth)
                out[name] = self.value(value, depth + 1)

    def _name(self, key: _Node, depth: int) -> str:
        self._count(key, depth + 1)
        if type(key) is _Alias:
            return cast(str, self._follow(key, lambda target: self._name(target, depth)))
        name = _key(_tagged(key)) if type(key) is _Scalar else None
        if name is None:
            found = repr(key.text or "null") if type(key) is _Scalar else "a map" if type(key) is _Map else "a list"
            raise YamlError(key.line, f"a key must be a string, found {found}")
        return name

    def _merge(self, out: dict[str, Any], node: _Node, depth: int) -> None:
        if type(node) is _List:
            for item in reversed(node.items):
                if type(item) is _List:
                    break
                self._merge(out, item, depth)
            else:
                return
        target = node.target if type(node) is _Alias else node
        if type(target) is not _Map:
            raise YamlError(node.line, "the value of '<<' must be a map or a list of maps")
        self._count(node, depth)
        if type(node) is _Alias:
            self._follow(node, lambda _: self._merge(out, target, depth))
        else:
            self._fill(out, target, depth)


def _is_merge(key: _Node) -> bool:
    return type(key) is _Scalar and key.text == "<<" and (key.implicit or key.tag == _TAG + "merge")


def _tagged(node: _Scalar) -> Any:
    """What a scalar with its tag and quotes resolves to, not yet as JSON has it."""
    if node.tag is None:
        return _scalar(node.text) if node.implicit else node.text
    name = node.tag.removeprefix(_TAG)
    if name == "binary" and name != node.tag:
        return _from_base64(node)
    if name == node.tag or name not in ("bool", "int", "float", "null", "timestamp"):
        return node.text
    value = _scalar(node.text)
    kind = {bool: "bool", int: "int", float: "float", str: "str"}.get(type(value), "null")
    if kind == "str" and name == "timestamp" and _is_timestamp(node.text):
        return node.text
    if kind == "int" and name == "float" and value < 2**63:
        return float(value)
    if kind != name:
        raise YamlError(node.line, f"{_shortened(node.text)!r} is no !!{name}")
    return value


def _from_base64(node: _Scalar) -> str:
    import base64

    try:
        return base64.b64decode(node.text.replace("\n", "").replace("\r", ""), validate=True).decode(errors="replace")
    except ValueError:
        raise YamlError(node.line, "the value of !!binary is not base64") from None


def _is_timestamp(text: str) -> bool:
    """The formats of go-yaml: a date, a date and time separated by a space, or by `T` and with a zone."""
    from datetime import date

    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return False
    day, separator, hour, minute, second, zone = match.groups()
    if separator and (separator == " ") is not (zone is None):
        return False
    try:
        date(*map(int, day.split("-")))
    except ValueError:
        return False
    return not separator or (int(hour) < 24 and int(minute) < 60 and int(second) < 60)


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


# --- Paths and where they stand

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_STEP = re.compile(rf"(\.?)({_NAME.pattern})|\[(?:([0-9]+)|(\"(?:[^\"\\]|\\.)*\"))\]")


def path_steps(path: str) -> list[str | int]:
    """The keys and list indices of a path like `spec.rules[0].name` or `data["config.yaml"]`; raises `ValueError`."""
    steps, end = _steps(path)
    if end < len(path):
        raise ValueError(f"not a path from character {end + 1} on: {path}")
    return steps


def join(steps: Iterable[str | int]) -> str:
    """The path of keys and list indices; the inverse of `path_steps`."""
    path = ""
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        elif _NAME.fullmatch(step):
            path += f".{step}" if path else step
        else:
            path += f"[{json.dumps(step, ensure_ascii=False)}]"
    return path


def _steps(path: str) -> tuple[list[str | int], int]:
    steps: list[str | int] = []
    end = 0
    while match := _STEP.match(path, end):
        dot, name, index, quoted = match.groups()
        if name is not None and bool(dot) is not bool(steps):
            break
        steps.append(
            name if name is not None else int(index) if index is not None else json.loads(quoted, strict=False)
        )
        end = match.end()
    return steps, end


class Positions:
    """On which lines of a text the values of one document stand.

    `document_line` is `Document.line`; without it the first document is meant. The text is parsed when the first line
    is asked for.
    """

    def __init__(self, text: bytes, document_line: int = 1) -> None:
        self._text = text
        self._document_line = document_line

    def line(self, path: str) -> int:
        """The 1-based line, in the whole text, of the key or list item at a path.

        A path that does not exist has the line of its nearest existing ancestor, at worst that of the document. What
        follows `#` is a path within YAML text that the value holds: `data["config.yaml"]#model_list[0]`. Raises
        `ValueError` for what is no path.
        """
        outer, end = _steps(path)
        inner = path[end + 1 :]
        if end < len(path):
            if path[end] != "#":
                path_steps(path)
            path_steps(inner.replace("#", "."))
        root = self._root
        if root is None:
            return self._document_line
        line, node, found = root.line, root, True
        for step in outer:
            child = _child(_target(node), step, set())
            if child is None:
                found = False
                break
            line, node = child
        node = _target(node)
        if found and inner and type(node) is _Scalar and node.literal:
            return node.line + Positions(node.text.encode()).line(inner)
        return line

    @cached_property
    def _root(self) -> _Node | None:
        lines = self._text.decode(errors="surrogateescape").replace("\r\n", "\n").split("\n")
        text = "\n".join(lines[self._document_line - 1 :]) + "\n"
        try:
            for chunk in _yaml_pieces(text, self._document_line):
                root = _Composer(chunk).document() if isinstance(chunk, _Chunk) else None
                if root is not None:
                    return root
        except (YamlError, RecursionError):
            pass
        return None


def _target(node: _Node) -> _Node:
    return node.target if type(node) is _Alias else node


def _child(node: _Node, step: str | int, seen: set[int]) -> tuple[int, _Node] | None:
    """The line and the value of one step below a node; the key that is written last, or merged last, counts."""
    if type(node) is _List and isinstance(step, int):
        return (node.items[step].line, node.items[step]) if step < len(node.items) else None
    if type(node) is not _Map or not isinstance(step, str) or id(node) in seen:
        return None
    seen.add(id(node))
    for key, value in reversed(node.pairs):
        if _is_merge(key):
            for merged in value.items if type(value) is _List else [value]:
                child = _child(_target(merged), step, seen)
                if child:
                    return child
        elif _names(_target(key), step):
            return key.line, value
    return None


def _names(key: _Node, step: str) -> bool:
    try:
        return type(key) is _Scalar and _key(_tagged(key)) == step
    except YamlError:
        return False
