"""The CustomResourceDefinitions other projects publish, and slim ones of ours where they cannot be had.

Published ones come out of the projects' Go modules, unchanged and at a named version, so that a test meets the same
defaults, pruning and validation as a platform does. The slim ones in `crds/` accept every field.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from e2e import toolchain
from e2e.cache import cache_home, exclusive

SLIM = Path(__file__).with_name("crds")


class SchemaError(Exception):
    """A CustomResourceDefinition cannot be had; the message says why and what to do."""


@dataclass(frozen=True)
class Published:
    """Definitions inside a Go module: every one in the files `pattern` matches, or only those called `names`."""

    module: str
    version: str
    pattern: str
    names: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The cache folder of what was taken out of the module."""
        return cache_home() / "crds" / f"{self.module.replace('/', '_')}-{self.version}"


_INFERENCE = "sigs.k8s.io/gateway-api-inference-extension"

PUBLISHED: Mapping[str, Published] = {
    "gateway-api": Published("sigs.k8s.io/gateway-api", "v1.5.1", "config/crd/standard/*.yaml"),
    "inference": Published(_INFERENCE, "v1.5.0", "config/crd/bases/*.yaml"),
    "inference-legacy": Published(
        _INFERENCE, "v1.4.0", "config/crd/bases/*.yaml", ("inferencepools.inference.networking.x-k8s.io",)
    ),
    "prometheus": Published(
        "github.com/prometheus-operator/prometheus-operator", "v0.85.0", "example/prometheus-operator-crd/*.yaml"
    ),
    "argocd": Published("github.com/argoproj/argo-cd/v3", "v3.2.6", "manifests/crds/*-crd.yaml"),
    "keda": Published("github.com/kedacore/keda/v2", "v2.19.0", "config/crd/bases/*.yaml"),
    "istio": Published("istio.io/api", "v1.28.0", "kubernetes/*.gen.yaml", ("destinationrules.networking.istio.io",)),
}
"""The groups of published definitions by the name a test asks for."""

OWN: Mapping[str, str] = {
    "nvidia": "clusterpolicy.yaml",
    "flux": "flux.yaml",
    "leaderworkerset": "leaderworkerset.yaml",
    "rollouts": "rollout.yaml",
}
"""The groups of slim definitions, with their file."""


def crds(*groups: str) -> list[Path]:
    """The files with the definitions of `groups`, fetched on first use.

    Raises SchemaError for a group that nobody knows or that cannot be fetched.
    """
    return [path for group in groups for path in _files(group)]


def _files(group: str) -> list[Path]:
    if group in OWN:
        return [SLIM / OWN[group]]
    if group in PUBLISHED:
        return _fetched(PUBLISHED[group])
    raise SchemaError(f"There is no group of definitions {group!r}; there are {', '.join(sorted({*PUBLISHED, *OWN}))}.")


def _fetched(source: Published) -> list[Path]:
    with exclusive(cache_home() / "crds"):
        if not source.folder.exists():
            _fetch(source)
    wanted = set(source.names)
    return [path for path in sorted(source.folder.iterdir()) if not wanted or path.stem in wanted]


def _fetch(source: Published) -> None:
    unfinished = source.folder.with_name(f"{source.folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name, text in definitions(path.read_text() for path in _unpacked(source).glob(source.pattern)):
        (unfinished / f"{name}.yaml").write_text(text)
    if not any(unfinished.iterdir()):
        raise SchemaError(f"{source.module} {source.version} has no CustomResourceDefinition in {source.pattern}")
    unfinished.rename(source.folder)


def definitions(texts: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Each CustomResourceDefinition in YAML `texts` with its name; other kinds in the same files are left out.

    The text is cut, not parsed: these files are large, generated, and all of one form.
    """
    for text in texts:
        for document in re.split(r"^---.*\n", text, flags=re.MULTILINE):
            name = re.search(r"^  name: (\S+)$", document, re.MULTILINE)
            if name and re.search(r"^kind: CustomResourceDefinition$", document, re.MULTILINE):
                yield name.group(1), document


def _unpacked(source: Published) -> Path:
    module = f"{source.module}@{source.version}"
    go = toolchain.go((1, 21))
    done = subprocess.run(
        [go, "mod", "download", "-json", module],
        capture_output=True,
        text=True,
        cwd=source.folder.parent,
        env=toolchain.environment(go),
        check=False,
    )
    try:
        return Path(json.loads(done.stdout)["Dir"])
    except (ValueError, KeyError):
        reason = (done.stdout + done.stderr).strip()
        raise SchemaError(f"{module} cannot be fetched; is the Go module proxy reachable?\n{reason}") from None
