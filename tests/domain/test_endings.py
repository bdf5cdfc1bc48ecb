"""Why containers end and wait, from reasons, exit codes and messages; what is no known pattern is never repeated."""

from __future__ import annotations

import pytest

from platform_health.domain.endings import cause_of_end, waits_for
from platform_health.views.core import Terminated, Waiting

SECRET = "hf_not_to_be_shown"


@pytest.mark.parametrize(
    ("end", "words", "told_by"),
    [
        (Terminated(exit_code=137, reason="OOMKilled"), "it was OOMKilled", "PodFitsHostMemory"),
        (Terminated(exit_code=137, reason="Error"), "it was killed, not for its memory", ""),
        (Terminated(exit_code=143, reason="Error"), "it was asked to end", ""),
        (Terminated(exit_code=0, reason="Completed"), "ended by itself", ""),
        (Terminated(exit_code=136, reason="Error"), "signal 8", ""),
        (Terminated(exit_code=1, reason="Error", message=f"KeyError: '{SECRET}'"), "it ended with KeyError", ""),
        (Terminated(exit_code=1, reason="Error", message=SECRET), "an error of the program", ""),
        (
            Terminated(exit_code=1, message="OSError: x\nRuntimeError: CUDA error: out of memory"),
            "the GPU ran out of memory",
            "ModelFitsGpuMemory",
        ),
        (
            Terminated(exit_code=1, message="TypeError: Error: --enable-auto-tool-choice requires --tool-call-parser"),
            "--enable-auto-tool-choice is set without --tool-call-parser",
            "ToolChoiceIsComplete",
        ),
        (
            Terminated(exit_code=1, message="ValueError: invalid literal for int() with base 10: 'tcp://10.0.0.1:80'"),
            "VLLM_PORT holds the URL",
            "ServiceLinksDoNotCollide",
        ),
        (
            Terminated(exit_code=2, message=f"vllm: error: unrecognized arguments: --swap-spice {SECRET}"),
            "does not know the argument --swap-spice",
            "",
        ),
        (
            Terminated(
                exit_code=1, message="requests.HTTPError: 401 Client Error: for url: https://huggingface.co/a/b"
            ),
            "the hub answers 401",
            "ModelIsPrestaged",
        ),
        (
            Terminated(exit_code=1, message="HTTPError: 401 Client Error: for url: https://a.example.com"),
            "HTTPError",
            "",
        ),
    ],
)
def test_cause_of_end(end: Terminated, words: str, told_by: str) -> None:
    found = cause_of_end(end)
    assert words in found.words
    assert found.told_by == told_by
    assert SECRET not in found.words


@pytest.mark.parametrize(
    ("reason", "message", "words"),
    [
        ("ImagePullBackOff", 'Back-off pulling image "a/b:429"', "the image cannot be had"),
        ("ErrImagePull", "429 Too Many Requests - toomanyrequests", "too many pulls"),
        ("ErrImagePull", "no match for platform in manifest: not found", "CPU architecture"),
        ("ErrImagePull", "dial tcp: lookup registry.example.com: no such host", "cannot be reached"),
        ("CreateContainerConfigError", 'configmap "env" not found', 'configmap "env" not found'),
        (
            "CreateContainerConfigError",
            "couldn't find key HF_TOKEN in Secret serving/hf",
            "couldn't find key HF_TOKEN in Secret serving/hf",
        ),
        ("CreateContainerConfigError", "something else", "asks for something that is not there"),
        (
            "RunContainerError",
            f'exec: "serve --api-key {SECRET}": executable file not found in $PATH',
            "does not exist",
        ),
        ("CreateContainerError", SECRET, "the runtime refuses it"),
    ],
)
def test_waits_for(reason: str, message: str, words: str) -> None:
    found = waits_for(Waiting(reason=reason, message=message))
    assert words in found
    assert SECRET not in found
