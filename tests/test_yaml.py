"""The YAML source reads what Kubernetes reads: expected values were taken from sigs.k8s.io/yaml v1.6.0."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platform_health import yaml
from platform_health.yaml import Document, Positions, Unreadable, documents, join, path_steps

CORPUS = Path(__file__).parents[1] / ".." / "shared" / "corpus"
BROKEN = object()

SCALARS: dict[str, Any] = {
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], True),
    **dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], False),
    **dict.fromkeys(["~", "null", "Null", "NULL", "", "!!null ''"]),
    **{
        text: text
        for text in ["yES", "oN", "tRue", "nUll", "~~", "nan", "inf", "Infinity", "e3", "<<", "_1", "+", "-x"]
    },
    **{
        text: text
        for text in ["1.2.3", "v1", "10Gi", "500m", "1:30", "190:20:30", "0o8", "0xG", "0x", "0x1p3", "1e", "1e+"]
    },
    **{text: text for text in ["2001-01-01", "2001-12-14t21:59:43.10-05:00", "2001-01-01 10:00:00", "1,000", "++1"]},
    **{
        text: text
        for text in ["a#b", "a:b", "http://x:80/y", "--port=80", "--", "$(A)", "a b", "é€😀", "a - b", "C:\\x"]
    },
    "0644": 420,
    "0o644": 420,
    "0O17": 15,
    "0777": 511,
    "00": 0,
    "08": 8,
    "09.5": 9.5,
    "0_644": 420,
    "0x1F": 31,
    "0X1f": 31,
    "0x_1F": 31,
    "-0x10": -16,
    "0b101": 5,
    "0B11": 3,
    "-0b11": -3,
    "0b-1": -1,
    "0b+1": 1,
    "+1": 1,
    "-1": -1,
    "+0": 0,
    "-0": 0,
    "-0.0": 0,
    "1_000": 1000,
    "1__0": 10,
    "1_": 1,
    "1_2_3.4_5": 123.45,
    ".5": 0.5,
    "+.5": 0.5,
    "-.5": -0.5,
    ".5e3": 500,
    ".5_0": 0.5,
    "._5": "._5",
    "5.": 5,
    "0.5": 0.5,
    "1.10": 1.1,
    "1e3": 1000,
    "1E3": 1000,
    "1e+3": 1000,
    "1.0": 1,
    "1.5e3": 1500,
    "1e-3": 0.001,
    "1e-7": 1e-7,
    "1e20": 1e20,
    "1e21": 1e21,
    "1e400": "1e400",
    "1e-400": 0,
    "1152921504606846976.0": 1152921504606847000,
    "9223372036854775807": 2**63 - 1,
    "9223372036854775808": 2.0**63,
    "-9223372036854775808": -(2**63),
    "18446744073709551615": 2.0**64,
    "18446744073709551616": 2.0**64,
    "-9223372036854775809": -(2.0**63),
    "0x8000000000000000": 2.0**63,
    "-0x8000000000000001": "-0x8000000000000001",
    "0x10000000000000000": "0x10000000000000000",
    **dict.fromkeys([".inf", ".Inf", "+.INF", "-.inf", ".nan", ".NaN", "!!float .inf"], BROKEN),
    "'yes'": "yes",
    '"0644"': "0644",
    "'1.0'": "1.0",
    '""': "",
    "''": "",
    "'it''s'": "it's",
    '"a\\tb\\x41\\u00e9"': "a\tbAé",
    "!!str 5": "5",
    "!!str": "",
    "!!int '5'": 5,
    "!!int 0x1F": 31,
    "!!int x": BROKEN,
    "!!float 1": 1,
    "!!bool yes": True,
    "!!bool 1": BROKEN,
    "!!null x": BROKEN,
    "! '12'": "12",
    "!x y": "y",
    "!!binary aGk=": "hi",
    "!!binary x": BROKEN,
    "!!timestamp 2001-01-01": "2001-01-01",
    "!!timestamp 2001-02-30": BROKEN,
    "!!timestamp x": BROKEN,
    "!!set x": "x",
    '"\\/"': BROKEN,
    '"\\q"': BROKEN,
    "@x": BROKEN,
    "`x": BROKEN,
    "%x": BROKEN,
    "a: b": BROKEN,
    "- b": BROKEN,
    "*a": BROKEN,
    "{}": {},
    "[]": [],
    "[a, 'b', \"c\", 1, yes]": ["a", "b", "c", 1, True],
    "{a: yes}": {"a": True},
    "x # c": "x",
    "'x' # c": "x",
}

KEYS = {
    "yes": "true",
    "on": "true",
    "n": "false",
    "1": "1",
    "0x1F": "31",
    "0644": "420",
    "1_000": "1000",
    "'1'": "1",
    "y z": "y z",
    "1.5": "1.5",
    "1e5": "100000",
    "1e6": "1e+06",
    "1.0e21": "1e+21",
    "12345678.9": "1.2345679e+07",
    "0.0001": "0.0001",
    "0.00001": "1e-05",
    ".inf": ".inf",
    "-.inf": "-.inf",
    ".nan": ".nan",
    "1e300": ".inf",
    "-0.0": "-0",
    "2001-01-01": "2001-01-01",
    **dict.fromkeys(["null", "~", "[a]", "{a: 1}", "9223372036854775808"], BROKEN),
}


def read(text: str | bytes) -> Any:
    """The value of the only document of a text; BROKEN when it is unreadable."""
    found = list(documents(text if isinstance(text, bytes) else text.encode()))
    if not found:
        return None
    (only,) = found
    return BROKEN if isinstance(only, Unreadable) else only.value


def values(text: str | bytes) -> list[Any]:
    found = documents(text if isinstance(text, bytes) else text.encode())
    return [(entry.line, BROKEN if isinstance(entry, Unreadable) else entry.value) for entry in found]


def exactly(value: Any) -> str:
    return "broken" if value is BROKEN else json.dumps(value, sort_keys=True)


def by_events(text: bytes) -> list[Document | Unreadable]:
    """What the slow reader alone makes of a text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "_plain", lambda *_: None)
        return list(documents(text))


