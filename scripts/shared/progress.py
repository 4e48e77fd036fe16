"""Progress on standard output: one line a step, with its seconds."""

from collections.abc import Iterator
from contextlib import contextmanager
import time


@contextmanager
def step(label: str) -> Iterator[None]:
    """Show `label` while the block works, then how long it took; exceptions pass."""
    print(f"{label} … ", end="", flush=True)
    start = time.monotonic()
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - start:.1f} s", flush=True)
