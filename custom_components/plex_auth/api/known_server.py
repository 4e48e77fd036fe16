"""A server as plex.tv last listed it, to keep it working while plex.tv is down."""

from collections.abc import Mapping
from dataclasses import asdict, field, replace
from typing import Any, Self, TypedDict

from yarl import URL

from .connections import Route, agreeable_url, rank, routes
from .fields import Fields
from .models import OWN_ACCOUNT, Connection, ListedServer, model

_NAME = "name"
_TOKEN = "token"
_CONNECTIONS = "connections"
_HTTPS_REQUIRED = "https_required"
_OWNER = "owner"
_HOME = "home"


class _Rules(TypedDict):
    """What decides where plain http is used."""

    https_required: bool
    is_trusted: bool


@model
class KnownServer:
    """A server's name, access token, connections sorted by URI, and owner.

    Without an `owner`, as stored by an earlier version, the owner is unknown.
    """

    name: str | None = None
    token: str | None = field(repr=False)
    connections: tuple[Connection, ...]
    https_required: bool
    owner: int | None = None
    home: bool = False

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
            owner=server.owner,
            home=server.home,
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
            owner=stored.integer(_OWNER),
            home=stored.boolean(_HOME) or False,
        )

    @property
    def ranks(self) -> tuple[tuple[Route, ...], ...]:
        """Return the routes to try, by rank.

        A shared server's network is another one, where plain http would give its token
        away; only within the Plex Home it is the same.
        """
        return rank(self.connections, **self._rules)

    @property
    def unused(self) -> tuple[Connection, ...]:
        """Return the connections that give no route, as no token may be sent there."""
        return tuple(
            connection
            for connection in self.connections
            if not any(routes(connection, **self._rules))
        )

    @property
    def agreeable_urls(self) -> tuple[URL, ...]:
        """Return the IP addresses that a user may agree to, local first."""
        scheme = "https" if self.https_required else "http"
        connections = sorted(self.connections, key=lambda one: not one.local)
        urls = (agreeable_url(one, scheme) for one in connections)
        return tuple(dict.fromkeys(filter(None, urls)))

    @property
    def _rules(self) -> _Rules:
        """Return what decides where plain http is used."""
        return _Rules(
            https_required=self.https_required,
            is_trusted=self.home or self.owner == OWN_ACCOUNT,
        )

    def is_of_owner(self, listed: ListedServer) -> bool:
        """Return whether a listed server of this identifier is this server.

        Anyone can give a server the identifier of another one. One of another owner is
        not this server, unless the account itself owns it now.
        """
        return listed.owned or self.owner in (None, listed.owner)

    def completed(self, before: KnownServer) -> KnownServer:
        """Return the server with a missing token or connections taken from `before`.

        Nothing is taken from a server of another owner, and nothing of an unknown one
        for a shared server: it may be of an own server with the same identifier.
        """
        is_own = before.owner is None and self.owner == OWN_ACCOUNT
        if before.owner != self.owner and not is_own:
            return self
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
            _OWNER: self.owner,
            _HOME: self.home,
        }
