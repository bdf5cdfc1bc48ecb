"""Invariants about NetworkPolicy."""
