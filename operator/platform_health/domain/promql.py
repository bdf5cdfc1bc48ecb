"""PromQL: what a query selects, which labels survive it, whether it is aggregated.

Queries of dashboards hold Grafana's variables, which :func:`substituted` replaces by something of the same grammar; a
variable becomes a word that begins with ``VAR_``. The parser is promql-parser, which follows Prometheus 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

VARIABLE = "VAR_"

_OLD_VARIABLE = re.compile(r"\[\[\s*(\w+)(?::\w+)?\s*\]\]")
_RANGE = re.compile(r"\[([^\]\[\"']*\$[^\]\[\"']*)\]")
_OFFSET = re.compile(r"\boffset\s+-?\$\{?\w+(?::\w+)?\}?", re.IGNORECASE)
_BUILT_IN = re.compile(
    r"\$(?:\{(__(?:range_s|range_ms|interval_ms|rate_interval_ms|from|to|interval|rate_interval|range))(?::[^}]*)?\}"
    r"|(__(?:range_s|range_ms|interval_ms|rate_interval_ms|from|to|interval|rate_interval|range)\b))"
)
_BRACED = re.compile(r"\$\{(\w+)(?:\.[\w.]+)?(?::[^}]*)?\}")
_PLAIN = re.compile(r"\$(\w+)")
_DIALECT = re.compile(
    r"\b(default|keep_metric_names|if|ifnot|limit|fill|fill_left|fill_right|anchored|smoothed)\b|\bWITH\s*\("
)
_IN_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')


class Matcher(NamedTuple):
    """One label matcher; ``op`` is ``=``, ``!=``, ``=~`` or ``!~``."""

    name: str
    op: str
    value: str

    @property
    def is_variable(self) -> bool:
        """Whether the value comes from a dashboard variable."""
        return VARIABLE in self.value


class Selector(NamedTuple):
    """One vector selector. ``name`` is empty where the metric is not named literally."""

    name: str
    matchers: tuple[Matcher, ...]

    def value(self, label: str) -> str | None:
        """What the label must equal, None where it need not equal one literal value."""
        for matcher in self.matchers:
            if matcher.name == label and matcher.op == "=" and not matcher.is_variable:
                return matcher.value
        return None


class Invalid(NamedTuple):
    """Why a query cannot be parsed."""

    because: str


def substituted(query: str) -> str:
    """A query with Grafana's variables replaced: ranges by ``5m``, numbers by 300, everything else by a word."""
    query = _OLD_VARIABLE.sub(r"${\1}", query)
    query = _RANGE.sub(lambda found: "[5m:1m]" if ":" in found[1] else "[5m]", query)
    query = _OFFSET.sub("offset 5m", query)
    query = _BUILT_IN.sub("300", query)
    query = _BRACED.sub(rf"{VARIABLE}\1", query)
    return _PLAIN.sub(rf"{VARIABLE}\1", query)


@lru_cache(maxsize=4096)
def parse(query: str) -> Any:
    """The syntax tree of a query after substitution, or :class:`Invalid`."""
    import promql_parser

    text = substituted(query)
    try:
        return promql_parser.parse(text)
    except ValueError as error:
        return _with_numbers(text) or Invalid(str(error).strip())


def _with_numbers(text: str) -> Any:
    """A query whose variables stand for numbers or durations, where the grammar wants those."""
    import promql_parser

    for replacement in ("1", "5m"):
        changed = re.sub(rf"\b{VARIABLE}\w+", replacement, _without_strings(text))
        if changed == text:
            return None
        try:
            return promql_parser.parse(changed)
        except ValueError:
            continue
    return None


def _without_strings(text: str) -> str:
    return _IN_STRINGS.sub(lambda found: found[0].replace(VARIABLE, "var_"), text)


def _emptied(text: str) -> str:
    return _IN_STRINGS.sub('""', text)


def has_loose_variables(query: str) -> bool:
    """Whether a variable stands outside of strings and ranges, where it could stand for any piece of grammar."""
    return VARIABLE in _without_strings(substituted(query)) or "<<" in query or "{{" in query


def may_be_dialect(query: str, invalid: Invalid) -> bool:
    """Whether a query may be valid elsewhere: newer functions and durations, RE2's regular expressions, MetricsQL."""
    newer = ("unknown function", "inside brackets", "duration syntax", "illegal regex")
    return any(words in invalid.because for words in newer) or bool(_DIALECT.search(_emptied(query)))


def selectors(query: str) -> list[Selector]:
    """Every vector selector of a query; none where it cannot be parsed."""
    tree = parse(query)
    return [] if isinstance(tree, Invalid) else list(_selectors(tree))


def _selectors(node: Any) -> Iterator[Selector]:
    kind = type(node).__name__
    if kind == "VectorSelector":
        yield selector(node)
    for child in children(node):
        yield from _selectors(child)


def selector(node: Any) -> Selector:
    """The selector that a VectorSelector node is."""
    groups = [node.matchers.matchers, *node.matchers.or_matchers]
    matchers = [Matcher(entry.name, _operator(entry.op), entry.value) for entry in groups[0]]
    name = node.name or next((entry.value for entry in matchers if entry[:2] == ("__name__", "=")), "")
    return Selector(name, tuple(matchers) if len(groups) == 1 else ())


