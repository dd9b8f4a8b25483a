"""A program between us and another one: gives up what that must not have, then becomes it.

    python -I -S confine.py STATUS      with the JSON of what to do on standard input

The descriptor STATUS closes when the other program runs; before, it takes the reason why it cannot. It is a program
of its own, because code between fork and exec is not safe in a process with threads, and the other's own environment
(LD_PRELOAD, for one) may take effect only after the rights are gone. Only the standard library is at hand.
"""

import ctypes
import json
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    status = int(sys.argv[1])
    try:
        os.set_inheritable(status, False)
        wanted = json.load(sys.stdin)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(wanted["directory"])
        os.umask(0o077)
        if wanted["group"] is not None:
            with open(wanted["group"], "w") as members:
                members.write(str(os.getpid()))
        if wanted["user"] is not None:
            user, group = wanted["user"]
            os.setgroups([])
            os.setresgid(group, group, group)
            os.setresuid(user, user, user)
        for name, most in wanted["limits"].items():
            _limit(getattr(resource, name), most)
        # when we are killed it goes too; set last, since another user id clears it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # the interpreter ignores it, and what is ignored stays so
        os.execve(wanted["program"], wanted["arguments"], wanted["environment"])  # noqa: S606 - no shell is meant
    except (OSError, ValueError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        os.write(status, reason.encode("utf-8", "replace")[:500])
    os._exit(127)


def _limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    main()
