"""What a container runs: its command and arguments, shell scripts unfolded, ``$(VAR)`` expanded where it is literal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from platform_health.inventory import Unknown
from platform_health.views.core import Container, EnvVar

_SHELLS = ("sh", "bash", "ash", "dash", "zsh")
_KEYWORDS = {"then", "do", "else", "elif", "if", "while", "until", "!", "{", "}", "fi", "done", "esac"}
_WRAPPERS = {"exec", "nohup", "time", "env", "command", "tini", "dumb-init", "sudo", "stdbuf", "setsid"}
_ENTRY_POINTS = re.compile(r"(docker-)?entrypoint[^/]*\.sh\Z|nvidia_entrypoint\.sh\Z")
_VARIABLE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_PYTHON = re.compile(r"python[0-9.]*\Z")
_PROGRAMS = {"vllm", "tritonserver", "trtllm-serve", "sglang", "llama-server", "litellm", "sleep", "tail", "ray"}
_REDIRECTION = re.compile(r"\d*(?:&>>?|<<<|<<-?|<>|[<>]&|>>|>\||[<>])")


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
        if not _PYTHON.match(self.program):
            return ""
        words = self.arguments
        for index, word in enumerate(words[:-1]):
            if word == "-m":
                return words[index + 1]
            if not word.startswith("-"):
                return ""
        return ""

    @property
    def script(self) -> str:
        """The file that ``python file.py`` runs, or the program where it is a file of its own; empty otherwise."""
        if not _PYTHON.match(self.program):
            return ""
        return next((word for word in self.arguments if not word.startswith("-")), "") if not self.module else ""

    def has(self, *flags: str) -> bool:
        """Whether one of these flags stands among the arguments, with or without a value."""
        wanted = {_spelled(flag) for flag in flags}
        return any(_spelled(word) in wanted for word in self.arguments)

    def values(self, *flags: str) -> list[str]:
        """Every value of these flags, as ``--flag value`` and ``--flag=value``, in order."""
        wanted = {_spelled(flag) for flag in flags}
        found, words = [], self.arguments
        for index, word in enumerate(words):
            if _spelled(word) not in wanted:
                continue
            if "=" in word:
                found.append(word.partition("=")[2])
            elif index + 1 < len(words):
                found.append(words[index + 1])
        return found

    def several(self, *flags: str) -> list[str]:
        """The values of the last of these flags that takes several words: ``--flag a b`` gives a and b."""
        wanted = {_spelled(flag) for flag in flags}
        found: list[str] = []
        taking = False
        for word in self.arguments:
            if word.startswith("-"):
                taking = _spelled(word) in wanted
                if taking:
                    found = [word.partition("=")[2]] if "=" in word else []
            elif taking:
                found.append(word)
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


@lru_cache(maxsize=16_384)
def _spelled(word: str) -> str:
    """A long flag without its value, dashes for underscores: vLLM, llama.cpp and others take both."""
    name = word.partition("=")[0]
    return name.replace("_", "-") if name.startswith("--") else name


def is_literal(text: str) -> bool:
    """Whether nothing in a word is left for a shell or the kubelet to expand."""
    return "$" not in text and "`" not in text and "{{" not in text


def commands(container: Container) -> tuple[Command, ...]:
    """The programs that a container runs, in order. Without ``command`` the image decides: one with its arguments."""
    return _commands(container.command, container.args, container.env)


@lru_cache(maxsize=4096)
def _commands(command: tuple[str, ...], arguments: tuple[str, ...], env: tuple[EnvVar, ...]) -> tuple[Command, ...]:
    words = [expanded(word, env) for word in (*command, *arguments)]
    script = _script(words)
    if script is not None:
        return tuple(_of_script(script))
    if command and not _ENTRY_POINTS.search(words[0]):
        return (_unwrapped(words),)
    rest = words[1:] if command else words
    return tuple(_of_arguments(rest)) or (Command(tuple(rest), from_image=True),)


def _of_arguments(words: Sequence[str]) -> Iterator[Command]:
    """Arguments that are a command line of their own, for an image whose entry point runs what it is given."""
    if not words:
        return
    script = _script(words)
    if script is not None:
        yield from _of_script(script)
        return
    first = words[0].rpartition("/")[2]
    if first in _PROGRAMS or _PYTHON.match(first) or first in _WRAPPERS:
        yield _unwrapped(words)


def expanded(word: str, env: Sequence[EnvVar], depth: int = 4) -> str:
    """A word with ``$(VAR)`` replaced as the kubelet does, where the variable has a literal value."""

    def replace(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        entry = next((entry for entry in reversed(env) if entry.name == found[1]), None)
        if entry is None or entry.value_from is not None or depth == 0:
            return found[0]
        return expanded(entry.value, env, depth - 1)

    return _VARIABLE.sub(replace, word)


def _script(words: Sequence[str]) -> str | None:
    """The script of ``sh -c script``."""
    if not words or words[0].rpartition("/")[2] not in _SHELLS:
        return None
    for index, word in enumerate(words[1:], start=1):
        if word.startswith("-") and "c" in word and not word.startswith("--"):
            return words[index + 1] if index + 1 < len(words) else None
    return None


def _of_script(script: str, depth: int = 4) -> Iterator[Command]:
    for words in simple_commands(script):
        command = _unwrapped(words)
        nested = _script(command.words) if depth else None
        if nested is not None:
            yield from _of_script(nested, depth - 1)
        elif command.words:
            yield command


def _unwrapped(words: Sequence[str]) -> Command:
    """The command without keywords, assignments and wrappers such as ``exec`` or ``tini -g --`` in front of it."""
    rest = list(words)
    while rest:
        name = rest[0].rpartition("/")[2]
        if name in _WRAPPERS:
            rest.pop(0)
            while rest and rest[0].startswith("-"):
                rest.pop(0)
        elif rest[0] in _KEYWORDS or _ASSIGNMENT.match(rest[0]):
            rest.pop(0)
        elif name == "timeout":
            rest = _after_duration(rest[1:])
        else:
            break
    return Command(tuple(rest))


def _after_duration(words: list[str]) -> list[str]:
    """The command of ``timeout [-k 5] 60 command``: what follows the last word that is a duration or a flag."""
    options = re.compile(r"-|[0-9.]+[smhd]?\Z|[A-Z]+\Z")
    start = next((at for at, word in enumerate(words) if not options.match(word)), len(words))
    return words[start:]


def simple_commands(script: str) -> Iterator[list[str]]:
    """The simple commands of a shell script as lists of words, quotes removed; redirections and comments left out."""
    words: list[str] = []
    for token in _Tokens(script):
        if token.is_operator:
            if words:
                yield words
            words = []
        else:
            words.append(token.text)
    if words:
        yield words


class _Token(NamedTuple):
    text: str
    is_operator: bool = False


class _Tokens:
    """Reads as much of the shell's grammar as it takes to find the words of commands."""

    def __init__(self, script: str) -> None:
        self.text = script.replace("\\\r\n", " ").replace("\\\n", " ")
        self.at = 0
        self.heredocs: list[str] = []

    def __iter__(self) -> Iterator[_Token]:
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == "\n":
                self.at += 1
                self._skip_heredocs()
                yield _Token("\n", True)
            elif character.isspace():
                self.at += 1
            elif character == "#":
                self._skip_line()
            elif found := _REDIRECTION.match(self.text, self.at):
                self._redirection(found[0])
            elif character in ";&|()":
                self.at += 1
                yield _Token(character, True)
            else:
                yield _Token(self._word())

    def _skip_line(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end

    def _skip_heredocs(self) -> None:
        for delimiter in self.heredocs:
            found = re.compile(rf"^\s*{re.escape(delimiter)}\s*$", re.MULTILINE).search(self.text, self.at)
            self.at = found.end() if found else len(self.text)
        self.heredocs = []

    def _redirection(self, operator: str) -> None:
        self.at += len(operator)
        while self.at < len(self.text) and self.text[self.at] in " \t":
            self.at += 1
        target = self._word() if self.at < len(self.text) and self.text[self.at] not in "\n;&|()" else ""
        if operator.lstrip("0123456789") in ("<<", "<<-"):
            self.heredocs.append(target)

    def _word(self) -> str:
        """One word: quotes removed, substitutions kept as they stand, so that they are seen not to be literal."""
        parts: list[str] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            if character.isspace() or character in ";&|<>()":
                break
            parts.append(self._piece(character))
        return "".join(parts)

    def _piece(self, character: str) -> str:
        if character == "'":
            return self._until("'")
        if character == '"':
            return self._double_quoted()
        if character == "\\":
            self.at += 2
            return self.text[self.at - 1 : self.at]
        if character == "`":
            return f"`{self._until('`')}`"
        if self.text.startswith(("$(", "${"), self.at):
            return self._substitution()
        self.at += 1
        return character

    def _until(self, quote: str) -> str:
        end = self.text.find(quote, self.at + 1)
        end = len(self.text) if end < 0 else end
        found, self.at = self.text[self.at + 1 : end], end + 1
        return found

    def _double_quoted(self) -> str:
        self.at += 1
        parts: list[str] = []
        while self.at < len(self.text) and self.text[self.at] != '"':
            if self.text[self.at] == "\\" and self.text[self.at + 1 : self.at + 2] in ('"', "\\", "$", "`"):
                parts.append(self.text[self.at + 1])
                self.at += 2
            elif self.text.startswith(("$(", "${"), self.at):
                parts.append(self._substitution())
            else:
                parts.append(self.text[self.at])
                self.at += 1
        self.at += 1
        return "".join(parts)

    def _substitution(self) -> str:
        opening = self.text[self.at + 1]
        closing = {"(": ")", "{": "}"}[opening]
        start, depth = self.at, 0
        while self.at < len(self.text):
            depth += (self.text[self.at] == opening) - (self.text[self.at] == closing)
            self.at += 1
            if depth == 0 and self.at > start + 1:
                break
        return self.text[start : self.at]
