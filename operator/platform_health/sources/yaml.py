"""YAML and JSON, read with exactly the values that Kubernetes reads from them.

Every Kubernetes client turns manifests into JSON with sigs.k8s.io/yaml, which resolves scalars with go.yaml.in/yaml/v2: YAML 1.1
booleans (`yes`, `on`, `y`), octal, hexadecimal and binary integers, no sexagesimals, timestamps as strings. No Python library does the same.

Two readers give the same values. `_plain` reads the block style that manifests are written in, one line at a time, and refuses
everything that it cannot prove to be just that; what it refuses goes to `_decode`, which follows go-yaml's decoder over libyaml's
events. rapidyaml is not used: it takes malformed documents, and the proof that one is well-formed costs as much as reading it. Nodes
are not composed by PyYAML, whose C composer recurses without bound.

Followed where the choice was open:

- A repeated key: the last one wins, as in kubectl and the API server; only their strict validation says more, and only as a warning
  unless asked. `<<` is applied where it stands, so that it overrides keys above it.
- Documents are divided at lines that begin with `---`, even inside of a scalar, and no text may follow on such a line (apimachinery,
  YAMLReader). kubectl reads one YAML document between two such lines and silently drops the rest; here the rest is `Unreadable`.
- Numbers are what JSON makes of them: `1.0` and `1e3` in YAML are integers; an integer that does not fit 64 bits is a float.
- Text that begins with `{` is first tried as a stream of JSON values (apimachinery, YAMLOrJSONDecoder).

Known differences: nesting is bounded at 256 levels instead of 10,000, UTF-16 is refused, JSON with invalid UTF-8 or lone surrogates is
refused instead of repaired, and of two keys that are equal only as strings (`1` and `"1"`) the last one wins, not a random one.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

import msgspec

__all__ = ["MAX_DEPTH", "Document", "Positions", "Unreadable", "YamlError", "documents", "join", "path_steps"]

MAX_DEPTH: Final = 256
"""How many levels of maps and lists a document may have, aliases expanded."""


class Document(msgspec.Struct, frozen=True):
    """One document of a text: its value as `dict`, `list`, `str`, `int`, `float` or `bool`, and the 1-based line of its first content."""

    value: Any
    line: int


class Unreadable(msgspec.Struct, frozen=True):
    """A part of a text that cannot be read: the 1-based line of the problem within the whole text, and why, for a user."""

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

    A broken document leaves the others of the same text readable. Empty and null documents are left out, as kubectl leaves them out.
    """
    strings: dict[str, Any] = {}
    for piece in _pieces(text):
        if not isinstance(piece, _Chunk):
            if not isinstance(piece, Document) or piece.value is not None:
                yield piece
            continue
        plain = _plain(piece.text, strings)
        if plain is not None:
            yield Document(plain[1], piece.line + plain[0])
            continue
        try:
            yield from _decode(piece)
        except YamlError as error:
            yield Unreadable(error.line, error.because)


# --- Where documents begin and end


class _Chunk(msgspec.Struct):
    """The YAML text between two separators, and the line in the whole text on which it begins."""

    text: str
    line: int


