"""Ranking and probing of a server's addresses."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import islice
import re
from typing import Final

from yarl import URL

from .errors import (
    CannotConnectError,
    CertificateError,
    ConnectionTimeoutError,
    DnsError,
    PlexError,
    RateLimitedError,
    SecureConnectionRequiredError,
    UnavailableError,
    WrongServerError,
)
from .models import Connection

HEAD_START: Final = 1.0
"""Seconds that a rank may probe alone before the next one joins."""

PLEX_DIRECT: Final = ".plex.direct"

_MOST_CONNECTIONS = 32

_NAME = re.compile(r"[a-z0-9._-]+", re.IGNORECASE)
# The last part of a host that resolvers read as an IPv4 address.
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_LOCAL_DOMAINS = (
    ".home.arpa",
    ".internal",
    ".lan",
    ".local",
    ".localdomain",
    ".localhost",
)

# What a person learns most from comes first.
_MOST_TELLING: Final[tuple[type[PlexError], ...]] = (
    UnavailableError,
    RateLimitedError,
    SecureConnectionRequiredError,
    CertificateError,
    DnsError,
    WrongServerError,
    ConnectionTimeoutError,
    CannotConnectError,
)


class ConnectionKind(StrEnum):
    """Say how a server is reached."""

    LOCAL = "local"
    REMOTE = "remote"
    RELAY = "relay"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Name an address that may be tried, and its kind."""

    url: URL
    kind: ConnectionKind


@dataclass(frozen=True, slots=True)
class Race[AnswerT]:
    """Hold what a race brought: the winner with its answer, and why others failed."""

    winner: tuple[Candidate, AnswerT] | None
    failures: dict[Candidate, PlexError]

    @property
    def error(self) -> PlexError:
        """Return the failure that tells a person most."""
        failures = self.failures.values()
        for kind in _MOST_TELLING:
            for failure in failures:
                if isinstance(failure, kind):
                    return failure
        return next(iter(failures), CannotConnectError())


def parse_address(text: str) -> URL | None:
    """Return an address that a request may go to, None where it is no such thing.

    It is http or https with a host and a usable port, and without user information,
    query and fragment. Link-local, multicast, unspecified and reserved addresses are
    refused: no server is there, but the metadata services of clouds are. So are numbers
    in any other form than an IP address, which resolvers would make one of.
    """
    try:
        url = URL(text)
        host, port = url.host, url.port
    except ValueError:
        return None
    if (
        url.scheme not in ("http", "https")
        or not host
        or not port
        or url.user is not None
        or url.password is not None
        or url.query_string
        or url.fragment
    ):
        return None
    address = _ip_address(host)
    if address is None:
        last = host.rstrip(".").rpartition(".")[2]
        is_name = _NAME.fullmatch(url.raw_host or "") and not _NUMBER.fullmatch(last)
        return url if is_name else None
    if (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or (isinstance(address, IPv4Address) and address.is_reserved)
    ):
        return None
    return url


def is_private(host: str | None) -> bool:
    """Tell whether a host is a private or loopback address, not merely a name."""
    address = _ip_address(host)
    return address is not None and address.is_private and not address.is_link_local


def is_public(host: str | None) -> bool:
    """Tell whether a host is an address of the internet or a name in it.

    Names without a dot and those of local domains belong to the home.
    """
    address = _ip_address(host)
    if address is not None:
        return address.is_global
    name = (host or "").rstrip(".").lower()
    return "." in name and not name.endswith(_LOCAL_DOMAINS)


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
) -> tuple[tuple[Candidate, ...], ...]:
    """Return the addresses to try in ranks: local https, local http, remote, relay.

    A token goes over plain http only to a private or loopback address, and only where
    the server allows it; that address is made from the listed https one as well, for
    networks that do not resolve plex.direct names (plex-api.md §5.1, §13.11).
    """
    secure: dict[ConnectionKind, dict[URL, Candidate]] = {
        ConnectionKind.LOCAL: {},
        ConnectionKind.REMOTE: {},
        ConnectionKind.RELAY: {},
    }
    plain: dict[URL, Candidate] = {}
    for connection in islice(connections, _MOST_CONNECTIONS):
        url = parse_address(connection.uri)
        if url is not None and url.scheme == "https":
            kind = connection_kind(connection)
            secure[kind][url] = Candidate(url, kind)
        if not https_required and (plain_url := _plain_url(connection, url)):
            plain[plain_url] = Candidate(plain_url, ConnectionKind.LOCAL)
    local, *others = secure.values()
    return tuple(tuple(found.values()) for found in (local, plain, *others) if found)


async def race[AnswerT](
    ranks: Iterable[Iterable[Candidate]],
    probe: Callable[[Candidate], Awaitable[AnswerT]],
    *,
    head_start: float = HEAD_START,
) -> Race[AnswerT]:
    """Probe the addresses and return the first that answers.

    All of one rank are probed at once. The next rank starts when every address so far
    has failed, or after `head_start` seconds. An address has failed when its probe
    raises PlexError; anything else ends the race.
    """
    running: dict[asyncio.Future[AnswerT], Candidate] = {}
    failures: dict[Candidate, PlexError] = {}
    waiting = list(ranks)
    try:
        while waiting or running:
            if waiting:
                for candidate in waiting.pop(0):
                    running[asyncio.ensure_future(probe(candidate))] = candidate
            deadline = asyncio.get_running_loop().time() + head_start
            while running:
                timeout = None
                if waiting:
                    timeout = max(deadline - asyncio.get_running_loop().time(), 0)
                done, _ = await asyncio.wait(
                    running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    break
                for task in [task for task in running if task in done]:
                    candidate = running.pop(task)
                    try:
                        return Race((candidate, task.result()), failures)
                    except PlexError as err:
                        # Kept for long: without the frames, which hold the request.
                        failures[candidate] = err.with_traceback(None)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return Race(None, failures)


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


def _ip_address(host: str | None) -> IPv4Address | IPv6Address | None:
    """Return the IP address that a host is written as, None for a name."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
