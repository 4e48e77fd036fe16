"""An event loop whose time can pass at once, and which counts the bytes on the wire."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
import socket
from typing import Any, override
from unittest.mock import patch

from homeassistant.core import HomeAssistant


class _CountingSocket(socket.socket):
    """Count what goes through, by the port of the other side."""

    counts: Counter[int]
    port: int

    @override
    def recv(self, *arguments: Any) -> bytes:
        data = super().recv(*arguments)
        self.counts[self.port] += len(data)
        return data

    @override
    def recv_into(self, *arguments: Any) -> int:
        count = super().recv_into(*arguments)
        self.counts[self.port] += count
        return count

    @override
    def send(self, *arguments: Any) -> int:
        count = super().send(*arguments)
        self.counts[self.port] += count
        return count

    @override
    def sendmsg(self, *arguments: Any) -> int:
        count = super().sendmsg(*arguments)
        self.counts[self.port] += count
        return count


class PassingLoop(asyncio.SelectorEventLoop):
    """Let time pass from one timer to the next, without waiting for it."""

    def __init__(self, *, counts: bool = False) -> None:
        """Start at the real time; with `counts` all bytes are counted."""
        super().__init__()
        self._counts = counts
        self.passed = 0.0
        self.bytes_by_port: Counter[int] = Counter()

    @override
    def time(self) -> float:
        return super().time() + self.passed

    def pass_until(self, end: float) -> bool:
        """Go forward to the next timer, at most until `end`; return whether there is one."""
        timers: list[asyncio.TimerHandle] = getattr(self, "_scheduled")  # noqa: B009
        due = min((one.when() for one in timers if not one.cancelled()), default=end)
        self.passed += max(min(due, end) - self.time(), 0.0)
        return due < end

    def _make_socket_transport(
        self, sock: socket.socket, *arguments: Any, **more: Any
    ) -> Any:
        make: Any = getattr(super(), "_make_socket_transport")  # noqa: B009
        return make(self._counting(sock), *arguments, **more)

    def _make_ssl_transport(
        self, rawsock: socket.socket, *arguments: Any, **more: Any
    ) -> Any:
        make: Any = getattr(super(), "_make_ssl_transport")  # noqa: B009
        return make(self._counting(rawsock), *arguments, **more)

    def _counting(self, sock: socket.socket) -> socket.socket:
        if not self._counts or sock.family not in (socket.AF_INET, socket.AF_INET6):
            return sock
        port = sock.getpeername()[1]
        counting = _CountingSocket(
            sock.family, sock.type, sock.proto, fileno=sock.detach()
        )
        counting.setblocking(False)
        counting.counts, counting.port = self.bytes_by_port, port
        return counting


@contextmanager
def passing_time(loop: PassingLoop) -> Iterator[None]:
    """Let Home Assistant and aiohttp read the loop's time, too, in the block."""

    def _utcnow() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=loop.passed)

    with (
        patch("homeassistant.util.dt.utcnow", _utcnow),
        patch("aiohttp.connector.monotonic", loop.time),
    ):
        yield


async def let_pass(hass: HomeAssistant, loop: PassingLoop, seconds: float) -> None:
    """Let time pass; whatever becomes due is done before time goes on."""
    end = loop.time() + seconds
    while loop.pass_until(end):
        await asyncio.sleep(0)
        await hass.async_block_till_done(wait_background_tasks=True)
