"""How long single steps block the event loop."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import gc
import time
from typing import Any
from unittest.mock import patch


@dataclass
class LongestStep:
    """The CPU seconds of the longest step without garbage collections, and its name."""

    seconds: float = 0.0
    name: str = ""


@contextmanager
def longest_step() -> Iterator[LongestStep]:
    """Measure every step that the event loop takes in the block."""
    longest, collections = LongestStep(), _Collections()
    run = asyncio.events.Handle._run  # every step goes through it

    def _run(self: asyncio.Handle) -> None:
        collections.seconds = 0.0
        start = time.thread_time()
        run(self)
        seconds = time.thread_time() - start - collections.seconds
        if seconds > longest.seconds:
            longest.seconds, longest.name = seconds, _name(self)

    gc.callbacks.append(collections)
    try:
        with patch.object(asyncio.events.Handle, "_run", _run):
            yield longest
    finally:
        gc.callbacks.remove(collections)


class _Collections:
    """The sum of the time of garbage collections."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = 0.0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._start = time.thread_time()
        else:
            self.seconds += time.thread_time() - self._start


def _name(handle: Any) -> str:
    """Return the name of a step: that of its coroutine or callback."""
    callback = handle._callback
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        return str(getattr(owner.get_coro(), "__qualname__", owner.get_name()))
    return str(getattr(callback, "__qualname__", callback))
