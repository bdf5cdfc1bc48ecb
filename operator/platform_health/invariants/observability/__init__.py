"""Invariants about Prometheus operator, DCGM and dashboards."""
