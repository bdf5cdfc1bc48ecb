"""Which kinds an API server serves, in which version, and which of them we may read.

A kind that is not served is *absent*; one whose group did not answer is *unknown*. The two must never be confused: the
first means that a reference into it leads nowhere, the second that nobody knows. An API server that has just started
answers before it serves custom resources, so a kind whose definition exists is never taken for absent, and where
definitions may not be read, only time can tell.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from platform_health.connection import ApiError, Connection, NotFound
from platform_health.sources.pace import TIMING, Timing, jitter

log = logging.getLogger(__name__)

AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,"
    "application/json"
)
SETTLING = (0.3, 1.0, 3.0, 10.0)
"""Seconds to wait before each look after a change: an API server serves a new definition only a while after it."""


DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DOUBT = 30.0
"""Seconds for which a kind that was served must be missing before it is absent, where definitions may not be read."""


class Resource(Protocol):
    """What is looked for; every Kind is one."""

    @property
    def group(self) -> str:
        """The API group, empty for the core."""

    @property
    def plural(self) -> str:
        """The resource as it stands in paths."""

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that can be decoded, preferred first."""


R = TypeVar("R", bound=Resource)


def path_of(resource: Resource, version: str) -> str:
    """The path of all objects of a resource."""
    root = f"/apis/{resource.group}/{version}" if resource.group else f"/api/{version}"
    return f"{root}/{resource.plural}"


class Served(msgspec.Struct, frozen=True):
    """What discovery found: the version to read of every served kind, and why nothing is known of some.

    Kinds in neither are not served.
    """

    versions: dict[Any, str]
    unknown: dict[Any, str]


async def discover(connection: Connection, resources: Iterable[R], defined: Collection[str] | None = None) -> Served:
    """Asks which resources are served. Raises ApiError where the API server gives no answer at all.

    ``defined`` are the names of the definitions of custom resources, None where they may not be read.
    """
    resources = list(resources)
    offered: dict[tuple[str, str], list[str]] = {}
    failed: dict[str, str] = {}
    for root in ("/api", "/apis"):
        body = await connection.read("GET", root, accept=AGGREGATED)
        document = msgspec.json.decode(body)
        if document.get("kind") == "APIGroupDiscoveryList":
            _read_aggregated(document, offered, failed)
        else:
            await _read_one_by_one(connection, root, document, {entry.group for entry in resources}, offered, failed)
    versions: dict[R, str] = {}
    unknown: dict[R, str] = {}
    for resource in resources:
        served = offered.get((resource.group, resource.plural), [])
        version = next((version for version in resource.versions if version in served), None)
        if version is not None:
            versions[resource] = version
        elif served:
            unknown[resource] = f"served as {', '.join(served)}; known are {', '.join(resource.versions)}"
        elif resource.group in failed:
            unknown[resource] = failed[resource.group]
        elif f"{resource.plural}.{resource.group}" in (defined or ()):
            unknown[resource] = "it is defined, but the API server does not serve it yet"
    return Served(versions, unknown)


def _read_aggregated(document: Any, offered: dict[tuple[str, str], list[str]], failed: dict[str, str]) -> None:
    for group in document.get("items") or ():
        name = group.get("metadata", {}).get("name") or ""
        for version in group.get("versions") or ():
            if version.get("freshness") == "Stale":
                failed[name] = f"discovery of {name}/{version['version']} failed: its API server does not answer"
            for resource in version.get("resources") or ():
                _offer(offered, name, resource["resource"], version["version"], resource)


async def _read_one_by_one(
    connection: Connection,
    root: str,
    document: Any,
    wanted: set[str],
    offered: dict[tuple[str, str], list[str]],
    failed: dict[str, str],
) -> None:
    groups = [("", document.get("versions") or [])]
    if root == "/apis":
        groups = [(g["name"], [version["version"] for version in g["versions"]]) for g in document.get("groups") or ()]
    for name, versions in groups:
        for version in versions if name in wanted else ():
            try:
                found = await connection.get(f"{root}/{name}/{version}" if name else f"{root}/{version}")
            except NotFound:
                continue
            except ApiError as error:
                failed[name] = f"discovery of {name}/{version} failed: {error}"
                continue
            for resource in found.get("resources") or ():
                _offer(offered, name, resource["name"], version, resource)


