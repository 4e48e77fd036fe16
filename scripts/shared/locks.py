"""Locks between scripts that run at the same time."""

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
from pathlib import Path
from typing import Self


class Lock:
    """A file that many scripts hold together, or one alone.

    The lock lasts until the object is gone, at the latest until the script ends.
    """

    def __init__(self, file: Path) -> None:
        """Take the file, which is made when it is not there; nothing is held yet."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self._handle = file.open("w")

    def share(self) -> Self:
        """Hold the lock together with others, once nobody holds it alone."""
        self._wait_for(fcntl.LOCK_SH)
        return self

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock alone in the block, and together with others from then on."""
        self._wait_for(fcntl.LOCK_EX)
        try:
            yield
        finally:
            self.share()

    def _wait_for(self, kind: int) -> None:
        try:
            fcntl.flock(self._handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another script to end", flush=True)
            fcntl.flock(self._handle, kind)
