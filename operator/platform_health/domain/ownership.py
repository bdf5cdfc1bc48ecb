"""Who looks after an object, so that a change made to it in the cluster would be fought or lost.

Every proof is one that the owner itself would accept. What merely looks like ownership is none: a tracking annotation
copied from another object, the label ``app.kubernetes.io/instance``, an Application that deploys an object of the same
name to another cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import msgspec

from platform_health.inventory import Inventory
from platform_health.views.argo import Application, Source, tracked_term
from platform_health.views.view import Ref, View

Keeper = Literal["controller", "addon manager", "Argo CD", "Flux", "Helm", "OLM"]

TRACKING_ANNOTATION = "argocd.argoproj.io/tracking-id"
ADDON_LABEL = "addonmanager.kubernetes.io/mode"
OLM_LABEL = "olm.owner"
HELM_LABEL, HELM_NAME = "app.kubernetes.io/managed-by", "meta.helm.sh/release-name"
HELM_NAMESPACE = "meta.helm.sh/release-namespace"
FLUX = (("Kustomization", "kustomize.toolkit.fluxcd.io"), ("HelmRelease", "helm.toolkit.fluxcd.io"))


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Who looks after an object: what kind of owner, its name, the proof, and where a lasting change is made."""

    by: Keeper
    name: str
    because: str
    fix_in: str = ""
    """Repository and path, or the object to change; empty where it is not known."""

    def __str__(self) -> str:
        return f"{self.by} {self.name}" + (f" (change it in {self.fix_in})" if self.fix_in else "")


def owner_of(view: View, inventory: Inventory) -> Owner | None:
    """Who looks after this object, None where it is nobody.

    Raises Unknown where only Argo CD's Applications could tell and they cannot be read.
    """
    for proof in _PROOFS:
        owner = proof(view, inventory)
        if owner is not None:
            return owner
    return None


def _controller(view: View, inventory: Inventory) -> Owner | None:
    reference = view.metadata.controller
    if reference is None:
        return None
    name = f"{reference.kind} {reference.name}"
    return Owner(by="controller", name=name, because=f"its ownerReference names {name} as controller", fix_in=name)


def _addon_manager(view: View, inventory: Inventory) -> Owner | None:
    if view.labels.get(ADDON_LABEL) == "Reconcile":
        return Owner(by="addon manager", name="of the cluster", because=f"it has the label {ADDON_LABEL}=Reconcile")
    if view.namespace == "kube-system" or view.namespace.startswith("gke-managed-"):
        because = f"namespace {view.namespace} belongs to the cluster's own add-ons"
        return Owner(by="addon manager", name="of the cluster", because=because)
    return None


class Tracking(NamedTuple):
    """A parsed tracking id of Argo CD: ``<app>:<group>/<kind>:<namespace>/<name>``."""

    application: str
    group: str
    kind: str
    namespace: str
    name: str

    def means(self, ref: Ref) -> bool:
        """Whether it speaks of this very object. A cluster-scoped one carries the namespace its Application deploys to.

        Argo CD v3.2, controller/state.go, isSelfReferencedObj.
        """
        same = (self.group, self.kind, self.name) == (ref.kind.group, ref.kind.name, ref.name)
        return same and (not ref.namespace or self.namespace == ref.namespace)


def tracking(text: str) -> Tracking | None:
    """The parts of a tracking id, None where it is none (Argo CD v3.2, util/argo/resource_tracking.go)."""
    application, _, rest = text.partition(":")
    kind, _, name = rest.partition(":")
    kinds, names = kind.split("/"), name.split("/")
    if len(kinds) != 2 or len(names) != 2 or not application:
        return None
    return Tracking(application, *kinds, *names)


def _argo_annotation(view: View, inventory: Inventory) -> Owner | None:
    found = tracking(view.annotations.get(TRACKING_ANNOTATION, ""))
    if found is None or not found.means(view.ref):
        return None
    application = _application(found.application, view.ref, inventory)
    return Owner(
        by="Argo CD",
        name=f"Application {application.namespace}/{application.name}" if application else found.application,
        because=f"its annotation {TRACKING_ANNOTATION} names it",
        fix_in=_sources(application) if application else "",
    )


def _application(instance: str, ref: Ref, inventory: Inventory) -> Application | None:
    """The Application of an instance name; one outside of Argo CD's own namespace is ``<namespace>_<name>``."""
    if not inventory.is_known(Application):
        return None
    namespace, _, name = instance.rpartition("_")
    for application in _applications(ref, inventory) or inventory.near(Application):
        named = application.name == instance or (application.namespace, application.name) == (namespace, name)
        if named and application.spec.destination.is_here:
            return application
    return None


def _argo_status(view: View, inventory: Inventory) -> Owner | None:
    for application in _applications(view.ref, inventory):
        return Owner(
            by="Argo CD",
            name=f"Application {application.namespace}/{application.name}",
            because="it stands in status.resources of that Application",
            fix_in=_sources(application),
        )
    return None


def _applications(ref: Ref, inventory: Inventory) -> list[Application]:
    term = tracked_term(ref.kind.group, ref.kind.name, ref.namespace, ref.name)
    return inventory.modifying(Application, term=term)


def _sources(application: Application) -> str:
    sources = application.spec.sources or ((application.spec.source,) if application.spec.source else ())
    return ", ".join(_place(source) for source in sources)


def _place(source: Source) -> str:
    place = f"{source.repo_url} {source.chart or source.path}".strip()
    return f"{place} at {source.target_revision}" if source.target_revision else place


def _flux(view: View, inventory: Inventory) -> Owner | None:
    for kind, prefix in FLUX:
        namespace, name = view.labels.get(f"{prefix}/namespace"), view.labels.get(f"{prefix}/name")
        if namespace and name:
            found = f"{kind} {namespace}/{name}"
            return Owner(
                by="Flux", name=found, because=f"its labels {prefix}/name and /namespace name it", fix_in=found
            )
    return None


def _helm(view: View, inventory: Inventory) -> Owner | None:
    release = view.annotations.get(HELM_NAME)
    if view.labels.get(HELM_LABEL) != "Helm" or not release:
        return None
    name = f"release {view.annotations.get(HELM_NAMESPACE) or view.namespace}/{release}"
    because = f"its label {HELM_LABEL} and its annotation {HELM_NAME} say so"
    return Owner(by="Helm", name=name, because=because, fix_in=f"the values of {name}")


def _olm(view: View, inventory: Inventory) -> Owner | None:
    name = view.labels.get(OLM_LABEL)
    return Owner(by="OLM", name=name, because=f"its label {OLM_LABEL} names it") if name else None


_PROOFS: tuple[Callable[[View, Inventory], Owner | None], ...] = (
    _controller,
    _addon_manager,
    _argo_annotation,
    _flux,
    _helm,
    _olm,
    _argo_status,
)
"""The first one that finds an owner wins; the only one that can be unknown comes last."""
