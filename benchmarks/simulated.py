"""The simulated Plex as the sections see it: its addresses, accounts, and records."""

from collections import Counter
from dataclasses import dataclass
import json
from pathlib import Path
import ssl
from typing import Any, Self
from urllib.request import urlopen


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedServer:
    """One server."""

    name: str
    machine_identifier: str
    url: str
    secure_url: str
    token: str

    @property
    def source(self) -> str:
        """Return the server as other servers know it."""
        return f"server://{self.machine_identifier}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedHomeUser:
    """A managed user of an account's Plex Home, with the token of a switch."""

    uuid: str
    title: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedAccount:
    """One account, with everything that its clients know."""

    username: str
    password: str
    totp_secret: str
    uuid: str
    title: str
    token: str
    servers: tuple[SimulatedServer, ...]
    home_user: SimulatedHomeUser


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A running simulator; the tokens of the accounts are those of this client."""

    client_identifier: str
    api_url: str
    base_url: str
    ca_file: str
    accounts: tuple[SimulatedAccount, ...]

    @classmethod
    def load(cls, file: str) -> Self:
        """Read what the simulator's process printed."""
        data: dict[str, Any] = json.loads(Path(file).read_text())
        for account in data["accounts"]:
            account["servers"] = tuple(
                SimulatedServer(**server) for server in account["servers"]
            )
            account["home_user"] = SimulatedHomeUser(**account["home_user"])
        data["accounts"] = tuple(
            SimulatedAccount(**account) for account in data["accounts"]
        )
        return cls(**data)

    def steer(self, server: SimulatedServer, action: str, **fields: Any) -> None:
        """Make a server do something."""
        self._ask(f"servers/{server.machine_identifier}/{action}", fields)

    def records(self) -> list[dict[str, Any]]:
        """Return the requests that arrived, if the simulator keeps them."""
        found: list[dict[str, Any]] = self._ask("requests")["requests"]
        return found

    def requests(self) -> Counter[str]:
        """Return the number of requests by host; plex.tv is one of them."""
        return Counter(str(record["host"]) for record in self.records())

    def requests_of(self, user: SimulatedHomeUser) -> int:
        """Return the number of requests to plex.tv with the token of a Home user."""
        return sum(
            record["host"] == "plex.tv"
            and record["headers"].get("X-Plex-Token") == user.token
            for record in self.records()
        )

    def _ask(self, path: str, fields: dict[str, Any] | None = None) -> Any:
        """Request an address of the simulator's control; fields are posted."""
        context = None
        if self.base_url.startswith("https"):
            context = ssl.create_default_context(cafile=self.ca_file)
        body = None if fields is None else json.dumps(fields).encode()
        address = f"{self.base_url}/_simulator/{path}"
        with urlopen(address, body, context=context, timeout=60) as answer:
            return json.load(answer)
