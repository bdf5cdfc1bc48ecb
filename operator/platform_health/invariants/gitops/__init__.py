"""Invariants about Argo CD and Flux."""
