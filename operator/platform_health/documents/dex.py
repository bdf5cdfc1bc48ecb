"""Dex's configuration: issuer, storage, static clients. Secrets of clients are not kept."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from platform_health.documents.texts import Broken, Text, items, mapping, parsed, string, texts
from platform_health.views.view import View


class Client(NamedTuple):
    """One static client. ``id`` is empty where it comes from the environment."""

    id: str
    redirects: tuple[str, ...]
    is_public: bool


class DexConfig(NamedTuple):
    """One configuration. ``takes_more``: further clients may be made in its storage or through its API."""

    issuer: str
    clients: tuple[Client, ...]
    takes_more: bool

    def client(self, name: str) -> Client | None:
        """The static client of this id."""
        return next((entry for entry in self.clients if entry.id == name), None)


def dex_configs(view: View) -> Iterator[tuple[Text, DexConfig]]:
    """The Dex configurations that an object carries, each with its text."""
    for text in texts(view):
        if "issuer:" in text.content and "storage:" in text.content:
            found = dex_config(text.content)
            if found is not None:
                yield text, found


@lru_cache(maxsize=16)
def dex_config(content: str) -> DexConfig | None:
    """The configuration that a text is, None where it is none."""
    value = parsed(content)
    config = {} if isinstance(value, Broken) else mapping(value)
    if not string(config.get("issuer")) or not isinstance(config.get("storage"), dict):
        return None
    entries = [mapping(entry) for entry in items(config.get("staticClients"))]
    return DexConfig(
        issuer=string(config.get("issuer")),
        clients=tuple(
            Client(
                string(entry.get("id")),
                tuple(string(url) for url in items(entry.get("redirectURIs"))),
                entry.get("public") is True,
            )
            for entry in entries
        ),
        takes_more=mapping(config.get("storage")).get("type") == "kubernetes" or "grpc" in config,
    )
