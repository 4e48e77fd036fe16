"""Time and memory of this process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
import ctypes
from dataclasses import dataclass
import os
from pathlib import Path
import time

type Series = dict[str, list[float]]


@dataclass(slots=True)
class Time:
    """Seconds: wall time, and CPU time of this process with all its threads."""

    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def timed() -> Iterator[Time]:
    """Measure the time of the block; the result is complete when the block ends."""
    found = Time()
    cpu, wall = time.process_time(), time.perf_counter()
    yield found
    found.wall = time.perf_counter() - wall
    found.cpu = time.process_time() - cpu


def series(times: Sequence[Time], count: int = 1) -> Series:
    """Return times as the report needs them, divided by a count of calls."""
    return {
        "wall": [one.wall / count for one in times],
        "cpu": [one.cpu / count for one in times],
    }


def resident_bytes() -> int:
    """Return the memory of this process, after it has returned what is free."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
