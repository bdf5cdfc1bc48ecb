"""UpstreamServesModel."""

from __future__ import annotations

from collections.abc import Iterator

from platform_health.domain import routers, upstreams
from platform_health.domain.routers import Upstream
from platform_health.domain.upstream_models import answers, misplaced_path
from platform_health.invariant import ERROR, Inventory, Violation, invariant, nearest
from platform_health.views.apps import Deployment, StatefulSet
from platform_health.views.core import ConfigMap
from platform_health.views.files import LiteLLMConfigFile, RouterConfigFile


@invariant(
    severity=ERROR,
    symptom="HTTP 404: the model does not exist",
    needs=(*routers.NEEDS, *upstreams.NEEDS),
)
def upstream_serves_model(
    subject: ConfigMap | LiteLLMConfigFile | RouterConfigFile | Deployment | StatefulSet, inventory: Inventory
) -> Iterator[Violation]:
    """A model name that is sent to a vLLM of the cluster is one that it serves, on the path that it serves.

    Why: vLLM answers 404 to every name that is neither in `--served-model-name` (else `--model`) nor a loaded adapter,
    and LiteLLM appends `/chat/completions` to `api_base`, so that a base without `/v1` leads to a path that does not
    exist. Ollama's own API has no `/v1`. Judged only where every pod behind the Service is known to run vLLM.

    Remedy: send a served name (`openai/<served name>`), and end `api_base` with `/v1` for vLLM.

    See: LiteLLM, OpenAI-compatible endpoints; vLLM, `--served-model-name`.
    """
    for upstream in routers.upstreams(subject, inventory):
        with inventory.part():
            path = misplaced_path(upstream)
            if path is not None:
                yield _path(upstream, path)
        with inventory.part():
            yield from _model(upstream, inventory)


def _model(upstream: Upstream, inventory: Inventory) -> Iterator[Violation]:
    answer = answers(upstream, inventory)
    if answer is None:
        return
    if answer.needs_v1 and upstream.provider in ("openai", "hosted_vllm"):
        yield _path(upstream, f"{answer.service.ref} runs vLLM, which serves /v1, but the base path is not /v1")
    if upstream.model and answer.models is not None and upstream.model not in answer.models:
        served = ", ".join(sorted(answer.models))
        yield Violation(
            at=upstream.model_at,
            about=f"{upstream.title}: {upstream.model}",
            because=f"{upstream.title} asks {answer.service.ref} for {upstream.model}, but it serves {served}",
            nearest=nearest(upstream.model, answer.models),
            related=(answer.service.ref,),
        )


def _path(upstream: Upstream, because: str) -> Violation:
    return Violation(
        at=upstream.at, about=f"{upstream.title}: path", because=because, symptom="HTTP 404 for every request"
    )
