"""The page of an invariant, from its docstring and its declaration."""

from __future__ import annotations

import inspect

from platform_health.invariant import Invariant


def render(invariant: Invariant) -> str:
    """The page as Markdown."""
    about = ", ".join(f"`{view.kind.resource}`" for view in invariant.subjects)
    reads = ", ".join(f"`{kind.resource}`" for kind in invariant.needs if kind not in invariant.about) or "nothing else"
    fixes = ", ".join(f"`{kind.resource}`" for kind in invariant.fixes)
    body = inspect.cleandoc(invariant.page)
    return (
        f"# {invariant.name}\n\n{body}\n\n"
        f"| | |\n|---|---|\n"
        f"| family | {invariant.family} |\n"
        f"| about | {about} |\n"
        f"| reads | {reads} |\n"
        f"| severity | {invariant.severity} |\n"
        f"| category | {invariant.category} |\n"
        f"| seen as | {invariant.symptom} |\n"
        f"| safe fix | {f'patches {fixes}' if fixes else 'none'} |\n"
    )
