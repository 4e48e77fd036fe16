"""A request that several callers share."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from .errors import CannotConnectError

type Start = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


class SharedRequest:
    """Make a request for all who wish at once; it does not end with one of them.

    Those who come while it is being made share the next one: what they ask about may
    have changed since it began.
    """

    def __init__(
        self,
        request: Callable[[], Coroutine[Any, Any, None]],
        start: Start = asyncio.create_task,
    ) -> None:
        """Take what makes the request, and what starts it as a task, not eagerly."""
        self._request = request
        self._start = start
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def share(self) -> None:
        """Wait for the request; raise what it raises to all who share it."""
        await self._wait_for(self.begin())

    def begin(self) -> asyncio.Task[None]:
        """Have the request made, without waiting for it."""
        if (task := self._next) is None or task.done():
            task = self._next = self._start(self._follow(self._running))
            task.add_done_callback(_retrieve)
        return task

    async def join(self) -> None:
        """Wait for the request that is being made, if there is one; raise what it does."""
        if (task := self._next or self._running) is not None and not task.done():
            await self._wait_for(task)

    async def _wait_for(self, task: asyncio.Task[None]) -> None:
        """Wait for a request without ending it when the caller is ended."""
        await asyncio.wait([task])
        if task.cancelled():
            raise CannotConnectError
        task.result()

    async def _follow(self, before: asyncio.Task[None] | None) -> None:
        """Make the request once the one before is over."""
        if before is not None:
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        await self._request()


def _retrieve(task: asyncio.Task[None]) -> None:
    """Take note of a failure that nobody waits for any more."""
    if not task.cancelled():
        task.exception()
