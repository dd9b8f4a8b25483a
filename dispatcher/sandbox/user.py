"""Whom jobs run as."""

import os
import pwd

UNPRIVILEGED = "nobody"


def unprivileged() -> tuple[int, int] | None:
    """The user and group id of nobody for an executor that runs as root; None for one that has no rights to give up.

    Raises KeyError on a system without that user.
    """
    if os.geteuid() != 0:
        return None
    found = pwd.getpwnam(UNPRIVILEGED)
    return found.pw_uid, found.pw_gid
