"""Invariants about LiteLLM, vLLM router, the plain router and the auth proxy."""
