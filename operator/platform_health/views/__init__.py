"""Typed, read-only, slim pictures of Kubernetes objects: one module per API group.

A view holds only the fields that some invariant reads, names each of them once, and hands out its items together
with the path they were read from. Importing `platform_health.views.kinds` registers every kind.
"""
