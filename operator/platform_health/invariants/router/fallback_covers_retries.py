"""FallbackCoversRetries."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.documents.router import RouterConfig, router_configs
from platform_health.domain import routers
from platform_health.domain.routers import Piece
from platform_health.invariant import WARNING, Inventory, Unknown, Violation, invariant
from platform_health.views.core import ConfigMap
from platform_health.views.files import RouterConfigFile

FAILURES = {429: "too many requests", 502: "bad gateway", 503: "no ready pod", 504: "timeout"}
"""What a failing model server or the gateway in front of it answers."""


@invariant(
    severity=WARNING,
    symptom="the backend's error instead of the fallback's answer",
    needs=routers.NEEDS,
)
def fallback_covers_retries(subject: ConfigMap | RouterConfigFile, inventory: Inventory) -> Iterator[Violation]:
    """A router with a fallback takes it for the status codes that failing backends return.

    Why: the plain router moves to the fallback only after a status code that it retries. A code that is not in
    `retry_status_codes`, or a retry without attempts, hands the backend's error to the client although a fallback is
    configured. LiteLLM is not judged: it falls back on every error.

    Remedy: list 429, 502, 503 and 504 in `retry.retry_status_codes`, and allow at least one attempt.

    See: the router's troubleshooting guide, "fallback does not trigger".
    """
    own = [piece for piece in _pieces(subject, inventory) if piece.carrier.ref == subject.ref]
    if not own:
        return
    pieces = _pieces(subject, inventory)
    if not any(name.name for piece in pieces for name in piece.config.promised()):
        return
    said = [piece for piece in pieces if _says(piece.config)]
    if not said and any(piece.config.backends for piece in own):
        raise Unknown("retry_status_codes is not set, so the router's own default counts")
    for piece in said:
        if piece.carrier.ref == subject.ref:
            yield from _judged(piece)


def _pieces(subject: ConfigMap | RouterConfigFile, inventory: Inventory) -> list[Piece]:
    if not any(True for _ in router_configs(subject)):
        return []
    return routers.merged(subject, inventory)


def _says(config: RouterConfig) -> bool:
    return config.retry.are_codes_set or config.retry.attempts is not None


def _judged(piece: Piece) -> Iterator[Violation]:
    retry, text = piece.config.retry, piece.text
    if retry.attempts is not None and retry.attempts < 1:
        yield Violation(
            at=text.within(retry.attempts_at),
            about=f"{text.key}: attempts",
            because=f"max_attempts is {retry.attempts}, so that no request reaches the fallback",
        )
    if not retry.are_codes_set:
        return
    if retry.codes is None:
        raise Unknown("retry_status_codes holds something other than status codes")
    missing = {code: why for code, why in FAILURES.items() if code not in retry.codes}
    if missing:
        listed = ", ".join(f"{code} ({why})" for code, why in missing.items())
        yield Violation(
            at=text.within(retry.codes_at),
            about=f"{text.key}: codes",
            because=f"retry_status_codes lacks {listed}: these errors never reach the fallback",
        )
