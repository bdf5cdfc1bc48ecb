"""Which paths a route's matches let through to a backend, after rewriting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from platform_health.views.gateway import PathMatch, RewritePath, RouteMatch, Rule


def covers(rule: Rule, path: str) -> bool | None:
    """Whether some request that a rule matches arrives at its backends with this path; None where it is not known."""
    said = [_arrives(match.path, rewriting(rule), path) for match in matches(rule) if _may_post(match)]
    if True in said:
        return True
    return None if None in said else False


def matches(rule: Rule) -> Iterable[RouteMatch]:
    """The matches of a rule; none means the prefix ``/``."""
    return rule.matches or (RouteMatch(),)


def rewriting(rule: Rule) -> RewritePath | None:
    """How the rule rewrites paths, None where it does not."""
    found: Iterator[RewritePath] = (
        entry.url_rewrite.path
        for entry in rule.filters
        if entry.url_rewrite is not None and entry.url_rewrite.path is not None
    )
    return next(found, None)


def is_below(path: str, prefix: str) -> bool:
    """Whether a path stands below a prefix, element by element: ``/v1/x`` below ``/v1``, ``/v1x`` not."""
    prefix = prefix.rstrip("/")
    return path == prefix or path.startswith(prefix + "/")


def _may_post(match: RouteMatch) -> bool:
    return match.method in ("", "POST", "GET")


def _arrives(match: PathMatch, rewrite: RewritePath | None, path: str) -> bool | None:
    if rewrite is not None and rewrite.replace_full_path is not None:
        return rewrite.replace_full_path == path
    if match.type == "RegularExpression":
        return None
    if match.type == "Exact":
        return match.value == path
    if rewrite is not None and rewrite.replace_prefix_match is not None:
        return is_below(path, rewrite.replace_prefix_match)
    return is_below(path, match.value)
