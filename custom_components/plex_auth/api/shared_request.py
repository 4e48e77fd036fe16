"""A request that several callers share."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from .errors import CannotConnectError

type Start = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


class SharedRequest:
    """Run one request for all callers; canceling a caller does not cancel it.

    Callers during a request share the next one, because its result may be outdated.
    """

    def __init__(
        self,
        request: Callable[[], Coroutine[Any, Any, None]],
        start: Start = asyncio.create_task,
    ) -> None:
        """Initialize; `start` starts the request as a task, not eagerly."""
        self._request = request
        self._start = start
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def share(self) -> None:
        """Wait for a request; raise its error to all callers."""
        await self._wait_for(self.begin())

    def begin(self) -> asyncio.Task[None]:
        """Start the request without waiting for it."""
        if (task := self._next) is None or task.done():
            task = self._next = self._start(self._run_after(self._running))
            task.add_done_callback(self._forget)
        return task

    async def join(self) -> None:
        """Wait for the request in progress, if any; raise its error."""
        if (task := self._next or self._running) is not None and not task.done():
            await self._wait_for(task)

    async def _wait_for(self, task: asyncio.Task[None]) -> None:
        """Wait for a request without canceling it if the caller is canceled."""
        await asyncio.wait([task])
        if task.cancelled():
            raise CannotConnectError
        task.result()

    async def _run_after(self, before: asyncio.Task[None] | None) -> None:
        """Make the request once the previous one is done."""
        if before is not None:
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        await self._request()

    def _forget(self, task: asyncio.Task[None]) -> None:
        """Keep no failure, and let one that nothing waits for go unlogged."""
        if self._running is task:
            self._running = None
        if not task.cancelled():
            task.exception()
