"""Invariants about Model server pods, GPU scheduling and warm-up."""
