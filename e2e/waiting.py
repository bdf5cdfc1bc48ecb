"""Waiting for what a controller will do."""

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def eventually(probe: Callable[[], Result | None], what: str, timeout: float = 30.0, pause: float = 0.1) -> Result:
    """What `probe` answers once the answer is true-ish; AssertionError naming `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (answer := probe()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what} (last answer: {answer!r})")
        time.sleep(pause)
    return answer
