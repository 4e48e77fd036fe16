"""What a client does here, and what all of them are given."""

from abc import ABC, abstractmethod
import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from typing import override
from urllib.request import Request

import pyotp

from benchmarks.simulated import World

CALLS = (
    "sign in with code",
    "user details",
    "resources of 20 servers",
    "transient token",
    "source connections",
)


class Given:
    """Hold what all clients are given."""

    def __init__(self, world: World) -> None:
        """Take the simulated Plex to call."""
        self.client_identifier = world.client_identifier
        self.api_url = world.api_url
        self.base_url = world.base_url
        # Another account signs in: a sign-in adds a client to the list of resources, and
        # one peer cannot read a list with a client in it.
        account, self.signing_in, *_ = world.accounts
        self.token = account.token
        self.server, other, *_ = account.servers
        self.source = other.source
        self._totp = pyotp.TOTP(self.signing_in.totp_secret)
        self.renew_code()

    def renew_code(self) -> None:
        """Take the code that is right now; it stays so for a round."""
        self.code = self._totp.now()

    def identity(self, client_identifier: str | None = None) -> dict[str, str]:
        """Return what a client says of itself."""
        return {
            "client_identifier": client_identifier or self.client_identifier,
            "product": "Benchmark",
            "version": "1.0.0",
            "platform": "Home Assistant",
            "platform_version": "1.0.0",
            "device": "Home Assistant",
            "device_name": "Home",
        }


class NoCookies(CookieJar):
    """Keep no cookie, as aiohttp's DummyCookieJar, so that none is sent."""

    @override
    def extract_cookies(self, response: HTTPResponse, request: Request) -> None:
        """Leave the answer's cookies where they are."""


class Client[AnswerT](ABC):
    """Make calls, one by one or many at once.

    Each call returns the same small thing from every client, so that none is measured
    that does not do its work.
    """

    def __init__(self, name: str, *functions: Callable[[], AnswerT]) -> None:
        """Take what makes the calls, in their order."""
        self.name = name
        self._functions = dict(zip(CALLS, functions, strict=True))

    @abstractmethod
    async def one(self, call: str) -> object:
        """Make one call."""

    @abstractmethod
    async def at_once(self, call: str, count: int) -> None:
        """Make so many calls at once."""

    async def in_a_row(self, call: str, count: int) -> None:
        """Make so many calls, one after the other."""
        for _ in range(count):
            await self.one(call)


class AsyncClient(Client[Awaitable[object]]):
    """Make calls on the event loop."""

    @override
    async def one(self, call: str) -> object:
        return await self._functions[call]()

    @override
    async def at_once(self, call: str, count: int) -> None:
        await asyncio.gather(*(self._functions[call]() for _ in range(count)))


class BlockingClient(Client[object]):
    """Make calls that block: one as it is, for nothing else runs; many in threads."""

    def __init__(
        self, name: str, threads: Executor, *functions: Callable[[], object]
    ) -> None:
        """Take the threads as well."""
        super().__init__(name, *functions)
        self._threads = threads

    @override
    async def one(self, call: str) -> object:
        return self._functions[call]()

    @override
    async def at_once(self, call: str, count: int) -> None:
        loop, function = asyncio.get_running_loop(), self._functions[call]
        await asyncio.gather(
            *(loop.run_in_executor(self._threads, function) for _ in range(count))
        )