def _operator(op: Any) -> str:
    return {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}[str(op).rpartition(".")[2]]


def children(node: Any) -> list[Any]:
    """The sub-expressions of a node."""
    kind = type(node).__name__
    if kind == "BinaryExpr":
        return [node.lhs, node.rhs]
    if kind == "Call":
        return list(node.args)
    if kind == "AggregateExpr":
        return [node.expr]
    if kind == "MatrixSelector":
        return [node.vector_selector]
    if kind in ("ParenExpr", "UnaryExpr", "SubqueryExpr"):
        return [node.expr]
    return []


def summed_selectors(query: str) -> list[Selector]:
    """The selectors below a ``sum`` or ``count``, whose result changes when series are there twice."""
    tree = parse(query)
    return [] if isinstance(tree, Invalid) else list(_summed(tree))


def _summed(node: Any) -> Iterator[Selector]:
    if type(node).__name__ == "AggregateExpr" and str(node.op).rpartition(".")[2].lower() in ("sum", "count"):
        yield from _selectors(node)
        return
    for child in children(node):
        yield from _summed(child)


def is_bare_selector(query: str) -> bool:
    """Whether a query is one vector selector and nothing else, so that it returns one element per series."""
    tree = parse(query)
    while type(tree).__name__ == "ParenExpr":
        tree = tree.expr
    return type(tree).__name__ == "VectorSelector"


def rate_ranges(query: str) -> list[float]:
    """The literal ranges, in seconds, over which a query takes rates; ranges by variables are left out."""
    if "$" in query or isinstance(parse(query), Invalid):
        return []
    return list(_rate_ranges(parse(query)))


def _rate_ranges(node: Any) -> Iterator[float]:
    if type(node).__name__ == "Call" and node.func.name in ("rate", "irate", "increase", "delta", "deriv", "idelta"):
        inner = node.args[0]
        if type(inner).__name__ == "MatrixSelector":
            yield inner.range.total_seconds()
    for child in children(node):
        yield from _rate_ranges(child)


Labels = frozenset[str] | None
"""The labels that a result can have, None where they cannot be told."""

_NO_LABELS: frozenset[str] = frozenset()
_PASS = ("topk", "bottomk", "limitk", "limit_ratio")
_SCALARS = ("time", "pi", "scalar", "vector")
_UNKNOWN_CALLS = ("absent", "absent_over_time", "info", "histogram_quantiles", "ts_of_last_over_time")


def output_labels(query: str) -> Labels:
    """The labels that the result of a query can have; None where the query does not decide it."""
    tree = parse(query)
    return None if isinstance(tree, Invalid) else _labels(tree)


def _labels(node: Any) -> Labels:
    kind = type(node).__name__
    if kind in ("ParenExpr", "UnaryExpr", "SubqueryExpr"):
        return _labels(node.expr)
    if kind in ("NumberLiteral", "StringLiteral"):
        return _NO_LABELS
    if kind == "AggregateExpr":
        return _aggregated(node)
    if kind == "Call":
        return _called(node)
    if kind == "BinaryExpr":
        return _combined(node)
    return None


def _aggregated(node: Any) -> Labels:
    operation = str(node.op)
    if operation in _PASS:
        return _labels(node.expr)
    if operation == "count_values":
        return None
    if node.modifier is None:
        return _NO_LABELS
    named = frozenset(node.modifier.labels)
    if any(VARIABLE in label for label in named):
        return None
    if str(node.modifier.type).endswith("By"):
        return named
    inner = _labels(node.expr)
    return None if inner is None else inner - named


def _called(node: Any) -> Labels:
    name, arguments = node.func.name, list(node.args)
    if name in _SCALARS or not arguments:
        return _NO_LABELS
    if name in _UNKNOWN_CALLS:
        return None
    vectors = [entry for entry in arguments if not _is_literal(entry)]
    inner = _labels(vectors[-1] if name in ("histogram_quantile", "quantile_over_time") else vectors[0])
    if inner is None:
        return None
    if name == "histogram_quantile":
        return inner - {"le"}
    if name in ("label_replace", "label_join"):
        return inner | {arguments[1].val}
    return inner


def _combined(node: Any) -> Labels:
    operation = str(node.op)
    if is_scalar(node.lhs):
        return _labels(node.rhs)
    if is_scalar(node.rhs):
        return _labels(node.lhs)
    left, right = _labels(node.lhs), _labels(node.rhs)
    if operation in ("and", "unless"):
        return left
    if operation == "or":
        return None if left is None or right is None else left | right
    if node.modifier is not None and (node.modifier.matching or node.modifier.group_labels):
        return None
    return left if left is not None else right


def is_scalar(node: Any) -> bool:
    """Whether an expression is a single number for all series."""
    kind = type(node).__name__
    if kind in ("ParenExpr", "UnaryExpr"):
        return is_scalar(node.expr)
    if kind == "BinaryExpr":
        return is_scalar(node.lhs) and is_scalar(node.rhs)
    return kind == "NumberLiteral" or (kind == "Call" and node.func.name in ("time", "pi", "scalar"))


def _is_literal(node: Any) -> bool:
    return type(node).__name__ in ("NumberLiteral", "StringLiteral")
