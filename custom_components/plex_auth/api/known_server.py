"""A server as plex.tv listed it last: what it takes to work while plex.tv is away."""

from collections.abc import Mapping
from dataclasses import asdict, field
from typing import Any, Self

from .models import Connection, ListedServer, model

_TOKEN = "token"
_CONNECTIONS = "connections"
_HTTPS_REQUIRED = "https_required"


@model
class KnownServer:
    """Hold a server's access token and its addresses, in an order of their own."""

    token: str | None = field(repr=False)
    connections: tuple[Connection, ...]
    https_required: bool

    @classmethod
    def from_listed(cls, server: ListedServer) -> Self:
        """Take a server as plex.tv lists it now."""
        return cls(
            token=server.access_token,
            connections=tuple(
                sorted(server.connections, key=lambda connection: connection.uri)
            ),
            https_required=server.https_required,
        )

    @classmethod
    def from_stored(cls, data: Mapping[str, Any]) -> Self:
        """Take a server as the subentry keeps it."""
        return cls(
            token=data.get(_TOKEN),
            connections=tuple(
                Connection(**connection) for connection in data.get(_CONNECTIONS, ())
            ),
            https_required=data.get(_HTTPS_REQUIRED, False),
        )

    def as_stored(self) -> dict[str, Any]:
        """Return what the subentry keeps."""
        return {
            _TOKEN: self.token,
            _CONNECTIONS: [asdict(connection) for connection in self.connections],
            _HTTPS_REQUIRED: self.https_required,
        }
