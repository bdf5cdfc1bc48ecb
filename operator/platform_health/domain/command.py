"""What a container runs: its command and arguments, shell scripts unfolded, ``$(VAR)`` expanded where it is literal."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from platform_health.inventory import Unknown
from platform_health.views.core import Container

_SHELLS = ("sh", "bash", "ash", "dash", "zsh")
_WRAPPERS = ("exec", "nohup", "time", "env", "command", "tini", "dumb-init")
_SEPARATORS = {";", "&&", "||", "|", "&", "(", ")", "{", "}", "\n", "then", "do", "else"}
_VARIABLE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


class Command(NamedTuple):
    """One program with its arguments. ``words[0]`` is the program; empty where the image decides it."""

    words: tuple[str, ...]
    from_image: bool = False
    """Whether the image's entry point is the program, so that all words are its arguments."""

    @property
    def program(self) -> str:
        """The basename of the program; empty where the image decides it."""
        return "" if self.from_image or not self.words else self.words[0].rpartition("/")[2]

    @property
    def arguments(self) -> tuple[str, ...]:
        """What follows the program."""
        return self.words if self.from_image else self.words[1:]

    @property
    def module(self) -> str:
        """The module that ``python -m`` runs; empty otherwise."""
        if not re.match(r"python[0-9.]*\Z", self.program):
            return ""
        words = self.arguments
        return next((words[index + 1] for index, word in enumerate(words[:-1]) if word == "-m"), "")

    def has(self, *flags: str) -> bool:
        """Whether one of these flags stands among the arguments, with or without a value."""
        return any(word in flags or word.partition("=")[0] in flags for word in self.arguments)

    def values(self, *flags: str) -> list[str]:
        """Every value of these flags, as ``--flag value`` and ``--flag=value``, in order."""
        found, words = [], self.arguments
        for index, word in enumerate(words):
            name, equals, value = word.partition("=")
            if name not in flags:
                continue
            if equals:
                found.append(value)
            elif index + 1 < len(words):
                found.append(words[index + 1])
        return found

    def value(self, *flags: str) -> str | None:
        """The last value of these flags, None where they are absent; Unknown where it is not literal."""
        found = self.values(*flags)
        if not found:
            return None
        if not is_literal(found[-1]):
            raise Unknown(f"the value of {flags[0]} is {found[-1]!r}, which is not literal")
        return found[-1]

    def number(self, *flags: str) -> int | None:
        """The last value of these flags as a number; Unknown where it is none."""
        found = self.value(*flags)
        if found is None:
            return None
        try:
            return int(found)
        except ValueError:
            raise Unknown(f"the value of {flags[0]} is {found!r}, which is no number") from None


def is_literal(text: str) -> bool:
    """Whether nothing in a word is left for a shell or the kubelet to expand."""
    return "$" not in text and "`" not in text and "{{" not in text


def commands(container: Container) -> list[Command]:
    """The programs that a container runs, in order. Without ``command`` the image decides: one with its arguments."""
    words = [_expanded(word, container) for word in (*container.command, *container.args)]
    if not container.command:
        script = _script(words)
        return list(_of_script(script)) if script is not None else [Command(tuple(words), from_image=True)]
    script = _script(words)
    if script is not None:
        return list(_of_script(script))
    return [_unwrapped(words)]


def _expanded(word: str, container: Container) -> str:
    def replace(found: re.Match[str]) -> str:
        entry = container.variable(found[1])
        return entry.value if entry is not None and entry.value_from is None else found[0]

    return _VARIABLE.sub(replace, word)


def _script(words: Sequence[str]) -> str | None:
    """The script of ``sh -c script``."""
    if not words or words[0].rpartition("/")[2] not in _SHELLS:
        return None
    for index, word in enumerate(words[1:], start=1):
        if word.startswith("-") and "c" in word and not word.startswith("--"):
            return words[index + 1] if index + 1 < len(words) else None
    return None


def _of_script(script: str) -> Iterator[Command]:
    for words in _simple_commands(script):
        command = _unwrapped(words)
        if command.words:
            nested = _script(command.words)
            if nested is not None:
                yield from _of_script(nested)
            else:
                yield command


def _simple_commands(script: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(script.replace("\\\n", " ").replace("\n", " ; "), posix=True, punctuation_chars=";&|()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        for word in lexer:
            if word in _SEPARATORS or set(word) <= set(";&|()"):
                yield words
                words = []
            else:
                words.append(word)
    except ValueError:
        words = script.split()
    yield words


def _unwrapped(words: Sequence[str]) -> Command:
    rest = list(words)
    while rest and (rest[0].rpartition("/")[2] in _WRAPPERS or _ASSIGNMENT.match(rest[0]) or rest[0] == "--"):
        rest.pop(0)
    return Command(tuple(rest))
