"""Kinds and ranks of listed connections, and the routes they give."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from yarl import URL

from .addresses import (
    is_agreeable,
    is_loopback,
    is_private,
    names_address,
    parse_address,
    parse_listed_address,
)
from .models import Connection


class ConnectionKind(StrEnum):
    """Ways to reach a server, best first; a custom one is never compared."""

    LOCAL = "local"
    REMOTE = "remote"
    RELAY = "relay"
    CUSTOM = "custom"


class Route(NamedTuple):
    """An address to try, and its kind."""

    url: URL
    kind: ConnectionKind

    @property
    def uri(self) -> str:
        """Return the address without a trailing slash, as Plex writes it."""
        return str(self.url).rstrip("/")


def best_connection(connections: Iterable[Connection]) -> Connection | None:
    """Return the connection that ranks first, or None if there are none."""
    return min(connections, key=_order, default=None)


def connection_kind(connection: Connection) -> ConnectionKind:
    """Return the kind of a listed connection.

    Plex also lists public addresses and names as local: only a private address is.
    """
    if connection.relay:
        return ConnectionKind.RELAY
    is_local = connection.local and is_private(own_address(connection))
    return ConnectionKind.LOCAL if is_local else ConnectionKind.REMOTE


def own_address(connection: Connection) -> str | None:
    """Return the address of a connection, or None if its `uri` leads elsewhere."""
    url = parse_listed_address(connection.uri)
    is_same = url is not None and names_address(url.host, connection.address)
    return connection.address if is_same else None


def local_url(connection: Connection, scheme: str) -> URL | None:
    """Return the private address of a local connection, which needs no name."""
    if connection_kind(connection) is not ConnectionKind.LOCAL:
        return None
    return _numeric_url(connection, scheme)


def agreeable_url(connection: Connection, scheme: str) -> URL | None:
    """Return the IP address of a connection that a user may agree to."""
    if connection.relay or not is_agreeable(own_address(connection)):
        return None
    return _numeric_url(connection, scheme)


def _numeric_url(connection: Connection, scheme: str) -> URL | None:
    """Return the URL of a connection's own address and port."""
    address = connection.address or ""
    host = f"[{address}]" if ":" in address else address
    return parse_address(f"{scheme}://{host}:{connection.port}")


def rank(
    connections: Iterable[Connection], *, https_required: bool, is_trusted: bool
) -> tuple[tuple[Route, ...], ...]:
    """Return the routes to try, by rank: local https, local http, remote, relay.

    Plain http is used only if the server allows it, for loopback addresses, and for
    private ones of a server that is trusted in the home network. Such routes are also
    derived from https connections, for networks that do not resolve plex.direct names
    (plex-api.md §5.1, §13.11).
    """
    secure: dict[ConnectionKind, dict[URL, Route]] = {
        ConnectionKind.LOCAL: {},
        ConnectionKind.REMOTE: {},
        ConnectionKind.RELAY: {},
    }
    plain: dict[URL, Route] = {}
    for connection in connections:
        for route in routes(
            connection, https_required=https_required, is_trusted=is_trusted
        ):
            ranked = secure[route.kind] if route.url.scheme == "https" else plain
            ranked[route.url] = route
    local, *others = secure.values()
    return tuple(tuple(found.values()) for found in (local, plain, *others) if found)


def routes(
    connection: Connection, *, https_required: bool, is_trusted: bool
) -> Iterator[Route]:
    """Yield the routes that a connection gives: over https, and over plain http."""
    url = parse_listed_address(connection.uri)
    if url is not None and url.scheme == "https":
        yield Route(url, connection_kind(connection))
    plain_url = None if https_required else _plain_url(connection, url)
    if plain_url is not None and (is_trusted or is_loopback(plain_url.host)):
        yield Route(plain_url, ConnectionKind.LOCAL)


def _order(connection: Connection) -> tuple[int, bool]:
    """Return the sort key: local before remote before relay, https before http."""
    kind = connection_kind(connection)
    return list(ConnectionKind).index(kind), connection.protocol != "https"


def _plain_url(connection: Connection, url: URL | None) -> URL | None:
    """Return a connection's plain http address if it is private."""
    if connection.relay:
        return None
    if url is not None and url.scheme == "http":
        return url if is_private(url.host) else None
    return local_url(connection, "http")
