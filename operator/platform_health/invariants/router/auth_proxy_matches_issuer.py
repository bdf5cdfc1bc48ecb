"""AuthProxyMatchesIssuer."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.documents.dex import DexConfig
from platform_health.domain import auth_proxy, environment, upstreams
from platform_health.domain.auth_proxy import AuthProxy
from platform_health.invariant import ERROR, Inventory, Unknown, Violation, invariant, nearest
from platform_health.views.apps import DaemonSet, Deployment, StatefulSet
from platform_health.views.view import Ref


@invariant(
    severity=ERROR,
    symptom="a login loop, or an error page of the identity provider",
    needs=(*environment.SOURCES, *upstreams.NEEDS),
)
def auth_proxy_matches_issuer(
    subject: Deployment | StatefulSet | DaemonSet, inventory: Inventory
) -> Iterator[Violation]:
    """An oauth2-proxy and the Dex it asks agree on issuer, client and redirect URI, and what it guards exists.

    Why: the issuer in a token must equal `--oidc-issuer-url` to the byte, slash included; Dex refuses a client it does
    not know and a redirect URI that is not listed literally; a cookie secret of another length than 16, 24 or 32 bytes
    ends the proxy at its start.

    Remedy: copy Dex's `issuer`, the client's `id` and one of its `redirectURIs` as they are; make the cookie secret
    with `openssl rand -base64 32 | tr -- '+/' '-_'`.

    See: oauth2-proxy, OpenID Connect provider; Dex, `staticClients`.
    """
    for proxy in auth_proxy.auth_proxies(subject):
        with inventory.part():
            yield from _issuer(proxy, inventory)
        with inventory.part():
            yield from _upstreams(proxy, inventory)
        with inventory.part():
            yield from _cookie(proxy, inventory)


def _issuer(proxy: AuthProxy, inventory: Inventory) -> Iterator[Violation]:
    issuer = auth_proxy.issuer_of(proxy, inventory)
    found = auth_proxy.dex_of(issuer.value, proxy.workload.namespace, inventory) if issuer is not None else None
    if issuer is None or found is None:
        return
    config, _, dex = found
    if issuer.value != dex.issuer:
        yield Violation(
            at=issuer.at,
            about=f"{proxy.container.name}: issuer",
            because=f"--oidc-issuer-url is {upstreams.shown(issuer.value)}, "
            f"but the issuer of {config.ref} is {upstreams.shown(dex.issuer)}",
            related=(config.ref,),
        )
    with inventory.part():
        yield from _client(proxy, dex, config.ref, inventory)


def _client(proxy: AuthProxy, dex: DexConfig, config: Ref, inventory: Inventory) -> Iterator[Violation]:
    name = proxy.option("client-id", inventory)
    if name is None:
        return
    client = dex.client(name.value)
    if client is None:
        if dex.takes_more or any(not entry.id for entry in dex.clients):
            raise Unknown(f"clients of {config} may be defined elsewhere")
        yield Violation(
            at=name.at,
            about=f"{proxy.container.name}: client",
            because=f"--client-id is {name.value}, which is no client of {config}",
            nearest=nearest(name.value, (entry.id for entry in dex.clients)),
            related=(config,),
        )
        return
    redirect = auth_proxy.redirect_of(proxy, inventory)
    if redirect is not None and not client.is_public and redirect.value not in client.redirects:
        yield Violation(
            at=redirect.at,
            about=f"{proxy.container.name}: redirect",
            because=f"the redirect URI is {upstreams.shown(redirect.value)}, but client {client.id} of {config} lists "
            f"{', '.join(map(upstreams.shown, client.redirects)) or 'none'}",
            related=(config,),
        )


def _upstreams(proxy: AuthProxy, inventory: Inventory) -> Iterator[Violation]:
    for upstream in proxy.several("upstream", inventory):
        with inventory.part():
            address = upstreams.address(upstream.value)
            if isinstance(address, upstreams.BadUrl):
                continue
            place = upstreams.place(address.host, address.port, proxy.workload.namespace)
            problem = upstreams.problem(place, inventory) if place is not None else None
            if problem is not None:
                yield Violation(
                    at=upstream.at,
                    about=f"{proxy.container.name}: {address}",
                    because=f"the upstream is {address}, but {problem.because}",
                    nearest=problem.nearest,
                    follows=problem.follows,
                    symptom="HTTP 502 after signing in",
                    verify=problem.verify,
                )


def _cookie(proxy: AuthProxy, inventory: Inventory) -> Iterator[Violation]:
    secret = proxy.option("cookie-secret", inventory)
    length = auth_proxy.cookie_secret_length(secret.value) if secret is not None else None
    if secret is not None and length is not None:
        yield Violation(
            at=secret.at,
            about=f"{proxy.container.name}: cookie secret",
            because=f"the cookie secret has {length} bytes, expected 16, 24 or 32, or those in URL-safe base64",
            symptom="oauth2-proxy exits at its start",
        )
