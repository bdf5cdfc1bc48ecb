"""What servers say about GPU memory, and what they say that is not about it."""

from __future__ import annotations

import pytest

from platform_health.domain.gpu_memory import shortage


@pytest.mark.parametrize(
    ("message", "flag", "advice"),
    [
        (
            "ValueError: To serve at least one request with the model's max seq len (16,384),\n(4.00 GiB KV cache is "
            "needed, which is larger than the available KV cache memory\n(2.50 GiB). Based on the available memory, "
            "the estimated maximum model length is 10,240.",
            "--max-model-len",
            "--max-model-len 10240 is the most that fits",
        ),
        (
            "To serve at least one request with the model's max seq len (262144), 9.29 GiB KV cache is needed, which "
            "is larger than the available KV cache memory (9.28 GiB). Based on the available memory, the estimated "
            "maximum model length is 260800.",
            "--max-model-len",
            "--max-model-len 260800 is the most that fits",
        ),
        (
            "To serve at least one request with the models's max seq len (8192), (2.0 GiB KV cache is needed, which is "
            "larger than the available KV cache memory (-0.49 GiB). Based on the available memory, the estimated "
            "maximum model length is 0.",
            "--max-model-len",
            "lower --max-model-len, or raise --gpu-memory-utilization",
        ),
        (
            "Free memory on device (3.27/15.98 GiB) on startup is less than desired GPU memory utilization (0.9, 14.39",
            "--gpu-memory-utilization",
            "--gpu-memory-utilization 0.2 is the most that fits",
        ),
        (
            "RuntimeError: CUDA out of memory occurred when warming up pooler_with_tasks with 256 dummy requests.",
            "--max-num-seqs",
            "set --max-num-seqs below 256",
        ),
        ("torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB", "", "2.00 GiB"),
        ("torch.OutOfMemoryError: HIP out of memory. Tried to allocate 512.00 MiB", "", "512.00 MiB"),
        ("RuntimeError: CUDA error: out of memory", "", "the GPU ran out of memory"),
        ("ncclUnhandledCudaError: Call to CUDA function failed. Cuda failure 2 'out of memory'", "", "ran out"),
        ("llama runner process has terminated: cudaMalloc failed: out of memory", "-ngl", "load fewer layers"),
    ],
)
def test_shortage(message: str, flag: str, advice: str) -> None:
    found = shortage(message)
    assert found is not None
    assert found.flag == flag
    assert advice in str(found)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "RuntimeError: Engine core initialization failed. See root cause above.",
        "hint: to avoid CUDA out of memory set PYTORCH_CUDA_ALLOC_CONF",
        "OSError: [Errno 12] Cannot allocate memory",
        "INFO Free memory on device 70/79 GiB",
    ],
)
def test_nothing_certain(message: str) -> None:
    assert shortage(message) is None
