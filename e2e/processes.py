"""Child processes that cannot outlive us, and the ports they listen on."""

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")

LEASH = Path(__file__).with_name("leash.py")
# Below Linux' ephemeral range (32768 and up): no outgoing connection can take a port between its choice and its use.
PORTS = range(20000, 30000)

_keeper = ThreadPoolExecutor(max_workers=1, thread_name_prefix="keeper")


def in_keeper(work: Callable[[], Result]) -> Result:
    """Do `work` in the one thread that lives as long as this process.

    A leash breaks when the thread that started the child ends, so no passing thread may start a lasting child. The
    thread does one thing at a time: whoever stops children through it misses none that is just being started.
    """
    return _keeper.submit(work).result()


def leashed(command: Sequence[str | Path], ending: signal.Signals = signal.SIGKILL) -> list[str]:
    """The command line that runs `command` (with an absolute path) under a leash: see `leash.py`."""
    return [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), str(int(ending)), *map(str, command)]


def free_port() -> int:
    """A TCP port of the loopback interface that nothing listens on; chosen at random, so hardly ever twice."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


class Child:
    """A program running in the background, its output going to a file of its own.

    It has a session of its own: Ctrl-C in the terminal reaches only us, and we end it in order.
    """

    def __init__(self, name: str, command: Sequence[str | Path], log: Path, env: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                leashed(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id, which stays the same when the leash becomes the program."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code (negative: the signal that ended it), None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """End it at once, without a chance to clean up, and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def last_lines(self, count: int = 20) -> str:
        """The end of what it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])
