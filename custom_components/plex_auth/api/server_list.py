"""The account's servers, fetched once for all callers, and one of them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
import logging
from types import MappingProxyType
from typing import Final

from yarl import URL

from .addresses import is_private
from .connections import ConnectionKind, Route, own_address
from .errors import NotPermittedError, PlexError, TokenRejectedError
from .intervals import Interval
from .known_server import KnownServer
from .models import OWN_ACCOUNT, Connection, ListedServer
from .shared_request import SharedRequest, Start

_LOGGER = logging.getLogger(__name__)

# Hourly, at every second poll of the account, less a margin for one that comes early.
POLL_INTERVAL: Final = timedelta(minutes=55)
SHORTEST_INTERVAL: Final = timedelta(minutes=15)


class ServerList:
    """The servers as plex.tv last listed them, by machine identifier."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[Iterable[ListedServer]]],
        verify: Callable[[], Awaitable[None]],
        *,
        owners: Callable[[], Mapping[str, int | None]] = dict,
        on_renewed: Callable[[], None] = lambda: None,
        start: Start = asyncio.create_task,
    ) -> None:
        """Initialize with a way to fetch the servers from plex.tv.

        `verify` raises PlexError unless plex.tv accepts the account token, `owners`
        returns the stored owners by machine identifier, `on_renewed` is called after
        each response with servers, and `start` starts a task.
        """
        self.verify = verify
        self._ask_plex_tv = ask
        self._owners = owners
        self._on_renewed = on_renewed
        self._servers: dict[str, ListedServer] | None = None
        self._request = SharedRequest(self._ask, start)
        self._since_answer = Interval(POLL_INTERVAL)
        self._since_request = Interval(SHORTEST_INTERVAL)

    @property
    def is_known(self) -> bool:
        """Return whether plex.tv has listed the servers."""
        return self._servers is not None

    def has_answered_since(self, moment: float) -> bool:
        """Return whether plex.tv has listed the servers since a time of the loop's clock."""
        begun_at = self._since_answer.begun_at
        return begun_at is not None and begun_at >= moment

    def __iter__(self) -> Iterator[ListedServer]:
        """Iterate over the servers; there are none until they are known."""
        return iter((self._servers or {}).values())

    def __len__(self) -> int:
        """Return the number of servers, 0 until they are known."""
        return len(self._servers or {})

    def get(self, machine_identifier: str) -> ListedServer | None:
        """Return a server, or None if it is not listed or nothing is known."""
        return (self._servers or {}).get(machine_identifier)

    def make_due(self) -> None:
        """Make the next poll ask plex.tv, even if it answered recently."""
        self._since_answer.end()

    async def poll(self) -> None:
        """Ask plex.tv for the servers if it has not answered in the last hour.

        Raises TokenRejectedError; other failures are only logged.
        """
        if not self._since_answer.is_over:
            return
        try:
            await self._request.share()
        except TokenRejectedError:
            raise
        except PlexError as err:
            _LOGGER.debug("Could not get the servers from plex.tv: %s", err)

    async def renew(self, *, now: bool = False) -> None:
        """Ask plex.tv for the servers, at most once in 15 minutes unless `now` is set.

        Callers during a request share one more request; callers within 15 minutes wait
        for the request in progress, if any. Raises PlexError if the request fails, and
        TokenRejectedError, after verifying the account, if plex.tv rejects the token.
        """
        try:
            if now:
                await self._request.share()
            elif self._since_request.is_over:
                self._since_request.begin()
                await self._request.share()
            else:
                await self._request.join()
        except TokenRejectedError:
            with suppress(PlexError):
                await self.verify()
            raise

    async def _ask(self) -> None:
        """Ask plex.tv for the servers."""
        servers = await self._ask_plex_tv()
        self._servers = by_identifier(servers, self._owners())
        self._since_answer.begin()
        self._on_renewed()


def by_identifier(
    listed: Iterable[ListedServer],
    owners: Mapping[str, int | None] = MappingProxyType({}),
) -> dict[str, ListedServer]:
    """Return the servers by their machine identifiers.

    Anyone can give a server the identifier of another one: the owned row wins, else that
    of the owner in `owners`, else the first one.
    """

    def preference(server: ListedServer) -> tuple[bool, bool]:
        owner = owners.get(server.machine_identifier)
        return server.owned, owner is not None and server.owner == owner

    servers: dict[str, ListedServer] = {}
    for server in listed:
        before = servers.setdefault(server.machine_identifier, server)
        if preference(server) > preference(before):
            servers[server.machine_identifier] = server
    return servers


