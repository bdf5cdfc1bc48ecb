"""Retired metric names: the table and its suffixes."""

from __future__ import annotations

import pytest

from platform_health.domain.metrics import Drop, _by_full_name, retired


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc"),
        ("vllm:gpu_prefix_cache_hits_total", "vllm:prefix_cache_hits_total"),
        ("vllm:gpu_prefix_cache_hits", "vllm:prefix_cache_hits_total"),
        ("vllm:time_per_output_token_seconds_bucket", "vllm:inter_token_latency_seconds_bucket"),
        ("inference_model_request_total", "inference_objective_request_total"),
        ("vllm:num_requests_swapped", ""),
    ],
)
def test_names_have_successors(name: str, instead: str) -> None:
    entry = retired(name)
    assert entry is not None
    assert Drop(name, entry, "vLLM").instead == instead


@pytest.mark.parametrize(
    "name",
    [
        "vllm:kv_cache_usage_perc",
        "vllm:num_requests_waiting",
        "vllm:prompt_tokens_total",
        "vllm:request_success_total",
        "vllm:cache_config_info",
        "vllm:request_time_per_output_token_seconds_sum",
        "vllm:iteration_tokens_total_bucket",
        "sglang:num_queue_reqs",
        "inference_objective_request_total",
        "my:own_metric",
    ],
)
def test_current_and_unknown_names_are_left_alone(name: str) -> None:
    assert retired(name) is None


def test_successors_are_current() -> None:
    for entry in _by_full_name().values():
        assert entry.hidden <= entry.gone
        assert entry.instead or entry.hint, entry
        assert retired(entry.instead) is None
