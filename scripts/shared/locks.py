"""Locks between scripts that run at the same time."""

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
from pathlib import Path


@contextmanager
def only_one(file: Path) -> Iterator[None]:
    """Let one process at a time run the block, the others wait; `file` is made when needed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another script to finish its preparations", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
