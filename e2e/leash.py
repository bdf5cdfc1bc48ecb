"""Become another program that ends when the process that started it ends.

Run as `python leash.py PARENT SIGNAL PROGRAM ARGUMENT…`. Linux sends SIGNAL once the starting *thread* has ended, even
when its process was killed with SIGKILL and could clean up nothing. Asking for that here, between fork and exec, needs
no code in the forked copy of a parent that has threads. Where the kernel cannot, the program runs without a leash.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, signal: int, command: list[str]) -> None:
    """Replace this process by `command`, unless `parent` is already gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0)
    if os.getppid() == parent:
        os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
