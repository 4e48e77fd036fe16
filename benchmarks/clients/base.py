"""What a client does here, and what every client is given."""

from collections.abc import Callable
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from inspect import isawaitable
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
    """What every client is given."""

    def __init__(self, world: World) -> None:
        """Take the simulated Plex to call."""
        self.client_identifier = world.client_identifier
        self.api_url = world.api_url
        self.base_url = world.base_url
        # A sign-in adds a client to the resources of its account, so another one signs in.
        account, self.signing_in, *_ = world.accounts
        self.token = account.token
        self.server, other, *_ = account.servers
        self.source = other.source
        self._totp = pyotp.TOTP(self.signing_in.totp_secret)
        self.renew_code()

    def renew_code(self) -> None:
        """Take the code of this moment; it stays valid for a round."""
        self.code = self._totp.now()

    def identity(self, client_identifier: str | None = None) -> dict[str, str]:
        """Return the details that a client sends about itself."""
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
    """A jar that keeps no cookie, like aiohttp's DummyCookieJar."""

    @override
    def extract_cookies(self, response: HTTPResponse, request: Request) -> None:
        """Leave the cookies of the answer alone."""


class Client:
    """The calls of one client.

    Each call returns the same small thing from every client, which proves that the
    client does its work.
    """

    def __init__(self, name: str, *functions: Callable[[], object]) -> None:
        """Take the functions that make the calls, in their order; they may block."""
        self.name = name
        self._functions = dict(zip(CALLS, functions, strict=True))

    async def make(self, call: str) -> object:
        """Make a call and return what it finds."""
        found = self._functions[call]()
        return await found if isawaitable(found) else found
