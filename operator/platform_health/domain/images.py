"""Container images: repository, tag, and versions where the tag is the program's own version.

A tag is a program's version only in that program's own repositories: builds of others carry tags of their own
(``lmcache/vllm-openai``, ``llm-d-cuda``, ``opea/vllm-gaudi``).
"""

from __future__ import annotations

import re
from typing import NamedTuple

Version = tuple[int, int, int]

_SEMVER = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:\.?post\d+)?(?:[+-](?!rc|alpha|beta|dev|pre|nightly)[A-Za-z0-9._-]*)?\Z")


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
        """The tag as a version of three numbers, None where it is none or only a candidate for one."""
        found = _SEMVER.match(self.tag)
        return (int(found[1]), int(found[2]), int(found[3])) if found else None


class Release(NamedTuple):
    """A program and its version, known from an official image.

    ``program``: vllm, sglang, tgi, litellm, gie (the endpoint picker of Gateway API Inference Extension) or
    llm-d-router (the endpoint picker that it became).
    """

    program: str
    version: Version

    def __str__(self) -> str:
        name = "EPP" if self.program == "gie" else self.program
        return f"{name} v{'.'.join(map(str, self.version))}"


_OFFICIAL = (
    ("vllm", re.compile(r"(.*/)?vllm/vllm-openai(-[a-z0-9-]+)?\Z|(docker\.io/)?intel/vllm\Z")),
    ("sglang", re.compile(r"(docker\.io/)?lmsysorg/sglang\Z")),
    ("tgi", re.compile(r"ghcr\.io/huggingface/text-generation-inference\Z")),
    ("litellm", re.compile(r"(ghcr\.io/berriai/|(docker\.io/)?litellm/)litellm(-[a-z_]+)?\Z")),
    ("gie", re.compile(r"(.*/)?gateway-api-inference-extension/epp\Z")),
    ("llm-d-router", re.compile(r"(.*/)?llm-d/llm-d-router-endpoint-picker(-[a-z0-9-]+)?\Z")),
)


def image(reference: str) -> Image:
    """``registry/repo/name:tag@digest`` taken apart; no tag is ``latest``, a digest alone is no tag."""
    without_digest, at, _ = reference.partition("@")
    head, colon, tag = without_digest.rpartition(":")
    if colon and "/" not in tag:
        return Image(head, tag)
    return Image(without_digest, "" if at else "latest")


def program(reference: str) -> str | None:
    """The program whose official image this is, whatever its tag."""
    repository = image(reference).repository
    return next((name for name, pattern in _OFFICIAL if pattern.match(repository)), None)


def release(reference: str) -> Release | None:
    """The program and version of an official image with a release tag, None for every other image."""
    name, version = program(reference), image(reference).version
    return Release(name, version) if name is not None and version is not None else None


def version(reference: str, name: str) -> Version | None:
    """The version of the program ``name`` that an image runs, None where it is not the official image of a release."""
    found = release(reference)
    return found.version if found is not None and found.program == name else None
