"""All objects of a live cluster, listed once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path

import msgspec

from platform_health.connection import (
    ApiError,
    Connection,
    Forbidden,
    Gone,
    NotFound,
    Unauthorized,
    Unreachable,
    connect,
)
from platform_health.knowledge import ClusterKnowledge, KindState
from platform_health.sources.decode import Key, NameDecoder, ViewDecoder
from platform_health.sources.discovery import DEFINITIONS, discover, path_of
from platform_health.sources.feed import AnyFeed, Feed, KindOutlet
from platform_health.sources.streams import LISTS_AT_ONCE, METADATA_ONLY, read_list, selector_of
from platform_health.views.view import Kind, Ref, View

log = logging.getLogger(__name__)


class Snapshot(msgspec.Struct, frozen=True):
    """What a cluster held when it was listed, and what is known of each kind."""

    views: list[View]
    knowledge: ClusterKnowledge

    @property
    def unreadable(self) -> dict[Kind, str]:
        """The kinds that could not be read, with the reason."""
        return self.knowledge.unreadable()


class _Collected:
    """A sink that keeps what comes in."""

    def __init__(self) -> None:
        self.views: dict[Ref, View] = {}
        self.knowledge = ClusterKnowledge()

    def put(self, view: View) -> None:
        """An object is there."""
        self.views[view.ref] = view

    def remove(self, ref: Ref) -> None:
        """An object is gone, or does not decode."""
        self.views.pop(ref, None)

    def state(self, kind: Kind, state: KindState, because: str) -> None:
        """How well a kind is known."""
        self.knowledge.set(kind, state, because)


async def read_cluster(kinds: Iterable[Kind], context: str | None = None, kubeconfig: Path | None = None) -> Snapshot:
    """Lists every kind once. Raises Unreachable or Unauthorized where there is no cluster to list from."""
    connection = await connect(kubeconfig, context)
    try:
        return await read(connection, kinds)
    finally:
        await connection.close()


async def read(connection: Connection, kinds: Iterable[Kind]) -> Snapshot:
    """Lists every kind once over an open connection."""
    wanted = [kind for kind in kinds if kind.via != "never"]
    served = await discover(connection, wanted, await _defined(connection))
    collected = _Collected()
    lists = asyncio.Semaphore(LISTS_AT_ONCE)

    async def one(kind: Kind) -> None:
        feed = Feed(kind.resource, KindOutlet(kind, collected))
        if kind in served.unknown:
            feed.lost(KindState.UNREADABLE, served.unknown[kind])
        elif kind not in served.versions:
            feed.lost(KindState.ABSENT)
        else:
            async with lists:
                await _list(connection, kind, served.versions[kind], feed)

    try:
        async with asyncio.TaskGroup() as group:
            for kind in wanted:
                group.create_task(one(kind))
    except* (Unreachable, Unauthorized) as several:
        raise several.exceptions[0] from None
    return Snapshot(list(collected.views.values()), collected.knowledge)


async def _defined(connection: Connection) -> set[str] | None:
    """The names of all definitions of custom resources, None where they may not be listed."""
    names = _Names()
    try:
        await read_list(
            connection, DEFINITIONS, NameDecoder(), Feed("customresourcedefinitions", names), accept=METADATA_ONLY[0]
        )
    except (Unreachable, Unauthorized):
        raise
    except (ApiError, msgspec.MsgspecError) as error:
        log.info("whether a kind is only not served yet cannot be told: %s", error)
        return None
    return names.names


class _Names:
    """An outlet that keeps names."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def put(self, key: Key, value: str) -> None:
        """It is there."""
        self.names.add(key[1])

    def remove(self, key: Key) -> None:
        """It is gone."""
        self.names.discard(key[1])

    def state(self, state: KindState, because: str) -> None:
        """Known by whether the list could be read."""


async def _list(connection: Connection, kind: Kind, version: str, feed: AnyFeed) -> None:
    for last in (False, True):
        try:
            await read_list(
                connection, path_of(kind, version), ViewDecoder(kind, version), feed, params=selector_of(kind)
            )
        except Gone as error:
            if last:
                feed.lost(KindState.UNREADABLE, str(error))
            continue
        except (Unreachable, Unauthorized):
            raise
        except Forbidden as error:
            feed.lost(KindState.FORBIDDEN, str(error))
        except NotFound as error:
            feed.lost(KindState.ABSENT, str(error))
        except (ApiError, msgspec.MsgspecError) as error:
            feed.lost(KindState.UNREADABLE, str(error))
        return