_SEPARATOR = re.compile(r"^---(.*)$", re.MULTILINE)
_NOT_BLANK = re.compile(r"[^ \t\n\r]")
_LONG_INFINITE: Final = (float("inf"), float("-inf"))
_INTEGER = re.compile(r"\d{19}")


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
        except RecursionError:
            yield Unreadable(line, _TOO_DEEP)
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
        raise ValueError(f"{_shortened(digits)} is too large a number")
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
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|(0[oO][0-7]+|0[0-7]*)|([1-9][0-9]*))")
_SIGNED_BINARY = re.compile(r"0b([-+][01]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def _scalar(text: str) -> Any:
    """The value of an unquoted, untagged scalar as go-yaml resolves it: `str`, `int`, `float` (not yet as JSON has it), `bool` or `None`."""
    first = text[:1]
    if first not in "yYnNtTfFoO~.+-0123456789":
        return text
    if text in _WORDS:
        return _WORDS[text]
    if first.isalpha():
        return text
    if first == ".":
        digits = text
    else:
        digits = text.replace("_", "")
        integer = _integer(digits)
        if integer is not None:
            return integer
    if len(digits) < 4096 and _FLOAT.fullmatch(digits):
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
    if len(digits) > 80:
        return None if digits.strip("+-0xXbBoO") else 0
    sign, hexadecimal, binary_digits, octal, decimal = match.groups()
    if hexadecimal:
        number = int(hexadecimal, 16)
    elif binary_digits:
        number = int(binary_digits, 2)
    elif octal:
        number = int(octal.lower().replace("o", ""), 8)
    else:
        number = int(decimal)
    limit = 2**63 + 1 if sign == "-" else 2**63 if sign == "+" else 2**64
    if number >= limit:
        return None
    return -number if sign == "-" else number


def _fitting(number: int) -> int | float:
    return number if -(2**63) <= number < 2**63 else float(number)


def _json_value(value: Any) -> Any:
    """A resolved scalar after its way through JSON: floats without a fraction are written as integers (Go, encoding/json)."""
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
    """A float with the fewest digits that give the same 32-bit float, as a key gets it (Go, strconv.FormatFloat(f, 'g', -1, 32))."""
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

_UNUSUAL = re.compile("[^\n\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_LINE = re.compile(
    r"""( *)((?:-\ +)*)
    (?:([A-Za-z_][A-Za-z0-9_./-]{0,200}|"[^"\\]{0,200}"|'[^']{0,200}'):(?:\ +|$))?
    (.*)""",
    re.VERBOSE,
)
_COMMENT = r"\ *(?:(?<=\ )\#.*)?"
_FLOW_ITEM = r"""(?:"[^"\\]*"|'[^']*'|[A-Za-z0-9_./][A-Za-z0-9_./=-]*)"""
_VALUE = re.compile(
    rf"""(?:
    "([^"\\\t]*)"
    | '([^'\t]*)'
    | ((?:[A-Za-z0-9_/$(.+=^;~\\<]|-(?=[^\ \t]))[^:#\t]*(?:(?::(?=[^\ \t])|(?<=[^\ ])\#)[^:#\t]*)*)
    | (\{{\}})
    | \[\ *((?:{_FLOW_ITEM}(?:\ *,\ *{_FLOW_ITEM})*)?)\ *\]
    | ([|>])([-+]?)
    ){_COMMENT}""",
    re.VERBOSE,
)
_FLOW = re.compile(_FLOW_ITEM)
_NO_VALUE: Final = re.compile(r"(?:\#.*)?")


class _Refused(Exception):
    """The text is not, or not provably, in the plain block style."""


def _plain(text: str, strings: dict[str, Any]) -> tuple[int, Any] | None:
    """The 0-based line of the first content and the value of a document in plain block style; `None` for everything else.

    Accepted are block maps and lists, one-line scalars without escapes, anchors or tags, lists of such scalars in brackets, `{}`, and
    block scalars whose indentation is not given. `strings` keeps what scalars resolve to between calls.
    """
    if _UNUSUAL.search(text):
        return None
    try:
        return _Plain(text, strings).read()
    except _Refused:
        return None


def _read_plain(text: str, resolved: dict[str, Any]) -> tuple[int, Any] | None:
    lines = text.split("\n")
    lines.pop()
    count = len(lines)
    match_line = _LINE.match
    root: list[Any] = []
    columns: list[int] = [-1]
    containers: list[Any] = [root]
    column, container = -1, root
    pending: Any = 0
    first = -1
    at = 1 if lines and lines[0].startswith("---") else 0
    while at < count:
        line = lines[at]
        at += 1
        stripped = line.lstrip(" ")
        if not stripped or stripped[0] == "#":
            continue
        ...
