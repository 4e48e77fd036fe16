"""How long single steps hold the event loop."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import gc
import time
from typing import Any
from unittest.mock import patch


@dataclass
class Steps:
    """Hold the longest times that steps took, in seconds.

    `wall` is what a clock on the wall showed, other processes included, `own` the CPU
    time of this thread without the garbage collections that fell into the step, and
    `whose` says which step that was.
    """

    wall: float = 0.0
    own: float = 0.0
    collection: float = 0.0
    whose: str = ""

    def add(self, wall: float, cpu: float, collection: float, handle: Any) -> None:
        """Take the times of one step."""
        self.wall = max(self.wall, wall)
        self.collection = max(self.collection, collection)
        if cpu - collection > self.own:
            self.own = cpu - collection
            self.whose = _shown(handle)


@contextmanager
def measured_steps() -> Iterator[Steps]:
    """Measure every step that the event loop takes in the block."""
    steps, collections = Steps(), _Collections()
    run = asyncio.events.Handle._run  # noqa: SLF001 - every step goes through it

    def _run(self: asyncio.Handle) -> None:
        collections.seconds = 0.0
        wall, cpu = time.perf_counter(), time.thread_time()
        run(self)
        cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
        steps.add(wall, cpu, collections.seconds, self)

    gc.callbacks.append(collections)
    try:
        with patch.object(asyncio.events.Handle, "_run", _run):
            yield steps
    finally:
        gc.callbacks.remove(collections)


class _Collections:
    """Sum up the time of garbage collections."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = 0.0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._start = time.thread_time()
        else:
            self.seconds += time.thread_time() - self._start


def _shown(handle: Any) -> str:
    """Return whose step it was: a task's coroutine, or a plain callback."""
    callback = handle._callback  # noqa: SLF001
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        return str(getattr(owner.get_coro(), "__qualname__", owner.get_name()))
    return str(getattr(callback, "__qualname__", callback))
