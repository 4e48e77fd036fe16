"""Wait for what comes about by itself, also while a test holds the time."""

import asyncio
from collections.abc import Callable
from time import CLOCK_MONOTONIC, clock_gettime


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Wait until a condition holds; fail if it does not in time."""
    end = clock_gettime(CLOCK_MONOTONIC) + seconds
    while not condition():
        if clock_gettime(CLOCK_MONOTONIC) > end:
            raise TimeoutError
        await asyncio.sleep(0)