def _offer(offered: dict[tuple[str, str], list[str]], group: str, plural: str, version: str, resource: Any) -> None:
    if "/" not in plural and {"list", "watch"} <= set(resource.get("verbs") or ()):
        offered.setdefault((group, plural), []).append(version)


async def allowed(connection: Connection, resource: Resource) -> bool:
    """Whether we may list and watch all objects of a resource."""
    answers = await asyncio.gather(*(_may(connection, resource, verb) for verb in ("list", "watch")))
    return all(answers)


async def _may(connection: Connection, resource: Resource, verb: str) -> bool:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"group": resource.group, "resource": resource.plural, "verb": verb}},
    }
    answer = await connection.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    return bool(answer.get("status", {}).get("allowed"))


class Offer(msgspec.Struct, frozen=True):
    """What may be read now: Served, and of the resources that were asked about, those that are refused."""

    served: Served
    refused: frozenset[Any] = frozenset()


class Discovery:
    """Looks at once, after every hint (:meth:`look_again`) and every few minutes; says what changed.

    ``reviewed`` are the resources for which permission is asked before they are read.
    """

    def __init__(
        self,
        connection: Connection,
        resources: Sequence[Resource],
        reviewed: Sequence[Resource],
        found: Callable[[Offer], None],
        defined: Callable[[], Collection[str] | None] = lambda: None,
        timing: Timing = TIMING,
    ) -> None:
        self._connection, self._resources, self._reviewed, self._defined = connection, resources, reviewed, defined
        self._served_at: dict[Resource, float] = {}
        self._found, self._timing = found, timing
        self._hint = asyncio.Event()
        self._granted: set[Resource] = set()
        self._last: Offer | None = None
        self.problem = ""
        """Why the last look failed; empty when it did not."""

    def look_again(self, *, permissions: bool = False) -> None:
        """Something says that other kinds may be served now; with ``permissions``, that rights were withdrawn."""
        if permissions:
            self._granted.clear()
        self._hint.set()

    async def run(self) -> None:
        """Looks for ever."""
        waits: list[float] = []
        while True:
            if not await self._look():
                waits = waits or [2.0]
            elif self._last is not None and self._last.served.unknown:
                waits = waits or [10.0]
            timeout = waits.pop(0) if waits else self._timing.look * jitter(0.75, 1.25)
            try:
                async with asyncio.timeout(timeout):
                    await self._hint.wait()
            except TimeoutError:
                if not waits:
                    self._granted.clear()
                continue
            self._hint.clear()
            waits = list(SETTLING)
            await asyncio.sleep(waits.pop(0))

    async def _look(self) -> bool:
        try:
            defined = self._defined()
            served = await discover(self._connection, self._resources, defined)
            if defined is None:
                self._doubt(served)
            asked = [entry for entry in self._reviewed if entry in served.versions and entry not in self._granted]
            answers = await asyncio.gather(*(allowed(self._connection, entry) for entry in asked))
        except (ApiError, msgspec.MsgspecError, KeyError, AttributeError) as error:
            if not self.problem:
                log.warning("discovery failed, what it found before stands: %s", error)
            self.problem = str(error)
            return False
        self.problem = ""
        refused = frozenset(entry for entry, yes in zip(asked, answers, strict=True) if not yes)
        self._granted |= set(asked) - refused
        offer = Offer(served, refused)
        if offer != self._last:
            self._last = offer
            self._found(offer)
        return True

    def _doubt(self, served: Served) -> None:
        """A kind that was served a moment ago may be served again in a moment."""
        now = time.monotonic()
        for resource in self._resources:
            if resource in served.versions:
                self._served_at[resource] = now
            elif now - self._served_at.get(resource, -DOUBT) < DOUBT and resource not in served.unknown:
                served.unknown[resource] = "it is no longer served, and may be in a moment"


def differences(before: Mapping[R, str], after: Mapping[R, str]) -> tuple[list[R], list[R]]:
    """The resources to stop reading and those to start reading; a resource in another version is in both."""
    stop = [entry for entry, version in before.items() if after.get(entry) != version]
    start = [entry for entry, version in after.items() if before.get(entry) != version]
    return stop, start
