"""Karpenter: NodePool, from which nodes are made on demand."""

from __future__ import annotations

from typing import ClassVar

from platform_health.views.view import Kind, View


class NodePool(View, frozen=True):
    """A NodePool; its nodes need not be there yet."""

    kind: ClassVar[Kind] = Kind("karpenter.sh", "NodePool", "nodepools", ("v1", "v1beta1"), namespaced=False)
