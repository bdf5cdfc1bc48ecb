"""Container images: repository, tag, and versions where the tag is the program's own version."""

from __future__ import annotations

import re
from typing import NamedTuple

Version = tuple[int, ...]

_SEMVER = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:[.-]?(?:post|rc|dev|alpha|beta).*|[+-].*)?\Z")


class Image(NamedTuple):
    """An image reference, taken apart."""

    repository: str
    tag: str

    @property
    def name(self) -> str:
        """The last part of the repository."""
        return self.repository.rpartition("/")[2]

    @property
    def version(self) -> Version | None:
        """The tag as a version of three numbers, None where it is none."""
        found = _SEMVER.match(self.tag)
        return tuple(int(part or 0) for part in found.groups()) if found else None


def image(reference: str) -> Image:
    """``registry/repo/name:tag@digest`` taken apart; no tag is ``latest``, a digest alone is no tag."""
    without_digest, at, _ = reference.partition("@")
    head, colon, tag = without_digest.rpartition(":")
    if colon and "/" not in tag:
        return Image(head, tag)
    return Image(without_digest, "" if at else "latest")
