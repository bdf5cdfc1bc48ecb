"""Invariants about InferencePool, endpoint picker and objectives."""
