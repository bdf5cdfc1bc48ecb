"""The programs of a control plane, built once from their published sources.

Kubernetes, etcd and KWOK are Go modules. `gomodules/` has one small module for each, whose go.mod names the version
and whose go.sum pins every byte that goes in; building needs Go and a module proxy, and nothing else. Programs found
in the folder KUBEBUILDER_ASSETS are taken from there.

Run `python -m e2e.binaries` to build ahead of time.
"""

import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from e2e import toolchain
from e2e.cache import cache_home, exclusive
from e2e.processes import leashed

GO_MODULES = Path(__file__).with_name("gomodules")
_KUBERNETES_VERSION = "k8s.io/component-base/version"


class BuildError(Exception):
    """A program could not be built; the message has the compiler's last words and what to do."""


@dataclass(frozen=True)
class GoModule:
    """One of our Go modules, which exists to build the programs of `source` at the version its go.mod names."""

    name: str
    source: str
    version_variables: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where its go.mod and go.sum lie."""
        return GO_MODULES / self.name

    @property
    def version(self) -> str:
        """The version of `source`, such as `v1.36.3`."""
        return self._in_go_mod(rf"{re.escape(self.source)} (v\S+)")

    @property
    def go_version(self) -> toolchain.Version:
        """The oldest Go that can build it."""
        return toolchain.parsed(self._in_go_mod(r"go (\S+)"))

    @property
    def linker_flags(self) -> str:
        """No debug tables, and the version that the programs shall report of themselves."""
        major, minor = self.version.removeprefix("v").split(".")[:2]
        values = {"version": self.version, "major": major, "minor": minor}
        return " ".join(["-s", "-w", *(f"-X {variable.format(**values)}" for variable in self.version_variables)])

    @property
    def built(self) -> Path:
        """The cache folder of its programs; a change of any pinned version or flag gives another one."""
        recipe = (self.folder / "go.mod").read_text() + (self.folder / "go.sum").read_text() + self.linker_flags
        key = hashlib.sha256(recipe.encode()).hexdigest()[:8]
        return cache_home() / "bin" / f"{self.name}-{self.version}-{sys.platform}-{platform.machine()}-{key}"

    def _in_go_mod(self, line: str) -> str:
        found = re.search(rf"^\s*{line}", (self.folder / "go.mod").read_text(), re.MULTILINE)
        if found is None:
            raise BuildError(f"{self.folder / 'go.mod'} has no line like {line!r}")
        return found.group(1)


ETCD = GoModule("etcd", "go.etcd.io/etcd/server/v3")
KUBERNETES = GoModule(
    "kubernetes",
    "k8s.io/kubernetes",
    (
        f"{_KUBERNETES_VERSION}.gitVersion={{version}}",
        f"{_KUBERNETES_VERSION}.gitMajor={{major}}",
        f"{_KUBERNETES_VERSION}.gitMinor={{minor}}",
    ),
)
KWOK = GoModule("kwok", "sigs.k8s.io/kwok", ("sigs.k8s.io/kwok/pkg/consts.Version={version}",))

PACKAGES: Mapping[str, tuple[GoModule, str]] = {
    "etcd": (ETCD, "go.etcd.io/etcd/server/v3"),
    "kube-apiserver": (KUBERNETES, "k8s.io/kubernetes/cmd/kube-apiserver"),
    "kube-controller-manager": (KUBERNETES, "k8s.io/kubernetes/cmd/kube-controller-manager"),
    "kube-scheduler": (KUBERNETES, "k8s.io/kubernetes/cmd/kube-scheduler"),
    "kubectl": (KUBERNETES, "k8s.io/kubernetes/cmd/kubectl"),
    "kwok": (KWOK, "sigs.k8s.io/kwok/cmd/kwok"),
}
"""Every program, with the module that builds it and its Go package."""


def binaries(names: Iterable[str] = PACKAGES) -> dict[str, Path]:
    """The programs called `names`, built first where they are not at hand.

    Raises BuildError or toolchain.ToolchainError.
    """
    names = list(names)
    if missing := [name for name in names if not _at_hand(name)]:
        with exclusive(cache_home() / "bin"):
            _build([name for name in missing if not _at_hand(name)])
    return {name: _place(name) for name in names}


def _at_hand(name: str) -> bool:
    return os.access(_place(name), os.X_OK)


def _place(name: str) -> Path:
    built = PACKAGES[name][0].built / name
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    given = Path(assets, name).absolute() if assets else built
    return given if os.access(given, os.X_OK) else built


def _build(names: list[str]) -> None:
    if not names:
        return
    go = toolchain.go(max(PACKAGES[name][0].go_version for name in names))
    progress = Progress(len(names), sys.stderr)
    for name in names:
        module, package = PACKAGES[name]
        progress.begins(f"{name} {module.version}")
        _build_one(go, module, package, module.built / name, progress)
    progress.ends()


def _build_one(go: Path, module: GoModule, package: str, target: Path, progress: "Progress") -> None:
    """Build into a folder that is thrown away, also by the next build if this one is killed, and move the result."""
    workshop = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(workshop, ignore_errors=True)
    workshop.mkdir(parents=True)
    flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", module.linker_flags]
    try:
        output = _compile(go, ["build", *flags, "-o", str(workshop / target.name), package], module, workshop, progress)
        if output is not None:
            raise BuildError(_what_went_wrong(target.name, go, module, output))
        (workshop / target.name).replace(target)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _compile(go: Path, arguments: list[str], module: GoModule, workshop: Path, progress: "Progress") -> str | None:
    """Run Go, and return what it said if it failed."""
    with (workshop / "output").open("w+") as output:
        compiler = subprocess.Popen(
            leashed([go, *arguments], ending=signal.SIGINT),
            cwd=module.folder,
            env=toolchain.environment(go) | {"GOTMPDIR": str(workshop)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(compiler, progress)
        except BaseException:
            compiler.send_signal(signal.SIGINT)
            compiler.wait()
            raise
        output.seek(0)
        return output.read() if compiler.returncode != 0 else None


def _wait(compiler: subprocess.Popen[bytes], progress: "Progress") -> None:
    while True:
        try:
            compiler.wait(timeout=1)
        except subprocess.TimeoutExpired:
            progress.goes_on()
        else:
            return


def _what_went_wrong(name: str, go: Path, module: GoModule, output: str) -> str:
    last = "\n".join(f"    {line}" for line in output.splitlines()[-20:])
    return (
        f"Building {name} from {module.source} {module.version} with {go} failed:\n{last}\n"
        "If the network was the reason, run `python -m e2e.binaries` again: what is built stays built. "
        "A build needs a reachable Go module proxy (GOPROXY), about 6 GB of disk. "
        f"A folder with a ready {name} in it can be named by KUBEBUILDER_ASSETS instead."
    )


class Progress:
    """Says what is being built and for how long: on a terminal in one line, elsewhere in a line now and then."""

    ON_TERMINAL = 10.0
    ELSEWHERE = 30.0

    def __init__(self, total: int, output: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._output, self._clock = total, output, clock
        self._started = clock()
        self._done = 0
        self._what = ""
        self._on_terminal = output.isatty()
        self._next = 0.0
        self._print("Building the control plane's programs; a first build takes ten to fifteen minutes.\n")

    def begins(self, what: str) -> None:
        """The next program is being built."""
        self._done += 1
        self._what = what
        self._next = 0.0
        self.goes_on()

    def goes_on(self) -> None:
        """Say so if the last word is long enough ago."""
        now = self._clock()
        if now >= self._next:
            self._next = now + (self.ON_TERMINAL if self._on_terminal else self.ELSEWHERE)
            self._say(f"building {self._what} ({self._done} of {self._total}), {self._elapsed()} so far")

    def ends(self) -> None:
        """Everything is built."""
        self._say(f"built {self._total} programs in {self._elapsed()}")
        if self._on_terminal:
            self._print("\n")

    def _elapsed(self) -> str:
        minutes, seconds = divmod(round(self._clock() - self._started), 60)
        return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"

    def _say(self, text: str) -> None:
        self._print(f"\r\033[K{text}" if self._on_terminal else f"{text}\n")

    def _print(self, text: str) -> None:
        self._output.write(text)
        self._output.flush()


def main() -> int:
    """Build everything and print where it lies."""
    try:
        for path in binaries().values():
            print(path)
    except (BuildError, toolchain.ToolchainError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; what is built stays built.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
