"""The servers of an account, asked for once for all who wish, and one of them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
import logging
from typing import Final

from yarl import URL

from .connections import ConnectionKind, Route, rank
from .errors import NotPermittedError, PlexError, TokenRejectedError
from .known_server import KnownServer
from .models import ListedServer

_LOGGER = logging.getLogger(__name__)

# Hourly: it is due at every second poll of the account, which may come a bit early.
POLL_INTERVAL: Final = timedelta(minutes=55)
SHORTEST_INTERVAL: Final = timedelta(minutes=15)


def _utcnow() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class ServerList:
    """Hold the servers as plex.tv listed them last, by their machine identifier."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[Iterable[ListedServer]]],
        verify: Callable[[], Awaitable[None]],
        *,
        on_renewed: Callable[[], None] = lambda: None,
        now: Callable[[], datetime] = _utcnow,
    ) -> None:
        """Take how plex.tv is asked for the servers.

        `verify` asks plex.tv whether it accepts the account token, and raises PlexError
        unless it does; `on_renewed` is called after each answer of plex.tv.
        """
        self.verify = verify
        self._ask_plex_tv = ask
        self._on_renewed = on_renewed
        self._now = now
        self._servers: dict[str, ListedServer] | None = None
        self._lock = asyncio.Lock()
        self._requests = 0
        # When plex.tv was last asked by those who may ask once in an interval.
        self._asked_at: dict[timedelta, datetime] = {}

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

    async def poll(self) -> None:
        """Ask plex.tv for the servers, at most once an hour.

        A failure is only logged, but for TokenRejectedError.
        """
        if not self._is_due(POLL_INTERVAL):
            return
        async with self._lock:
            try:
                await self._ask()
            except TokenRejectedError:
                raise
            except PlexError as err:
                _LOGGER.debug("plex.tv does not list the servers: %s", err)

    async def renew(self, *, now: bool = False) -> None:
        """Ask plex.tv for the servers: once in 15 minutes, or `now` in any case.

        Those who ask while plex.tv is being asked share one further request. Raises
        PlexError when plex.tv cannot be asked. Where it rejects the token, it is asked
        about the account first.
        """
        requests = self._requests
        try:
            async with self._lock:
                if self._requests != requests:
                    return
                if now or self._is_due(SHORTEST_INTERVAL):
                    if not now:
                        self._asked_at[SHORTEST_INTERVAL] = self._now()
                    await self._ask()
        except TokenRejectedError:
            with suppress(PlexError):
                await self.verify()
            raise

    async def _ask(self) -> None:
        """Ask plex.tv for the servers."""
        self._asked_at[POLL_INTERVAL] = self._now()
        self._requests += 1
        servers = await self._ask_plex_tv()
        self._servers = {server.machine_identifier: server for server in servers}
        self._on_renewed()

    def _is_due(self, interval: timedelta) -> bool:
        """Return whether an interval is over; so it is where the clock was set back."""
        asked_at = self._asked_at.get(interval)
        return asked_at is None or not (
            timedelta(0) <= self._now() - asked_at < interval
        )


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
        """Return the server as plex.tv lists it, or listed it last."""
        listed = self.listed
        return self._stored() if listed is None else KnownServer.from_listed(listed)

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

    async def relocate(self, *, now: bool) -> bool:
        """Ask plex.tv where the server is; return whether something else is known now.

        Nobody is asked about a typed address. `now` is that of `ServerList.renew`.
        """
        if self.url is not None:
            return False
        known = self.known
        await self._renew(now=now)
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
        await self._renew(now=True)
        token = self.token
        if token == refused:
            raise NotPermittedError
        return token

    async def _renew(self, *, now: bool) -> None:
        """Ask plex.tv for the servers, which may fail for now."""
        try:
            await self.servers.renew(now=now)
        except PlexError as err:
            _LOGGER.debug("plex.tv has no news of the server: %s", err)
