"""ToolChoiceIsComplete."""

from __future__ import annotations

import re
from collections.abc import Iterator

from platform_health.domain.command import is_literal
from platform_health.domain.servers import Server, model_argument, model_servers
from platform_health.invariant import ERROR, INFO, Inventory, Path, Unknown, Violation, invariant
from platform_health.views.core import Pod

_FLAG, _PARSER = "--enable-auto-tool-choice", "--tool-call-parser"
_VALUED = re.compile(
    r"serve\Z|--(model|served[-_]model[-_]name|port|host|api[-_]key|download[-_]dir|dtype|revision|tokenizer"
    r"|max[-_]model[-_]len|max[-_]num[-_]seqs|gpu[-_]memory[-_]utilization|(tensor|pipeline)[-_]parallel[-_]size)\Z"
)
"""What the next word belongs to, so that a variable there hides no further flag."""


@invariant(severity=ERROR, symptom="HTTP 503: the server exits at start")
def tool_choice_is_complete(pod: Pod, inventory: Inventory) -> Iterator[Violation]:
    """A vLLM server with automatic tool choice names the parser for its model's tool calls.

    Why: with `--enable-auto-tool-choice` and without `--tool-call-parser` vLLM exits at once ("Error:
    --enable-auto-tool-choice requires --tool-call-parser"). Qwen2.5-Coder follows the format of none of the parsers:
    its tool calls arrive as plain text and `tool_calls` stays empty.

    Remedy: add the parser of the model, such as `hermes`, `llama3_json` or `mistral`. With Qwen2.5-Coder let agents
    send `tool_choice: required`, or name the function, instead of `auto`.

    See: vLLM, "Tool Calling"; vllm#32926.
    """
    for server in model_servers(pod) if _mentions_tools(pod) else ():
        if server.engine == "vllm" and server.command.has(_FLAG):
            with inventory.part():
                yield from _judged(server)


def _mentions_tools(pod: Pod) -> bool:
    """Whether it is worth while to look for servers at all."""
    return any(
        "auto" in word and "tool" in word
        for _, container in pod.spec.long_running()
        for word in (*container.command, *container.args)
    )


def _judged(server: Server) -> Iterator[Violation]:
    name = server.container.name
    if not server.command.has(_PARSER):
        _check_that_nothing_is_hidden(server)
        yield Violation(
            at=_at(server),
            about=name,
            because=f"container {name} sets {_FLAG} without {_PARSER}",
        )
        return
    model = (model_argument(server) or "").lower().replace("_", ".")
    if "qwen2.5-coder" in model:
        yield Violation(
            at=_at(server),
            about=f"{name} model",
            because=f"Qwen2.5-Coder follows the format of no {_PARSER}: with tool_choice auto its calls arrive as text",
            severity=INFO,
            symptom="tool_calls stays empty; the call stands in the content of the answer",
        )


def _check_that_nothing_is_hidden(server: Server) -> None:
    words = server.command.arguments
    hidden = any(
        not is_literal(word) and not word.startswith("--") and not _VALUED.match(before)
        for before, word in zip(("", *words), words, strict=False)
    )
    if hidden or server.command.has("--config"):
        raise Unknown(f"{_PARSER} of container {server.container.name} may come from a file or a variable")


def _at(server: Server) -> Path:
    for field, words in (("args", server.container.args), ("command", server.container.command)):
        for index, word in enumerate(words):
            if word.replace("_", "-") == _FLAG:
                return server.at / field / index
    return server.at / ("args" if server.container.args else "command")
