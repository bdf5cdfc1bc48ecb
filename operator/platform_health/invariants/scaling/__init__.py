"""Invariants about KEDA and HPA."""