def assert_readers_agree(text: bytes) -> None:
    assert [repr(entry) for entry in documents(text)] == [repr(entry) for entry in by_events(text)]


@pytest.mark.parametrize(
    ("form", "whole"),
    [
        ("k: %s\n", lambda value: {"k": value}),
        ("k: %s\nl: 1\n", lambda value: {"k": value, "l": 1}),
        ("- %s\n- 1\n", lambda value: [value, 1]),
        ("a:\n- k: %s # c\n  l: 1\n", lambda value: {"a": [{"k": value, "l": 1}]}),
    ],
)
@pytest.mark.parametrize("scalar", SCALARS)
def test_a_scalar_has_the_value_it_has_in_kubernetes(scalar: str, form: str, whole: Callable[[Any], Any]) -> None:
    value = SCALARS[scalar]
    if (form[0], scalar) in {("-", "- b"), ("-", "a: b")}:
        pytest.skip("a structure, not a scalar")
    assert exactly(read(form % scalar)) == exactly(BROKEN if value is BROKEN else whole(value))


@pytest.mark.parametrize("scalar", KEYS)
def test_a_key_is_the_string_it_is_in_kubernetes(scalar: str) -> None:
    got = read(f"? {scalar}\n: 1\n")
    assert exactly(got) == exactly(BROKEN if KEYS[scalar] is BROKEN else {KEYS[scalar]: 1})


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "a: 1\na: 2\n": {"a": 2},
        "a: 1\nb: 1\na:\n  c: 1\n": {"a": {"c": 1}, "b": 1},
        "1: a\n'1': b\n": {"1": "b"},
        "a: &x 1\nb: *x\n": {"a": 1, "b": 1},
        "a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3\n": {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}},
        "a: &x {p: 1, q: 2}\nb:\n  q: 3\n  <<: *x\n": {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 2}},
        "a: &x {p: 1}\nb: &y {p: 2, r: 3}\nc:\n  <<: [*x, *y]\n": {
            "a": {"p": 1},
            "b": {"p": 2, "r": 3},
            "c": {"p": 1, "r": 3},
        },
        "a: {'<<': {b: 1}}\n": {"a": {"<<": {"b": 1}}},
        "a: {<<: 1}\n": BROKEN,
        "a: {<<: [1]}\n": BROKEN,
        "a: {<<: [[{b: 1}]]}\n": BROKEN,
        "a: &x [*x]\n": BROKEN,
        "a: &x {<<: *x}\n": BROKEN,
        "a: *nope\n": BROKEN,
        "&a a: 1\n*a : 2\n": {"a": 2},
        "a: |\n\n  x\n\n   y\n\nb: 1\n": {"a": "\nx\n\n y\n", "b": 1},
        "a: |+\n  x\n\n\nb: 1\n": {"a": "x\n\n\n", "b": 1},
        "a: |-\n  x\n\n\nb: 1\n": {"a": "x", "b": 1},
        "a: |\n  x": {"a": "x\n"},
        "a: >\n  x\n  y\n\n  z\n   w\n  v\n": {"a": "x y\nz\n w\nv\n"},
        "a: >-\n  x\n  y\n": {"a": "x y"},
        "a: |2\n    x\n": {"a": "  x\n"},
        "a: |\n  x\n  \ty\n": {"a": "x\n\ty\n"},
        "a: |\n  x\n\ty\n": BROKEN,
        "- a: |\n   x\n  b: 1\n": [{"a": "x\n", "b": 1}],
        "- |\n x\n- z\n": ["x\n", "z"],
        "a:\n- b:\n  - c\n- d\ne: f\n": {"a": [{"b": ["c"]}, "d"], "e": "f"},
        "- - - a\n    - b\n  - c\n- d\n": [[["a", "b"], "c"], "d"],
        "a:\n\n# c\n  b: 1\n      # d\n  c:\nd:\n": {"a": {"b": 1, "c": None}, "d": None},
        "a: b\n  c\n": {"a": "b c"},
        "a: b\n  c: d\n": BROKEN,
        "a:\n  b: 1\n c: 2\n": BROKEN,
        "a:\n- b\nb: 1\n- c\n": BROKEN,
        "a: [1, 2\n": BROKEN,
        "a: {{ .Values.x }}\n": BROKEN,
        "a:\tb\n": {"a": "b"},
        "\ta: 1\n": BROKEN,
        "a:\n\tb: 1\n": BROKEN,
        "a: 'x\n\n  y'\n": {"a": "x\ny"},
        "[1, 0x1F]": [1, 31],
        "plain text": "plain text",
    }.items(),
)
def test_a_document_has_the_value_it_has_in_kubernetes(text: str, expected: Any) -> None:
    assert exactly(read(text)) == exactly(expected)
    crlf = read(text.replace("\n", "\r\n"))
    assert exactly(crlf) == exactly(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n# only\n# comments\n", []),
        ("---\n---\n\n---\n# c\n--- # d\n", []),
        ("null\n---\n~\n", []),
        ("a: 1\n---\nb: 2\n", [(1, {"a": 1}), (3, {"b": 2})]),
        ("# c\n\n---\n# d\na: 1\n---\n\n---\nb: 2", [(5, {"a": 1}), (9, {"b": 2})]),
        ("a: 1\n--- \t\nb: 2\n...\n", [(1, {"a": 1}), (3, {"b": 2})]),
        ("a: 1\n...\n---\nb: 2\n", [(1, {"a": 1}), (4, {"b": 2})]),
        ("a: 1\n...\nb: 2\n---\nc: 3\n", [(1, {"a": 1}), (3, BROKEN), (5, {"c": 3})]),
        ("{a: 1} b: 2\n", [(1, BROKEN)]),
        ("a: 1\n---\nb: [\n---\nc: 3\n", [(1, {"a": 1}), (4, BROKEN), (5, {"c": 3})]),
        ("a: 1\n--- b: 2\nx: 1\n---\nc: 3\n", [(1, {"a": 1}), (2, BROKEN), (5, {"c": 3})]),
        ("a: 1\n-----BEGIN\nb: 2\n", [(1, {"a": 1}), (2, BROKEN)]),
        ('k: "a\n---\nb"\n', [(2, BROKEN), (3, 'b"')]),
        ("%YAML 1.1\n---\na: 1\n", [(2, BROKEN), (3, {"a": 1})]),
        ("\ufeffa: 1\n---\nb: 2\n", [(1, {"a": 1}), (3, {"b": 2})]),
        ("\ufeff---\na: 1\n---\nb: 2\n", [(2, {"a": 1}), (4, {"b": 2})]),
        ("a: 1\r\n---\r\nb:\r\n  - x\r\n", [(1, {"a": 1}), (3, {"b": ["x"]})]),
        ('{"a": 1.0, "b": 1e3, "a": 2}', [(1, {"a": 2, "b": 1000.0})]),
        ('\n {"a": 12345678901234567890, "b": -0}', [(2, {"a": 1.2345678901234567e19, "b": 0})]),
        ('{"a": 1}{"b": 2}\n{"c": 3}\n', [(1, {"a": 1}), (1, {"b": 2}), (2, {"c": 3})]),
        ('{"a": 1}\n{"b": 2}\n{"c": 3\n', [(1, {"a": 1}), (2, {"b": 2}), (4, BROKEN)]),
        ('{"a": 1.0}\n---\n{"b": 2.0}\n---\nc: 3\n', [(1, {"a": 1.0}), (3, {"b": 2}), (5, {"c": 3})]),
        ("{a: 1.0}\n---\nb: 2\n", [(1, {"a": 1}), (3, {"b": 2})]),
        ('{"a": NaN}', [(1, {"a": "NaN"})]),
        ('{"a": 1e400}', [(1, BROKEN)]),
        ('{"a": "\\ud800"}', [(1, BROKEN)]),
        ('{"a": "\\ud83d\\ude00"}', [(1, {"a": "😀"})]),
    ],
)
def test_documents_are_divided_as_kubectl_divides_them(text: str, expected: list[Any]) -> None:
    got = values(text)
    assert [(line, exactly(value)) for line, value in got] == [(line, exactly(value)) for line, value in expected]


