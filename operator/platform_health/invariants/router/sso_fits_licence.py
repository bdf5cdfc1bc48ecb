"""SsoFitsLicence."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain import environment
from platform_health.domain.images import version
from platform_health.domain.router_faults import is_set
from platform_health.domain.servers import servers_of
from platform_health.invariant import INFO, Inventory, Violation, invariant
from platform_health.views.apps import Deployment, StatefulSet
from platform_health.views.core import Container
from platform_health.views.view import Path

TRIGGERS = ("MICROSOFT_CLIENT_ID", "GOOGLE_CLIENT_ID", "GENERIC_CLIENT_ID")
LICENCE = "LITELLM_LICENSE"
FREE_SINCE = (1, 76, 0)


@invariant(
    severity=INFO,
    symptom="HTTP 403 for the sixth user who signs in",
    needs=environment.SOURCES,
)
def sso_fits_licence(subject: Deployment | StatefulSet, inventory: Inventory) -> Iterator[Violation]:
    """LiteLLM's single sign-on without a licence is meant for at most five users.

    Why: from 1.76 on LiteLLM lets five billable users sign in without an enterprise licence and answers 403 to the next
    (`SSO for more than 5 users requires a LiteLLM Enterprise license`); before, its sign-in was for licences only. How
    many users there are cannot be seen from here.

    Remedy: set `LITELLM_LICENSE`, or authenticate at the edge: oauth2-proxy or the gateway signs people in, and LiteLLM
    only sees virtual keys.

    See: LiteLLM, SSO for the admin UI.
    """
    for path, template in subject.templates():
        for at, container in template.spec.long_running():
            if any(server.engine == "litellm" for server in servers_of(container, at)):
                with inventory.part():
                    yield from _judged(container, path.join(at), subject.namespace, inventory)


def _judged(container: Container, at: Path, namespace: str, inventory: Inventory) -> Iterator[Violation]:
    trigger = next((name for name in TRIGGERS if is_set(container, name, namespace, inventory)), None)
    if trigger is None or is_set(container, LICENCE, namespace, inventory):
        return
    found = version(container.image, "litellm")
    is_old = found is not None and found < FREE_SINCE
    names = [entry.name for entry in container.env]
    yield Violation(
        at=at / "env" / names.index(trigger) if trigger in names else at / "envFrom",
        about=container.name,
        because=f"{trigger} turns on single sign-on without {LICENCE}, "
        + ("which this version does not offer" if is_old else "which is free for five users only"),
        symptom="the sign-in button is missing" if is_old else None,
    )
