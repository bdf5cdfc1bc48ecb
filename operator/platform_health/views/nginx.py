"""NGINX Gateway Fabric: how its proxies treat backends (ProxySettingsPolicy, SnippetsPolicy)."""

from __future__ import annotations

from typing import ClassVar

from platform_health.views.gateway import AttachedPolicy
from platform_health.views.view import Kind

GROUP = "gateway.nginx.org"


class ProxySettingsPolicy(AttachedPolicy, frozen=True):
    """Buffers and timeouts of the connection to backends, of a Gateway or a route."""

    kind: ClassVar[Kind] = Kind(GROUP, "ProxySettingsPolicy", "proxysettingspolicies", ("v1alpha1",))


class SnippetsPolicy(AttachedPolicy, frozen=True):
    """Directives of NGINX itself, of a Gateway."""

    kind: ClassVar[Kind] = Kind(GROUP, "SnippetsPolicy", "snippetspolicies", ("v1alpha1",))
