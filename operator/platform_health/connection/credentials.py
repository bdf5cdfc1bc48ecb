"""Where the credentials come from: the service account of a pod, or a kubeconfig; and how they stay fresh."""

from __future__ import annotations

import os
import ssl
import time
from pathlib import Path
from typing import Any

from platform_health.connection.client import Authorization, Connection
from platform_health.connection.errors import Unreachable

TOKEN_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
NAMESPACE_FILE = TOKEN_FILE.with_name("namespace")
TOKEN_AGE = 60.0
"""After how many seconds a token is read again: the kubelet rotates it well before it expires."""


async def connect(kubeconfig: Path | None = None, context: str | None = None) -> Connection:
    """A connection with the credentials of a service account inside a cluster, of a kubeconfig elsewhere.

    A file or context named by the caller, or KUBECONFIG, wins over the service account. Raises Unreachable where there
    are no usable credentials.
    """
    if not (kubeconfig or context or os.environ.get("KUBECONFIG")) and _is_pod():
        return _in_cluster()
    return await _from_kubeconfig(kubeconfig, context)


def _is_pod() -> bool:
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and TOKEN_FILE.exists()


def _in_cluster() -> Connection:
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config import ConfigException, load_incluster_config

    configuration = Configuration()
    try:
        load_incluster_config(client_configuration=configuration)
    except (ConfigException, OSError) as error:
        raise Unreachable(f"the service account of this pod cannot be used: {error}") from error

    async def authorization(refused: bool) -> str | None:
        if refused:
            load_incluster_config(client_configuration=configuration)
        token: str | None = await configuration.get_api_key_with_prefix("BearerToken")
        return token.strip() if token else None

    namespace = NAMESPACE_FILE.read_text().strip() if NAMESPACE_FILE.exists() else "default"
    return _connection(configuration, authorization, namespace)


async def _from_kubeconfig(kubeconfig: Path | None, context: str | None) -> Connection:
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config import ConfigException, load_kube_config

    file = str(kubeconfig or os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    configuration = Configuration()
    if not _exists(file):
        raise Unreachable(f"no cluster to talk to: {file} does not exist; name a kubeconfig or run inside a cluster")
    try:
        loader = await load_kube_config(
            config_file=file, context=context, client_configuration=configuration, persist_config=False
        )
    except (ConfigException, OSError, TypeError, ValueError) as error:
        wanted = f"context {context!r}" if context else "current context"
        raise Unreachable(f"the {wanted} of {file} cannot be used: {error}") from error
    renew = _Renewal(loader, configuration)
    chosen = loader.current_context.get("context", {})
    return _connection(configuration, renew.authorization, chosen.get("namespace") or "default")


def _exists(files: str) -> bool:
    return any(Path(part).expanduser().exists() for part in files.split(os.pathsep) if part)


class _Renewal:
    """Keeps the token of a kubeconfig fresh: files are read again, plugins asked once their token expires."""

    def __init__(self, loader: Any, configuration: Any) -> None:
        self._loader, self._configuration = loader, configuration
        self._loaded = time.monotonic()

    async def authorization(self, refused: bool) -> str | None:
        """The Authorization header, renewed where it is old or was refused."""
        if refused or time.monotonic() - self._loaded > TOKEN_AGE:
            if refused and hasattr(self._loader, "exec_plugin_expiry"):
                del self._loader.exec_plugin_expiry
            self._loaded = time.monotonic()
            if refused or not self._is_eternal():
                await self._loader.load_and_set(self._configuration)
        token: str | None = await self._configuration.get_api_key_with_prefix("BearerToken")
        return token

    def _is_eternal(self) -> bool:
        """Whether only a refusal can tell that the token is no longer valid: a plugin that named no expiry."""
        user = self._loader._user
        return bool(user) and "exec" in user and not hasattr(self._loader, "exec_plugin_expiry")


def _connection(configuration: Any, authorization: Authorization, namespace: str) -> Connection:
    server: str = configuration.host
    tls: ssl.SSLContext | bool = True
    if server.startswith("https"):
        tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        # Cluster authorities are often too old for the strict checks that Python 3.13 makes the default.
        tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if configuration.cert_file:
            tls.load_cert_chain(configuration.cert_file, configuration.key_file)
        if not configuration.verify_ssl:
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
    return Connection(
        server,
        authorization=authorization,
        tls=tls,
        tls_server_name=configuration.tls_server_name,
        proxy=configuration.proxy,
        namespace=namespace,
    )
