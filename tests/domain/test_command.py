"""What a container runs, read from its command and arguments."""

from __future__ import annotations

import pytest

from platform_health.domain.command import commands, simple_commands
from platform_health.inventory import Unknown
from platform_health.views.core import Container, EnvSource, EnvVar, FieldSelector


def words(*command: str, args: tuple[str, ...] = (), env: tuple[EnvVar, ...] = ()) -> list[tuple[str, ...]]:
    return [entry.words for entry in commands(Container(command=command, args=args, env=env))]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("vllm serve m --port 8000", [["vllm", "serve", "m", "--port", "8000"]]),
        ("cd /x && exec vllm serve 'a b'", [["cd", "/x"], ["exec", "vllm", "serve", "a b"]]),
        ("# it's a comment\nvllm serve m", [["vllm", "serve", "m"]]),
        ("vllm serve m \\\n  --port 1", [["vllm", "serve", "m", "--port", "1"]]),
        ("vllm serve m > /tmp/log 2>&1 &\nwait", [["vllm", "serve", "m"], ["wait"]]),
        ("cat <<EOF > /c\nvllm serve fake\nEOF\nvllm serve m", [["cat"], ["vllm", "serve", "m"]]),
        ('vllm serve m --port "$((8000 + RANK))"', [["vllm", "serve", "m", "--port", "$((8000 + RANK))"]]),
        ("A=$(hostname -i) vllm serve m", [["A=$(hostname -i)", "vllm", "serve", "m"]]),
        ('vllm serve m --kv \'{"a": "b;c"}\'', [["vllm", "serve", "m", "--kv", '{"a": "b;c"}']]),
        ('echo "unclosed', [["echo", "unclosed"]]),
    ],
)
def test_simple_commands(script: str, expected: list[list[str]]) -> None:
    assert list(simple_commands(script)) == expected


def test_shells_and_wrappers_are_unfolded() -> None:
    assert words("/bin/bash", "-lc", args=("set -e; exec vllm serve m",))[-1] == ("vllm", "serve", "m")
    assert words("tini", "-g", "--", "vllm", "serve", "m") == [("vllm", "serve", "m")]
    assert words("sh", "-c", "timeout -k 5 60 bash -c 'vllm serve m'")[-1] == ("vllm", "serve", "m")
    assert words("env", "A=b", "vllm", "serve", "m") == [("vllm", "serve", "m")]
    assert words("sh", "-c", 'if [ "$A" = 0 ]; then vllm serve m; else vllm serve m --headless; fi')[1:3] == [
        ("vllm", "serve", "m"),
        ("vllm", "serve", "m", "--headless"),
    ]


def test_variables_are_expanded_as_the_kubelet_does() -> None:
    env = (EnvVar(name="PORT", value="$(BASE)1"), EnvVar(name="BASE", value="800"))
    assert words("x", args=("--port=$(PORT)", "$$(PORT)", "$(OTHER)"), env=env) == [
        ("x", "--port=8001", "$(PORT)", "$(OTHER)")
    ]
    source = EnvVar(name="IP", value_from=EnvSource(field_ref=FieldSelector(field_path="status.podIP")))
    assert words("x", args=("$(IP)",), env=(source,)) == [("x", "$(IP)")]


def test_without_command_the_image_decides() -> None:
    (command,) = commands(Container(args=("--model", "m")))
    assert command.from_image
    assert command.program == ""
    assert command.value("--model") == "m"
    (given,) = commands(Container(args=("python3", "-m", "vllm.entrypoints.openai.api_server")))
    assert not given.from_image
    assert given.module == "vllm.entrypoints.openai.api_server"
    (entry,) = commands(Container(command=("/opt/nvidia/nvidia_entrypoint.sh",), args=("vllm", "serve", "m")))
    assert entry.words == ("vllm", "serve", "m")


def test_flags() -> None:
    (command,) = commands(
        Container(command=("vllm", "serve"), args=("m", "--served_model_name", "a", "b", "--port=1", "--port", "2"))
    )
    assert command.several("--served-model-name") == ["a", "b"]
    assert command.values("--port") == ["1", "2"]
    assert command.number("--port") == 2
    assert command.has("--served-model-name")
    assert command.value("--absent") is None
    (shell,) = commands(Container(command=("sh", "-c", "vllm serve m --port $PORT")))
    with pytest.raises(Unknown):
        shell.value("--port")
