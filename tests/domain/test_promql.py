"""PromQL: substitution of variables, selectors, and which labels a result keeps."""

from __future__ import annotations

import pytest

from platform_health.domain.promql import (
    Invalid,
    has_loose_variables,
    is_bare_selector,
    output_labels,
    parse,
    rate_ranges,
    selectors,
    substituted,
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("rate(x[$__rate_interval])", "rate(x[5m])"),
        ("rate(x[${__range}:$step])", "rate(x[5m:1m])"),
        ("x offset $shift", "x offset 5m"),
        ("sum(x) / $__range_s", "sum(x) / 300"),
        ('x{model=~"${model:regex}"}', 'x{model=~"VAR_model"}'),
        ("x{model='[[model]]'}", "x{model='VAR_model'}"),
        ("${metric}_total", "VAR_metric_total"),
    ],
)
def test_variables_are_replaced(query: str, expected: str) -> None:
    assert substituted(query) == expected


@pytest.mark.parametrize(
    "query", ["topk($k, x)", "quantile($q, x)", "sum by ($group) (x)", "x > $limit", "-x", "x @ end()"]
)
def test_variables_leave_queries_valid(query: str) -> None:
    assert not isinstance(parse(query), Invalid)


@pytest.mark.parametrize("query", ["sum by (pod (x)", "ceil by (pod) (x)", "rate(x)", '{app="a"} |= "b"', ""])
def test_what_is_no_promql_is_invalid(query: str) -> None:
    assert isinstance(parse(query), Invalid)


def test_variables_in_strings_are_not_loose() -> None:
    assert not has_loose_variables('x{a="$a"}[$range]')
    assert has_loose_variables("sum(x) $operator 3")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ('{__name__="a:b", x="y"}', ["a:b"]),
        ('{"a.b"}', ["a.b"]),
        ("sum(rate(a[5m])) / b or vector(0)", ["a", "b"]),
        ('{__name__=~"a.*"}', [""]),
        ("max_over_time(sum(a)[5m:1m])", ["a"]),
    ],
)
def test_selectors_are_named(query: str, names: list[str]) -> None:
    assert [entry.name for entry in selectors(query)] == names


def test_only_equality_pins_a_label() -> None:
    (found,) = selectors('x{a="1", b=~"2", c="$c"}')
    assert (found.value("a"), found.value("b"), found.value("c")) == ("1", None, None)


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ("x", None),
        ("sum(x)", set()),
        ("sum by (a, b) (x)", {"a", "b"}),
        ("sum without (a) (x)", None),
        ("sum without (a) (sum by (a, b) (x))", {"b"}),
        ("topk(3, sum by (a) (x))", {"a"}),
        ('count_values("v", x)', None),
        ("histogram_quantile(0.9, sum by (le, a) (rate(x[5m])))", {"a"}),
        ('label_replace(sum by (a) (x), "b", "$1", "a", "(.*)")', {"a", "b"}),
        ("100 * sum by (a) (x) > 5", {"a"}),
        ("sum by (a) (x) / sum by (a) (y)", {"a"}),
        ("sum by (a) (x) / $divisor", {"a"}),
        ("sum by (a) (x) / on (a) group_left (b) y", None),
        ("sum by (a) (x) and y", {"a"}),
        ("sum by (a) (x) or sum by (b) (y)", {"a", "b"}),
        ("sum by (a) (x) or y", None),
        ("sum by ($a) (x)", None),
        ("absent(x)", None),
        ("vector(1)", set()),
        ("time() - max by (a) (x)", {"a"}),
        ("avg_over_time(sum by (a) (x)[5m:1m])", {"a"}),
        ("not a query (", None),
    ],
)
def test_output_labels(query: str, labels: set[str] | None) -> None:
    assert output_labels(query) == (None if labels is None else frozenset(labels))


def test_ranges_of_rates() -> None:
    assert rate_ranges("rate(x[30s]) + sum(increase(y[1m])) + max_over_time(z[5s])") == [30.0, 60.0]
    assert rate_ranges("rate(x[$range])") == []


def test_bare_selectors() -> None:
    assert is_bare_selector("(x{a='b'})")
    assert not is_bare_selector("sum(x)")
