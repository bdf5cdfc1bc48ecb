"""The map of the domain names every module, and nothing else."""

from __future__ import annotations

import pkgutil
import re

from platform_health import domain


def test_the_map_is_complete() -> None:
    assert domain.__doc__ is not None
    named = re.findall(r"``([a-z_]+)``", domain.__doc__)
    assert sorted(named) == sorted(module.name for module in pkgutil.iter_modules(domain.__path__))