class AccountServer:
    """One server of an account: its typed, listed and stored details.

    Listed details are read from the list at each use and never kept.
    """

    def __init__(
        self,
        servers: ServerList,
        machine_identifier: str,
        stored: Callable[[], KnownServer],
        *,
        url: URL | None = None,
        typed_token: str | None = None,
    ) -> None:
        """Initialize; `stored` returns the stored details of the server.

        `url` and `typed_token` are typed by the user and take precedence.
        """
        self.servers = servers
        self.machine_identifier = machine_identifier
        self.url = url
        self.typed_token = typed_token
        self._stored = stored

    @property
    def listed(self) -> ListedServer | None:
        """Return the server as plex.tv lists it now, or None if it does not.

        It may be one of another owner.
        """
        return self.servers.get(self.machine_identifier)

    @property
    def is_listed(self) -> bool:
        """Return whether plex.tv lists the server now, and not one of another owner."""
        listed = self.listed
        return listed is not None and self._stored().is_of_owner(listed)

    @property
    def is_shared(self) -> bool:
        """Return whether plex.tv lists the server as another account's, or last did."""
        stored, listed = self._stored(), self.listed
        if listed is not None and stored.is_of_owner(listed):
            return not listed.owned
        return stored.owner not in (None, OWN_ACCOUNT)

    @property
    def known(self) -> KnownServer:
        """Return the listed server, completed with stored details."""
        stored, listed = self._stored(), self.listed
        if listed is None or not stored.is_of_owner(listed):
            return stored
        return KnownServer.from_listed(listed).completed(stored)

    @property
    def token(self) -> str:
        """Return the typed or listed token; raise NotPermittedError without one."""
        token = self.typed_token or self.known.token
        if token is None:
            raise NotPermittedError
        return token

    @property
    def ranks(self) -> tuple[tuple[Route, ...], ...]:
        """Return the routes to try: the typed address alone, or the listed ones."""
        if self.url is not None:
            return ((Route(self.url, ConnectionKind.CUSTOM),),)
        return self.known.ranks

    @property
    def unused(self) -> tuple[Connection, ...]:
        """Return the listed connections where no token may be sent."""
        return () if self.url is not None else self.known.unused

    async def private_ranks(
        self, is_public: Callable[[URL], Awaitable[bool | None]]
    ) -> tuple[tuple[Route, ...], ...]:
        """Return the routes within the server's own network.

        A plex.direct name is judged by the address listed with it. A typed address
        counts if it is not public: `is_public` returns whether it is, None if unknown.
        """
        if self.url is not None:
            return self.ranks if await is_public(self.url) is False else ()
        known = self.known
        near = tuple(
            connection
            for connection in known.connections
            if is_private(own_address(connection)) and not connection.relay
        )
        return replace(known, connections=near).ranks

    def better_ranks(self, route: Route) -> tuple[tuple[Route, ...], ...]:
        """Return the ranks above that of a route, or all if it is no longer listed."""
        ranks = self.ranks
        return ranks[
            : next(
                (index for index, rank in enumerate(ranks) if route in rank), len(ranks)
            )
        ]

    async def relocate(self, *, now: bool) -> bool:
        """Ask plex.tv for the server's addresses; return whether anything changed.

        Does nothing for a typed address. `now` is that of `ServerList.renew`.
        """
        if self.url is not None:
            return False
        known = self.known
        await self.renew(now=now)
        return self.known != known

    async def renewed_token(self, refused: str) -> str:
        """Return a listed token other than the one that the server refused.

        A refusal proves nothing (plex-api.md §13.4), so the account is verified first.
        Raises TokenRejectedError if plex.tv rejects the account token, and
        NotPermittedError if there is no other token.
        """
        try:
            await self.servers.verify()
        except TokenRejectedError:
            raise
        except PlexError as err:
            _LOGGER.debug("Could not verify the account with plex.tv: %s", err)
        await self.renew(now=True)
        token = self.token
        if token == refused:
            raise NotPermittedError
        return token

    async def renew(self, *, now: bool) -> None:
        """Ask plex.tv for the servers as `ServerList.renew` does, logging failures."""
        try:
            await self.servers.renew(now=now)
        except PlexError as err:
            _LOGGER.debug("Could not update the server from plex.tv: %s", err)
