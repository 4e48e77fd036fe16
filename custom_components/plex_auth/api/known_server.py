"""A server as plex.tv last listed it, to keep it working while plex.tv is down."""

from collections.abc import Mapping
from dataclasses import asdict, field, replace
from typing import Any, Self

from .fields import Fields
from .models import Connection, ListedServer, model

_NAME = "name"
_TOKEN = "token"
_CONNECTIONS = "connections"
_HTTPS_REQUIRED = "https_required"


@model
class KnownServer:
    """A server's name, access token and connections, sorted by URI."""

    name: str | None = None
    token: str | None = field(repr=False)
    connections: tuple[Connection, ...]
    https_required: bool

    @classmethod
    def from_listed(cls, server: ListedServer) -> Self:
        """Create from a server that plex.tv lists."""
        return cls(
            name=server.name,
            token=server.access_token,
            connections=tuple(
                sorted(server.connections, key=lambda connection: connection.uri)
            ),
            https_required=server.https_required,
        )

    @classmethod
    def from_stored(cls, data: Mapping[str, Any]) -> Self:
        """Create from the data in a subentry, read like a response from plex.tv."""
        stored = Fields(dict(data))
        return cls(
            name=stored.line(_NAME),
            token=stored.token(_TOKEN),
            connections=Connection.parse_all(stored.children(_CONNECTIONS)),
            https_required=stored.boolean(_HTTPS_REQUIRED) or False,
        )

    def completed(self, before: KnownServer) -> KnownServer:
        """Return the server with a missing token or connections taken from `before`."""
        return replace(
            self,
            token=self.token or before.token,
            connections=self.connections or before.connections,
        )

    def as_stored(self) -> dict[str, Any]:
        """Return the data to store in a subentry."""
        return {
            _NAME: self.name,
            _TOKEN: self.token,
            _CONNECTIONS: [asdict(connection) for connection in self.connections],
            _HTTPS_REQUIRED: self.https_required,
        }
