"""Why a container ended or does not start, in words, from what its status says.

Termination messages are log lines: they may hold credentials, so that only what a pattern recognises is ever repeated.
Facts: kubelet reasons (``pkg/kubelet/images/types.go``, ``kuberuntime``), exit codes of shells, signals and curl, error
texts of vLLM, huggingface_hub 1.x and the NVIDIA container runtime.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from platform_health.domain.gpu_memory import shortage
from platform_health.views.core import ContainerStatus, Terminated, Waiting

BACK_OFF = "CrashLoopBackOff"
PULL = frozenset(
    {
        "ImagePullBackOff",
        "ErrImagePull",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
CONFIGURATION = frozenset({"CreateContainerConfigError"})
CREATION = frozenset({"CreateContainerError", "RunContainerError", "StartError", "PostStartHookError"})
OUT_OF_MEMORY = "OOMKilled"


class Cause(NamedTuple):
    """Why a container ended, and the invariant that says more about it."""

    words: str
    told_by: str = ""


def last_end(status: ContainerStatus) -> Terminated | None:
    """How the container ended last, None where it never did."""
    return status.state.terminated or status.last_state.terminated


def cause_of_end(end: Terminated) -> Cause:
    """Why a container ended, as far as reason, exit code and message say."""
    if end.reason == OUT_OF_MEMORY:
        return Cause("it was OOMKilled: it used more memory than the pod may", "PodFitsHostMemory")
    found = cause_in(end.message)
    if found is not None:
        return found
    errors = _EXCEPTION.findall(end.message)
    if errors and end.exit_code:
        return Cause(f"it ended with {errors[-1]} (exit code {end.exit_code})")
    return Cause(exit_words(end))


def cause_in(message: str) -> Cause | None:
    """What a termination message says, None where it says nothing that is known."""
    if not message:
        return None
    short = shortage(message)
    if short is not None:
        return Cause(str(short), "ModelFitsGpuMemory")
    for pattern, cause in _SIGNATURES:
        found = pattern.search(message)
        if found is not None:
            return Cause(cause.words.format(*found.groups()), cause.told_by)
    return None


def exit_words(end: Terminated) -> str:
    """What an exit code means."""
    code = end.exit_code
    known = _EXIT_CODES.get(code)
    if known is not None:
        return f"exit code {code}: {known}"
    if 128 < code < 160:
        return f"exit code {code}: it was ended by signal {code - 128}"
    return f"exit code {code}"


def waits_for(waiting: Waiting) -> str:
    """What a waiting reason with its message means; names are repeated, command lines are not."""
    if waiting.reason in PULL:
        return next((words for pattern, words in _PULLS if pattern.search(waiting.message)), "the image cannot be had")
    if waiting.reason in CONFIGURATION:
        found = _MISSING.search(waiting.message)
        return (
            found[0]
            if found is not None
            else _first_known(_CREATIONS, waiting.message, "it asks for something that is not there")
        )
    return _first_known(_CREATIONS, waiting.message, "the runtime refuses it")


def _first_known(table: tuple[tuple[re.Pattern[str], str], ...], message: str, otherwise: str) -> str:
    return next((words for pattern, words in table if pattern.search(message)), otherwise)


_EXCEPTION = re.compile(r"\b([A-Z][A-Za-z]*(?:Error|Exception)):")
_MISSING = re.compile(
    r"(?:secret|configmap) \"[a-z0-9.-]+\" not found|couldn't find key \S+ in (?:Secret|ConfigMap) [a-z0-9./-]+",
    re.IGNORECASE,
)

_EXIT_CODES = {
    0: "the command ended by itself, although it should keep running",
    1: "an error of the program; the log of the last run says which",
    2: "wrong use of a command: often an argument that the program does not know",
    126: "the command cannot be executed",
    127: "the command does not exist in the image",
    128: "the container could not be started",
    132: "illegal instruction: the CPU lacks what the program was built for",
    134: "the program aborted",
    137: "it was killed, not for its memory: by a failed liveness probe, or because it took too long to end",
    139: "segmentation fault",
    143: "it was asked to end: a failed liveness probe, or a deletion",
}

CURL_EXIT_CODES = {
    6: "the host name does not resolve",
    7: "nothing accepts connections there",
    22: "the server answered with an HTTP error",
    28: "the time limit was reached",
    52: "the server closed the connection without an answer",
    56: "the connection broke while the answer was read",
}

_SIGNATURES: tuple[tuple[re.Pattern[str], Cause], ...] = tuple(
    (re.compile(pattern), Cause(words, told_by))
    for pattern, words, told_by in (
        (
            r"requires --tool-call-parser",
            "--enable-auto-tool-choice is set without --tool-call-parser",
            "ToolChoiceIsComplete",
        ),
        (
            r"VLLM_PORT '.*' appears to be a URI|invalid literal for int\(\) with base 10: 'tcp://",
            "VLLM_PORT holds the URL of a Service named vllm, not a number",
            "ServiceLinksDoNotCollide",
        ),
        (r"GatedRepoError|Cannot access gated repo", "the token may not read the gated model repository", ""),
        (
            r"OfflineModeIsEnabled|LocalEntryNotFoundError|outgoing traffic has been disabled|offline mode is enabled",
            "the model is not in the local cache and the hub may not be, or cannot be, asked",
            "ModelIsPrestaged",
        ),
        (
            r"RepositoryNotFoundError|401 Client Error.{0,80}huggingface",
            "the hub answers 401: the repository does not exist, or the token is missing or wrong",
            "ModelIsPrestaged",
        ),
        (r"429 Client Error.{0,80}huggingface", "the hub answers 429: too many downloads", "ModelIsPrestaged"),
        (
            r"Bus error|unable to (?:open|write to file) .{0,40}shared memory|/dev/shm.{0,60}No space left on device",
            "its shared memory is too small: mount an emptyDir with medium Memory at /dev/shm",
            "",
        ),
        (r"No space left on device", "the disk is full", ""),
        (
            r"No CUDA GPUs are available|Failed to infer device type|no CUDA-capable device|"
            r"NVIDIA driver on your system|driver version is insufficient|libcuda\.so\.1: cannot open|"
            r"Driver/library version mismatch",
            "the container sees no GPU that it can use: request one, and check driver and runtime class",
            "",
        ),
        (
            r"Bfloat16 is only supported on GPUs with compute capability",
            "the GPU knows no bfloat16: set --dtype half",
            "",
        ),
        (r"no kernel image is available for execution", "the image is not built for this generation of GPU", ""),
        (
            r"attention heads \((\d+)\) must be divisible by tensor parallel size \((\d+)\)",
            "the model's {0} attention heads cannot be divided by a tensor parallel size of {1}",
            "",
        ),
        (
            r"max_model_len \((\d+)\) is greater than the derived max_model_len \(\D*(\d+)",
            "--max-model-len {0} is more than the model allows, which is {1}",
            "",
        ),
        (
            r"maximum context length is (\d+) tokens",
            "the prompt is longer than the {0} tokens that the model takes",
            "",
        ),
        (r"trust_remote_code=True", "the model brings code of its own: it needs --trust-remote-code", ""),
        (r"error: unrecognized arguments: (--[A-Za-z0-9_-]+)", "this version does not know the argument {0}", ""),
        (r"[Aa]ddress already in use", "its port is taken by another program of the pod", ""),
        (r"exec format error", "the image is built for another CPU architecture", ""),
        (
            r"Engine core initialization failed",
            "the engine did not start; the root cause stands further up in the log",
            "",
        ),
    )
)

_PULLS = tuple(
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        (r"no matching manifest|no match for platform", "the image is not built for this CPU architecture"),
        (r"too ?many ?requests|rate limit", "the registry refuses with 429: too many pulls"),
        (
            r"unauthorized|authentication required|denied|forbidden|no basic auth",
            "the registry refuses the credentials, or does not show this repository without any (imagePullSecrets)",
        ),
        (r"not found|manifest unknown|does not exist", "the registry has no such image or tag"),
        (r"no such host|i/o timeout|connection refused|dial tcp|timeout", "the registry cannot be reached"),
        (r"no space left on device", "the node's disk is full"),
        (r"not present with pull policy of never", "the image is not on the node, and may not be pulled"),
        (r"x509|certificate", "the registry's certificate is not trusted"),
        (r"invalid reference|parse image name|InvalidImageName", "the name of the image is not valid"),
    )
)

_CREATIONS = tuple(
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        (r"executable file not found|no such file or directory.{0,60}exec", "its command does not exist in the image"),
        (r"nvidia-container-cli|nvidia-container-runtime|libnvidia|CDI device", "the NVIDIA runtime refuses it"),
        (r"permission denied", "its command may not be executed"),
        (r"runAsNonRoot", "runAsNonRoot is set, and the image runs as root"),
        (r"exec format error", "the image is built for another CPU architecture"),
        (r"failed to prepare subPath|subPath", "a subPath cannot be mounted"),
    )
)
