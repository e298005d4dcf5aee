"""The operating system's advisory lock on an open file, which a dead process cannot hold."""

from __future__ import annotations

import errno
import os
import sys

BUSY = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK})
"""Of an `OSError` of `take`: another process has the lock."""

if sys.platform == "win32":
    import msvcrt

    def take(descriptor: int) -> None:
        """Lock the file for this process alone, at once; OSError where another has it."""
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)  # beyond the text, which others may then read
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def take(descriptor: int) -> None:
        """Lock the file for this process alone, at once; OSError where another has it."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
