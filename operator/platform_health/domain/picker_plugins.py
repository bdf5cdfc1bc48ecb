"""What each release of the endpoint picker knows: plugin types, feature gates and fields of its configuration.

``data/picker_plugins.json`` is read from ``cmd/epp/runner/runner.go`` of Gateway API Inference Extension v0.5.1, v1.0
to v1.5, and of llm-d-router 0.9 and 0.10; the fields from ``apix/config/v1alpha1``. What a later release knows is not
known here.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path as FilePath
from typing import NamedTuple

from platform_health.domain.images import Release

_FIELDS = frozenset({"apiVersion", "kind", "plugins", "schedulingProfiles"})
_LATER = frozenset(
    {"featureGates", "saturationDetector", "data", "dataLayer", "flowControl", "parser", "requestHandler", "discovery"}
)


class Known(NamedTuple):
    """What one release registers; ``gates`` in lower case, None where they are not known."""

    types: frozenset[str]
    gates: frozenset[str] | None
    experimental: frozenset[str]


@cache
def _known() -> dict[tuple[str, str], Known]:
    rows = json.loads((FilePath(__file__).parent / "data" / "picker_plugins.json").read_text())
    return {
        (row["program"], row["version"]): Known(
            frozenset(row["types"]),
            frozenset(gate.lower() for gate in row["gates"]) if "gates" in row else None,
            frozenset(row.get("experimental", ())),
        )
        for row in rows
    }


def _of(release: Release) -> Known | None:
    major, minor, patch = release.version
    table = _known()
    return table.get((release.program, f"{major}.{minor}.{patch}")) or table.get((release.program, f"{major}.{minor}"))


def plugin_types(release: Release) -> frozenset[str] | None:
    """The plugin types that a release registers, None where that is not known."""
    found = _of(release)
    return found.types if found is not None else None


def experimental_types(release: Release) -> frozenset[str]:
    """The plugin types that load only with ``--allow-experimental-plugins``."""
    found = _of(release)
    return found.experimental if found is not None else frozenset()


def has_gate(release: Release, gate: str) -> bool | None:
    """Whether a release knows a feature gate, None where that is not known."""
    found = _of(release)
    return None if found is None or found.gates is None else gate.partition("=")[0].lower() in found.gates


def has_field(release: Release, field: str) -> bool | None:
    """Whether the configuration of a release has a top-level field, None where that is not known."""
    if field in _FIELDS:
        return True
    gie, version = release.program == "gie", release.version
    if gie and version < (1, 0, 0):
        return None
    if field not in _LATER:
        return False
    if gie and version < (1, 2, 0):
        return False
    match field:
        case "data":
            return gie and (1, 3, 0) <= version < (1, 5, 0)
        case "dataLayer":
            return not gie or version >= (1, 5, 0)
        case "requestHandler" | "discovery":
            return not gie
    return True
