"""The server that took the place of another one, which was set up again."""

from collections.abc import Container, Iterable
from datetime import UTC, datetime

from .connections import own_address
from .errors import WrongServerError
from .models import Connection, ListedServer
from .server_access import ServerAccess

_NEVER = datetime.min.replace(tzinfo=UTC)


def find_successor(
    access: ServerAccess, added: Container[str | None]
) -> ListedServer | None:
    """Return the server that took the place of one that is not reached, or None.

    It is owned, answers instead of the old one or has a listed address of it, and is not
    among the machine identifiers that are already `added`. plex.tv no longer lists the old
    one, or says that it is away. It may say so of the new one, if there is no other.

    The addresses of a shared server prove nothing, because another network has the same
    private ones: only what answers at a typed address counts.
    """
    target = access.target
    listed = target.listed if target.is_listed else None
    if listed is not None and listed.presence is not False:
        return None
    if target.is_shared and target.url is None:
        return None
    answering = answering_instead(access)
    known = () if target.is_shared else target.known.connections
    addresses = _addresses(known)
    candidates = (
        server
        for server in target.servers
        if server.owned
        and server.machine_identifier not in added
        and (
            server.machine_identifier in answering
            or addresses & _addresses(server.connections)
        )
    )
    return max(
        candidates,
        key=lambda server: (
            server.presence is not False,
            server.machine_identifier in answering,
            server.last_seen_at or _NEVER,
        ),
        default=None,
    )


def answering_instead(access: ServerAccess) -> set[str | None]:
    """Return the machine identifiers of servers that answer at a server's addresses."""
    return {
        failure.machine_identifier
        for failure in access.failures.values()
        if isinstance(failure, WrongServerError)
    }


def _addresses(connections: Iterable[Connection]) -> set[tuple[str, int | None]]:
    """Return the addresses and ports of direct connections."""
    return {
        (address, connection.port)
        for connection in connections
        if not connection.relay and (address := own_address(connection)) is not None
    }
