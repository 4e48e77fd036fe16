"""The servers of an account, asked for once for all who wish, and one of them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
import logging
from typing import Final

from yarl import URL

from .addresses import is_private, is_public
from .connections import ConnectionKind, Route, rank
from .errors import NotPermittedError, PlexError, TokenRejectedError
from .intervals import Interval
from .known_server import KnownServer
from .models import ListedServer
from .shared_request import SharedRequest, Start

_LOGGER = logging.getLogger(__name__)

# Hourly: it is due at every second poll of the account, which may come a bit early.
POLL_INTERVAL: Final = timedelta(minutes=55)
SHORTEST_INTERVAL: Final = timedelta(minutes=15)


class ServerList:
    """Hold the servers as plex.tv listed them last, by their machine identifier."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[Iterable[ListedServer]]],
        verify: Callable[[], Awaitable[None]],
        *,
        on_renewed: Callable[[], None] = lambda: None,
        start: Start = asyncio.create_task,
    ) -> None:
        """Take how plex.tv is asked for the servers.

        `verify` asks plex.tv whether it accepts the account token, and raises PlexError
        unless it does; `on_renewed` is called after each answer of plex.tv. `start`
        starts a request as a task.
        """
        self.verify = verify
        self._ask_plex_tv = ask
        self._on_renewed = on_renewed
        self._servers: dict[str, ListedServer] | None = None
        self._request = SharedRequest(self._ask, start)
        self._since_answer = Interval(POLL_INTERVAL)
        self._since_wish = Interval(SHORTEST_INTERVAL)

    @property
    def is_known(self) -> bool:
        """Return whether plex.tv has told the servers."""
        return self._servers is not None

    def __iter__(self) -> Iterator[ListedServer]:
        """Iterate over the servers, none while they are not known."""
        return iter((self._servers or {}).values())

    def __len__(self) -> int:
        """Return the number of servers, 0 while they are not known."""
        return len(self._servers or {})

    def get(self, machine_identifier: str) -> ListedServer | None:
        """Return a server, None where it is not listed or nothing is known."""
        return (self._servers or {}).get(machine_identifier)

    def make_due(self) -> None:
        """Let the next poll ask plex.tv, however short ago it answered."""
        self._since_answer.end()

    async def poll(self) -> None:
        """Ask plex.tv for the servers, unless it has answered in the last hour.

        A failure is only logged, but for TokenRejectedError.
        """
        if not self._since_answer.is_over:
            return
        try:
            await self._request.share()
        except TokenRejectedError:
            raise
        except PlexError as err:
            _LOGGER.debug("plex.tv does not list the servers: %s", err)

    async def renew(self, *, now: bool = False) -> None:
        """Ask plex.tv for the servers: once in 15 minutes, or `now` in any case.

        Those who ask while plex.tv is being asked share one further request, those whose
        wish is not granted the present one. Raises PlexError when plex.tv cannot be
        asked. Where it rejects the token, it is asked about the account first.
        """
        try:
            if now:
                await self._request.share()
            elif self._since_wish.is_over:
                self._since_wish.begin()
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
        self._servers = {server.machine_identifier: server for server in servers}
        self._since_answer.begin()
        self._on_renewed()


class AccountServer:
    """Know one server of an account: what was typed, listed, or stored of it.

    What plex.tv lists is read at each use, never kept.
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
        """Take the account's list, and what tells what was stored of the server.

        `url` and `typed_token` were typed by the user: they count before all else.
        """
        self.servers = servers
        self.machine_identifier = machine_identifier
        self.url = url
        self.typed_token = typed_token
        self._stored = stored

    @property
    def listed(self) -> ListedServer | None:
        """Return the server as plex.tv lists it now, None where it does not."""
        return self.servers.get(self.machine_identifier)

    @property
    def known(self) -> KnownServer:
        """Return the server as plex.tv lists it, completed by what it listed last."""
        stored, listed = self._stored(), self.listed
        if listed is None:
            return stored
        return KnownServer.from_listed(listed).completed(stored)

    @property
    def token(self) -> str:
        """Return the typed token, else the listed one.

        Raises NotPermittedError where there is none.
        """
        token = self.typed_token or self.known.token
        if token is None:
            raise NotPermittedError
        return token

    @property
    def ranks(self) -> tuple[tuple[Route, ...], ...]:
        """Return the routes to try: the typed address alone, or the listed ones."""
        if self.url is not None:
            return ((Route(self.url, ConnectionKind.CUSTOM),),)
        known = self.known
        return rank(known.connections, https_required=known.https_required)

    @property
    def private_ranks(self) -> tuple[tuple[Route, ...], ...]:
        """Return the routes that do not leave the server's own network.

        A name of plex.direct counts by the address that plex.tv lists with it, a typed
        address unless it is one of the internet.
        """
        if self.url is not None:
            return () if is_public(self.url.host) else self.ranks
        known = self.known
        return rank(
            (
                connection
                for connection in known.connections
                if is_private(connection.address) and not connection.relay
            ),
            https_required=known.https_required,
        )

    def better_ranks(self, route: Route) -> tuple[tuple[Route, ...], ...]:
        """Return the ranks before that of a route, all where it is no longer listed."""
        ranks = self.ranks
        return ranks[
            : next(
                (index for index, rank in enumerate(ranks) if route in rank), len(ranks)
            )
        ]

    async def relocate(self, *, now: bool) -> bool:
        """Ask plex.tv where the server is; return whether something else is known now.

        Nobody is asked about a typed address. `now` is that of `ServerList.renew`.
        """
        if self.url is not None:
            return False
        known = self.known
        await self.renew(now=now)
        return self.known != known

    async def renewed_token(self, refused: str) -> str:
        """Return a listed token other than the one that the server refused.

        A refusal is no proof (plex-api.md §13.4): plex.tv is asked about the account
        first, then for the server's token. Raises TokenRejectedError where plex.tv
        rejects the account token, else NotPermittedError where there is no other token.
        """
        try:
            await self.servers.verify()
        except TokenRejectedError:
            raise
        except PlexError as err:
            _LOGGER.debug("plex.tv cannot be asked about the account: %s", err)
        await self.renew(now=True)
        token = self.token
        if token == refused:
            raise NotPermittedError
        return token

    async def renew(self, *, now: bool) -> None:
        """Ask plex.tv for the servers, which may fail for now, as `ServerList.renew` does."""
        try:
            await self.servers.renew(now=now)
        except PlexError as err:
            _LOGGER.debug("plex.tv has no news of the server: %s", err)
