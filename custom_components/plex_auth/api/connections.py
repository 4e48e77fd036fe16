"""From a listed connection to its kind, its rank and the route to a server."""

from collections.abc import Iterable
from enum import StrEnum
from itertools import islice
from typing import Final, NamedTuple

from yarl import URL

from .addresses import is_private, parse_address
from .models import Connection

_MOST_CONNECTIONS: Final = 32


class ConnectionKind(StrEnum):
    """Say how a server is reached."""

    LOCAL = "local"
    REMOTE = "remote"
    RELAY = "relay"
    CUSTOM = "custom"


class Route(NamedTuple):
    """An address that may be tried, and its kind."""

    url: URL
    kind: ConnectionKind

    @property
    def uri(self) -> str:
        """Return the address as Plex writes addresses: without a slash at its end."""
        return str(self.url).rstrip("/")


def best_connection(connections: Iterable[Connection]) -> Connection | None:
    """Return the first of the addresses by our ranking, None where there is none."""
    return min(connections, key=_order, default=None)


def connection_kind(connection: Connection) -> ConnectionKind:
    """Return the kind of a listed address."""
    if connection.relay:
        return ConnectionKind.RELAY
    return ConnectionKind.LOCAL if connection.local else ConnectionKind.REMOTE


def rank(
    connections: Iterable[Connection], *, https_required: bool
) -> tuple[tuple[Route, ...], ...]:
    """Return the addresses to try in ranks: local https, local http, remote, relay.

    A token goes over plain http only to a private or loopback address, and only where
    the server allows it; that address is made from the listed https one as well, for
    networks that do not resolve plex.direct names (plex-api.md §5.1, §13.11).
    """
    secure: dict[ConnectionKind, dict[URL, Route]] = {
        ConnectionKind.LOCAL: {},
        ConnectionKind.REMOTE: {},
        ConnectionKind.RELAY: {},
    }
    plain: dict[URL, Route] = {}
    for connection in islice(connections, _MOST_CONNECTIONS):
        url = parse_address(connection.uri)
        if url is not None and url.scheme == "https":
            kind = connection_kind(connection)
            secure[kind][url] = Route(url, kind)
        if not https_required and (plain_url := _plain_url(connection, url)):
            plain[plain_url] = Route(plain_url, ConnectionKind.LOCAL)
    local, *others = secure.values()
    return tuple(tuple(found.values()) for found in (local, plain, *others) if found)


def _order(connection: Connection) -> tuple[bool, bool, bool]:
    """Return what to sort by: local before remote before relay, https before http."""
    return connection.relay, not connection.local, connection.protocol != "https"


def _plain_url(connection: Connection, url: URL | None) -> URL | None:
    """Return the plain http address of a listed connection, if a token may go there."""
    if connection.relay:
        return None
    if url is not None and url.scheme == "http":
        return url if is_private(url.host) else None
    if not connection.local or not is_private(connection.address):
        return None
    address = connection.address or ""
    host = f"[{address}]" if ":" in address else address
    return parse_address(f"http://{host}:{connection.port}")
