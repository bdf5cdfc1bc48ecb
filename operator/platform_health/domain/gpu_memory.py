"""How model servers say that the GPU has too little memory, and which of their arguments answers it.

Facts: vLLM ``v1/core/kv_cache_utils.py``, ``v1/worker/gpu_worker.py`` and ``gpu_model_runner.py`` (0.8 to 0.33), SGLang
``pool_configurator.py``, TGI ``server/models``, llama.cpp ``ggml-cuda``, PyTorch's allocator.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import NamedTuple


class Shortage(NamedTuple):
    """Too little GPU memory: what the server said, the flag that answers it, and what to do with it."""

    said: str
    flag: str
    advice: str

    def __str__(self) -> str:
        return f"{self.said}; {self.advice}" if self.advice else self.said


Reading = Callable[[re.Match[str]], Shortage]


def shortage(message: str) -> Shortage | None:
    """What a termination message says about GPU memory; None where it says nothing certain about it."""
    text = " ".join(message.split())
    for pattern, read in _SIGNATURES:
        found = pattern.search(text)
        if found is not None:
            return read(found)
    return None


def _sequence(found: re.Match[str]) -> Shortage:
    asked, needed, available, fits = (found[name] for name in ("asked", "needed", "available", "fits"))
    said = f"one request of {_number(asked)} tokens needs {needed} GiB of KV cache, and {available} GiB are available"
    if fits is None or _number(fits) == 0:
        return Shortage(said, "--max-model-len", "lower --max-model-len, or raise --gpu-memory-utilization")
    return Shortage(said, "--max-model-len", f"--max-model-len {_number(fits)} is the most that fits")


def _stored(found: re.Match[str]) -> Shortage:
    asked, fits = _number(found["asked"]), _number(found["fits"])
    said = f"the KV cache holds {fits} tokens, fewer than one request of {asked}"
    return Shortage(said, "--max-model-len", f"--max-model-len {fits} is the most that fits")


def _free(found: re.Match[str]) -> Shortage:
    free, total, asked = float(found["free"]), float(found["total"]), found["asked"]
    said = f"{free:g} of {total:g} GiB were free when the server asked for a share of {asked}"
    most = math.floor(free / total * 100) / 100 if total else 0.0
    advice = f"stop what else uses this GPU, or --gpu-memory-utilization {most:g} is the most that fits"
    return Shortage(said, "--gpu-memory-utilization", advice)


def _sampler(found: re.Match[str]) -> Shortage:
    number = int(found["number"])
    said = f"memory ran out while warming up with {number} dummy requests"
    advice = f"set --max-num-seqs below {number}, or lower --gpu-memory-utilization"
    return Shortage(said, "--max-num-seqs", advice)


def _prefill(found: re.Match[str]) -> Shortage:
    said = f"there is not enough memory for {_number(found['number'])} prefill tokens"
    return Shortage(said, "--max-batch-prefill-tokens", "lower --max-batch-prefill-tokens or --max-input-tokens")


def _allocation(found: re.Match[str]) -> Shortage:
    said = f"CUDA ran out of memory allocating {found['asked']}" if found["asked"] else "the GPU ran out of memory"
    advice = (
        "spread the model over more GPUs (--tensor-parallel-size), take a quantised one, or lower --max-model-len, "
        "--max-num-seqs and the share of memory that is reserved"
    )
    return Shortage(said, "", advice)


def _plain(said: str, flag: str, advice: str) -> Reading:
    return lambda found: Shortage(said, flag, advice)


_SIGNATURES: tuple[tuple[re.Pattern[str], Reading], ...] = (
    (
        re.compile(
            r"To serve at least one request with the models?'s max seq len \((?P<asked>[\d,]+)\), \(?"
            r"(?P<needed>[\d.]+) GiB KV cache is needed, which is larger than the available KV cache memory "
            r"\((?P<available>-?[\d.]+) GiB\)(?:.{0,80}?estimated maximum model length is (?P<fits>\d[\d,]*))?"
        ),
        _sequence,
    ),
    (
        re.compile(
            r"max seq len \((?P<asked>\d+)\) is larger than the maximum number of tokens that can be stored in KV "
            r"cache \((?P<fits>\d+)\)"
        ),
        _stored,
    ),
    (
        re.compile(
            r"Free memory on device (?:\S+ )?\((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\)(?: on startup)? is less than "
            r"desired GPU memory utilization \((?P<asked>[\d.]+)"
        ),
        _free,
    ),
    (
        re.compile(r"out of memory occurred when warming up (?:sampler|pooler\S*|.{0,20}?) with (?P<number>\d+) dummy"),
        _sampler,
    ),
    (
        re.compile(r"No available memory for the cache blocks"),
        _plain(
            "nothing is left for the KV cache once the weights are loaded",
            "--gpu-memory-utilization",
            "raise --gpu-memory-utilization, or spread the model over more GPUs (--tensor-parallel-size)",
        ),
    ),
    (
        re.compile(r"Not enough memory\. Please try to increase --mem-fraction-static"),
        _plain(
            "nothing is left for the KV cache once the weights are loaded",
            "--mem-fraction-static",
            "raise --mem-fraction-static, or spread the model over more GPUs (--tp)",
        ),
    ),
    (re.compile(r"Not enough memory to handle (?P<number>[\d,]+) prefill tokens"), _prefill),
    (
        re.compile(r"ggml_\S*: .{0,120}?(?:cuda|hip)Malloc failed: out of memory|cudaMalloc failed: out of memory"),
        _plain("the GPU ran out of memory", "-ngl", "load fewer layers (-ngl) or take a smaller context (-c)"),
    ),
    (
        re.compile(
            r"(?:OutOfMemoryError|RuntimeError): (?:CUDA|HIP|XPU) out of memory"
            r"(?:\. Tried to allocate (?P<asked>[\d.]+ [KMGT]?i?B))?"
        ),
        _allocation,
    ),
    (
        re.compile(r"(?P<asked>(?!))?(?:CUDA|HIP) error: out of memory|Cuda failure \d* ?'out of memory'"),
        _allocation,
    ),
)


def _number(text: str) -> int:
    return int(text.replace(",", ""))
