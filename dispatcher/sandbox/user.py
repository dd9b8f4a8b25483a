"""Whom jobs run as that have no user of their own: they are not kept apart from each other."""

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
