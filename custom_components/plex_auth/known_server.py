"""A server as plex.tv last listed it: what it takes to work while plex.tv is away."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from homeassistant.const import CONF_TOKEN

from .api.models import Connection, Resource

_CONF_CONNECTIONS = "connections"
_CONF_HTTPS_REQUIRED = "https_required"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownServer:
    """Hold a server's access token and its addresses, in an order of their own."""

    token: str | None = field(repr=False)
    connections: tuple[Connection, ...]
    https_required: bool

    @classmethod
    def from_resource(cls, resource: Resource) -> Self:
        """Take a server as plex.tv lists it now."""
        return cls(
            token=resource.access_token,
            connections=tuple(
                sorted(resource.connections, key=lambda connection: connection.uri)
            ),
            https_required=resource.https_required,
        )

    @classmethod
    def from_stored(cls, data: Mapping[str, Any]) -> Self:
        """Take a server as the subentry keeps it."""
        return cls(
            token=data.get(CONF_TOKEN),
            connections=tuple(
                Connection(**connection)
                for connection in data.get(_CONF_CONNECTIONS, ())
            ),
            https_required=data.get(_CONF_HTTPS_REQUIRED, False),
        )

    def as_stored(self) -> dict[str, Any]:
        """Return what the subentry keeps."""
        return {
            CONF_TOKEN: self.token,
            _CONF_CONNECTIONS: [asdict(connection) for connection in self.connections],
            _CONF_HTTPS_REQUIRED: self.https_required,
        }
