"""A simulated Plex with two accounts and two servers, and a client that asks it."""

from collections.abc import Mapping
from dataclasses import dataclass
import json
import ssl
from typing import Any
from xml.etree import ElementTree as ET

import aiohttp
import pyotp

from tests.plex_simulator import MediaServer, PlexDirectResolver, PlexSimulator

CLIENT = "client-1"
PASSWORD = "correct horse"


@dataclass(frozen=True)
class Answer:
    """Hold an answer that was read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode(errors="replace")

    @property
    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)

    @property
    def xml(self) -> ET.Element:
        """Return the body as XML."""
        return ET.fromstring(self.text)

    @property
    def error(self) -> tuple[int, int]:
        """Return the status and plex.tv's error code."""
        return self.status, self.json["errors"][0]["code"]


class SimulatedPlex:
    """Hold Anna, who has two servers, and Ben, with whom she shares one of them."""

    server: MediaServer
    other: MediaServer

    def __init__(self, simulator: PlexSimulator) -> None:
        """Add the accounts, and open a session that keeps no cookies."""
        self.simulator = simulator
        self.anna = simulator.add_account(
            "anna", title="Anna", password=PASSWORD, totp_secret=pyotp.random_base32()
        )
        self.ben = simulator.add_account("ben", title="Ben", password=PASSWORD)
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=PlexDirectResolver(),
                ssl=ssl.create_default_context(cadata=simulator.ca_pem().decode()),
                # A request must not be repeated in silence on another connection.
                force_close=True,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def set_up(self) -> None:
        """Add the servers."""
        add_server = self.simulator.add_server
        self.server = await add_server("Living Room", self.anna, shared_with=[self.ben])
        self.other = await add_server("Attic", self.anna)

    async def ask(
        self,
        method: str,
        url: str,
        token: str | None = None,
        *,
        accept: str | None = "application/json",
        client: str | None = CLIENT,
        seconds: float = 5,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request: to plex.tv's API at `/…`, to the server at `server/…`."""
        if not url.startswith("http"):
            host, _, path = url.partition("/")
            base = self.server.http_url if host else self.simulator.api_url
            url = f"{base}/{path}"
        headers = {
            "X-Plex-Token": token,
            "X-Plex-Client-Identifier": client,
            "Accept": accept,
        }
        async with self.session.request(
            method,
            url,
            headers={name: value for name, value in headers.items() if value},
            data=form,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=seconds),
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, url: str, token: str | None = None, **more: Any) -> Answer:
        """Send a GET."""
        return await self.ask("GET", url, token, **more)

    async def status(self, url: str, token: str | None = None) -> int:
        """Return the status that a GET is answered with."""
        return (await self.get(url, token)).status

    async def sign_in(
        self, login: str, password: str = PASSWORD, code: str = "", **more: Any
    ) -> Answer:
        """Sign in."""
        form = {"login": login, "password": password, "verificationCode": code}
        return await self.ask("POST", "/users/signin", form=form, **more)