def test_a_single_word_of_utf_8_damage_costs_one_document() -> None:
    assert values(b"a: 1\n---\nb: 2\nc: \xff\n---\nd: \xc3\xa9\n") == [(1, {"a": 1}), (4, BROKEN), (6, {"d": "é"})]


@pytest.mark.parametrize(
    ("text", "line", "because"),
    [
        (b"\x7fELF\n\0\0\0", 2, "binary"),
        ("a: 1\n".encode("utf-16"), 1, "UTF-16"),
        (b"a: 1\nb: \xe9\n", 2, "not UTF-8: byte 0xe9"),
        (b"a: 1\nb: x\x01y\n", 2, "control characters are not allowed"),
        (
            b"# c\na:\n  b: 1\n c: 2\n",
            4,
            "did not find expected key, while parsing a block mapping that begins on line 2",
        ),
        (b"x: 1\n---\na: {{ .Values.a }}\n", 3, "template that was not rendered"),
        (b"a: .inf\n", 1, "has no form in JSON"),
        (b"a:\n  null: 1\n", 2, "a key must be a string, found 'null'"),
        (b"a: *b\n", 1, "unknown anchor 'b'"),
        (b"a: &x\n  b: *x\n", 2, "the value of anchor 'x' contains itself"),
        (b"a: 1\n...\n]\n", 3, "Kubernetes does not read what follows"),
        (b"a: !!int x\n", 1, "'x' is no !!int"),
        ('a: \u00e9\nb: &x "\U0001f600\\/"\n'.encode(), 2, "unknown escape character"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(text: bytes, line: int, because: str) -> None:
    (entry,) = [entry for entry in documents(text) if isinstance(entry, Unreadable)]
    assert (entry.line, because in entry.because) == (line, True), entry


# --- Hostile input


def bomb(levels: int) -> bytes:
    return b"a0: &a0 [x, x]\n" + b"".join(
        b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, levels)
    )


HOSTILE = {
    "alias bomb": bomb(12),
    "merge bomb": b"a0: &a0 {x: 1}\n"
    + b"".join(b"a%d: &a%d {<<: [%s]}\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 12)),
    "flow lists": b"[" * 200_000,
    "flow maps": b"{a: " * 100_000,
    "flow keys": b"{" * 100_000,
    "json lists": b'{"a":' + b"[" * 200_000,
    "closed json": b'{"a":' * 600 + b"1" + b"}" * 600,
    "block lists": b"- " * 100_000 + b"x\n",
    "block maps": b"\n".join(b" " * n + b"a:" for n in range(2_000)) + b"\n",
    "aliased depth": b"a0: &a0 [x]\n" + b"".join(b"a%d: &a%d [*a%d]\n" % (n, n, n - 1) for n in range(1, 2_000)),
    "question marks": b"? " * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_is_an_entry_and_nothing_worse(name: str) -> None:
    """In a process of its own, because the failure to fear is a crash of the interpreter."""
    program = (
        "import sys\nfrom platform_health.yaml import documents, Positions, Unreadable\n"
        "text = sys.stdin.buffer.read()\nfound = list(documents(text))\n"
        "assert found and all(isinstance(entry, Unreadable) for entry in found), str(found)[:200]\n"
        "for path in ('a.b[0]', 'a11.nope', 'a1000[0][0]'):\n    Positions(text).line(path)\n"
    )
    path = os.pathsep.join([str(Path(yaml.__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=HOSTILE[name],
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]


def test_aliases_that_do_not_multiply_are_welcome() -> None:
    text = b"x: &x {a: 1, b: [1, 2]}\nitems:\n" + b"- *x\n" * 20
    assert read(text) == {"x": {"a": 1, "b": [1, 2]}, "items": [{"a": 1, "b": [1, 2]}] * 20}


def test_values_of_aliases_are_not_shared() -> None:
    value = read("a: &x {b: 1}\nc: *x\n")
    value["a"]["b"] = 2
    assert value["c"] == {"b": 1}


@pytest.mark.parametrize("depth", [100, yaml.MAX_DEPTH, yaml.MAX_DEPTH + 1])
def test_nesting_has_the_same_bound_in_every_form(depth: int) -> None:
    forms = ["- " * depth + "x\n", "[" * depth + "x" + "]" * depth, '{"a":' * depth + "1" + "}" * depth]
    forms.append("\n".join(" " * n + "a:" for n in range(depth)) + " x\n")
    assert [read(form) is BROKEN for form in forms] == [depth > yaml.MAX_DEPTH] * 4


@pytest.mark.parametrize(
    "line",
    [
        "a: x" + " " * 200_000 + "\ty: z",
        "a: " + "x: " * 100_000,
        "a: " + "[" + "b, " * 100_000,
        "a: " + "x #" * 100_000,
    ],
)
def test_long_lines_take_no_quadratic_time(line: str) -> None:
    assert_readers_agree(line.encode())


def test_very_long_input() -> None:
    assert len(read("items:\n" + "- name: x\n  data: |\n    y\n" * 50_000)["items"]) == 50_000
    assert read('a: "' + "x" * 3_000_000 + '"\n') == {"a": "x" * 3_000_000}


# --- The two readers agree

WORDS = st.sampled_from(
    [*SCALARS, "|", "|-\n", ">\n", "|+\n  x\n", "&a x", "*a", "? x", "x:", ": x", "#c", "x #c", "---", "...", "\t"]
)
BITS = st.sampled_from(
    [
        "\n",
        "\n",
        "\n  ",
        "\n    ",
        "\n- ",
        "\n  - ",
        "- ",
        "a: ",
        "b: ",
        "c:",
        "\n\n",
        " ",
        "  ",
        "'k': ",
        '"k": ',
        "<<: ",
    ]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(BITS | WORDS, max_size=30).map("".join))
def test_the_readers_agree_on_anything(text: str) -> None:
    assert_readers_agree(text.encode())


def block_style(value: Any, indent: int, compact: bool) -> Iterator[str]:
    pad = " " * indent
    if isinstance(value, dict) and value:
        for key, child in value.items():
            if isinstance(child, dict | list) and child:
                yield f"{pad}{key}:"
                yield from block_style(child, indent + (0 if compact and isinstance(child, list) else 2), compact)
            elif isinstance(child, str) and "\n" in child:
                yield f"{pad}{key}: |-"
                yield from (pad + "  " + line if line else "" for line in child.split("\n"))
            else:
                yield f"{pad}{key}: {child if isinstance(child, str) else json.dumps(child)}"
    elif isinstance(value, list) and value:
        for child in value:
            first, *others = block_style(child, indent + 2, compact)
            yield f"{pad}- {first.lstrip(' ')}"
            yield from others
    else:
        yield pad + (value if isinstance(value, str) else json.dumps(value))


TREES = st.recursive(
    st.sampled_from([text for text in SCALARS if text]) | st.integers() | st.booleans() | st.just("x\n\n  y\nz"),
    lambda children: (
        st.lists(children, min_size=1, max_size=4)
        | st.dictionaries(st.sampled_from([*"abcd", "yes", "a.b/c", "'q'"]), children)
    ),
    max_leaves=20,
)


@settings(max_examples=500, deadline=None)
@given(TREES, st.booleans())
def test_the_readers_agree_on_block_style(tree: Any, compact: bool) -> None:
    assert_readers_agree(("\n".join(block_style(tree, 0, compact)) + "\n").encode())


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of manifests is not beside this repository")
def test_the_readers_agree_on_the_corpus() -> None:
    files = [file for file in sorted(CORPUS.rglob("*")) if file.suffix in (".yaml", ".yml", ".json")]
    for file in files:
        assert_readers_agree(file.read_bytes())


# --- Paths and positions

PATHS: dict[str, list[str | int]] = {
    "": [],
    "spec": ["spec"],
    "spec.rules[0].backendRefs[1].name": ["spec", "rules", 0, "backendRefs", 1, "name"],
    'data["config.yaml"]': ["data", "config.yaml"],
    'metadata.labels["app.kubernetes.io/name"]': ["metadata", "labels", "app.kubernetes.io/name"],
    '["0"][0][1]': ["0", 0, 1],
    'a["x\\"y]\\\\"].b-c': ["a", 'x"y]\\', "b-c"],
    '[""]["é"]': ["", "é"],
}


@pytest.mark.parametrize("path", PATHS)
def test_a_path_and_its_steps_are_each_others_inverse(path: str) -> None:
    assert path_steps(path) == PATHS[path]
    assert join(PATHS[path]) == path


@given(st.lists(st.text() | st.integers(min_value=0)))
def test_any_steps_survive_a_path(steps: list[str | int]) -> None:
    assert path_steps(join(steps)) == steps


@pytest.mark.parametrize(
    "path", [".a", "a.", "a..b", "a[", "a[x]", "a[-1]", "a b", "a['b']", "a#b", "1a", '["a"]b', "é"]
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not a path"):
        path_steps(path)


TEXT = b"""\
# a comment
kind: First
---

# another
metadata:
  labels:
    "app.kubernetes.io/name": x
    1: one
    yes: two
spec:
  rules:
  - backendRefs:
    - name: a
    -
      name: b
      port: 80
  - {name: c, matches: [
      1,
      2]}
  base: &base
    p: 1
  derived:
    <<: *base
    q: 2
  again: *base
  twice: 1
  twice: 2
data:
  config.yaml: |

    model_list:
    - model_name: x
      litellm_params:
        api_base: y
  folded: "a"
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", 6),
        ("kind", 6),
        ("metadata", 6),
        ('metadata.labels["app.kubernetes.io/name"]', 8),
        ('metadata.labels["1"]', 9),
        ("metadata.labels.true", 10),
        ("metadata.labels.nope", 7),
        ("metadata.labels.nope.deeper", 7),
        ("metadata.labels[0]", 7),
        ("spec.rules[0]", 13),
        ("spec.rules[0].backendRefs[0].name", 14),
        ("spec.rules[0].backendRefs[1]", 16),
        ("spec.rules[0].backendRefs[1].port", 17),
        ("spec.rules[0].backendRefs[2].port", 13),
        ("spec.rules[1].matches[1]", 20),
        ("spec.rules.name", 12),
        ("spec.derived.p", 22),
        ("spec.derived.q", 25),
        ("spec.again", 26),
        ("spec.again.p", 22),
        ("spec.twice", 28),
        ('data["config.yaml"]', 30),
        ('data["config.yaml"]#model_list[0].litellm_params.api_base', 35),
        ('data["config.yaml"]#model_list[0].nope', 33),
        ('data["nope.yaml"]#model_list', 29),
        ("data.folded#a", 36),
    ],
)
def test_a_path_has_the_line_of_its_key_or_item(path: str, line: int) -> None:
    assert [entry.line for entry in documents(TEXT)] == [2, 6]
    assert Positions(TEXT, 6).line(path) == line
    assert Positions(TEXT.replace(b"\n", b"\r\n"), 6).line(path) == line


def test_positions_begin_with_the_first_document() -> None:
    assert Positions(TEXT).line("kind") == 2
    assert Positions(b"\n---\n# c\n---\na:\n  b: 1\n").line("a.b") == 6
    assert Positions(b"\xef\xbb\xbfa:\n  b: 1\n").line("a.b") == 2


def test_positions_in_json() -> None:
    text = b'{"a": 1}\n{"b": {\n\t"c": [\n  1,\n  2\n]}}\n'
    assert [entry.line for entry in documents(text)] == [1, 2]
    assert Positions(text, 2).line("b.c[1]") == 5


@pytest.mark.parametrize("text", [b"", b"a: [\n", b"# c\n", b"a: \xff\n", b"\0"])
def test_positions_of_what_cannot_be_read_are_that_of_the_document(text: bytes) -> None:
    assert Positions(text, 1).line("a.b") == 1


def test_positions_refuse_what_is_no_path() -> None:
    with pytest.raises(ValueError, match="not a path"):
        Positions(TEXT).line("a..b")
