"""Reach one server, and call it with its access token."""

import asyncio
from collections.abc import Awaitable, Callable
import logging
from typing import Final

from yarl import URL

from .connections import Route
from .errors import (
    CannotConnectError,
    MaintenanceError,
    NotClaimedError,
    NotFoundError,
    NotOwnerError,
    NotPermittedError,
    PlexError,
    RateLimitedError,
    SecureConnectionRequiredError,
    ServerTooOldError,
    StartingUpError,
    UnavailableError,
)
from .models import Identity, Source
from .race import race
from .server import PlexServer, supports_sources
from .server_list import AccountServer
from .transport import Transport

_LOGGER = logging.getLogger(__name__)

# What a server itself says; another address of it would say the same.
_SAME_AT_EVERY_ADDRESS: Final = (
    MaintenanceError,
    NotFoundError,
    RateLimitedError,
    StartingUpError,
)


class Routing:
    """Keep a route to a server: the first address that answers, for as long as it does."""

    def __init__(self, transport: Transport, target: AccountServer) -> None:
        """Take the server; nobody is asked yet."""
        self.route: Route | None = None
        self.failures: dict[Route, PlexError] = {}
        self.server = PlexServer(transport, URL())
        self._target = target
        self._lock = asyncio.Lock()

    async def identify(self) -> tuple[Identity, Route]:
        """Return who answers by the route in use, or else by a new one, for a poll."""
        if (route := self.route) is not None:
            try:
                return await self._identity_at(self.server), route
            except _SAME_AT_EVERY_ADDRESS:
                raise
            except PlexError as err:
                _LOGGER.debug("A new route is chosen: %s", err)
                self.route = None
        async with self._lock:
            return await self._choose(now=False)

    async def connect(self) -> Route:
        """Return a route that answered, for an action.

        Raises UnavailableError for an address that knows no identity: NotFoundError is
        for what is asked of the server itself.
        """
        try:
            return await self._proven()
        except NotFoundError as err:
            raise UnavailableError(status=err.status) from err

    async def _proven(self) -> Route:
        """Return the route in use, or a new one where it fails.

        Without a valid certificate the identity is compared again, since another
        machine may have got the address since the last poll.
        """
        if (route := self.route) is not None:
            if self.server.is_proven:
                return route
            try:
                await self._identity_at(self.server)
            except _SAME_AT_EVERY_ADDRESS:
                raise
            except PlexError:
                self.route = None
            else:
                return route
        async with self._lock:
            if (route := self.route) is None:
                _, route = await self._choose(now=True)
        return route

    async def _choose(self, *, now: bool) -> tuple[Identity, Route]:
        """Choose a route; plex.tv is asked where the server is if none answers."""
        result = await race(self._target.ranks, self._probe)
        if result.winner is None and await self._target.relocate(now=now):
            result = await race(self._target.ranks, self._probe)
        self.failures = result.failures
        if result.winner is None:
            raise result.error
        self.route, identity = result.winner
        self.server.move_to(self.route.url)
        return identity, self.route

    async def _probe(self, route: Route) -> Identity:
        """Ask an address who answers there, which takes no token."""
        return await self._identity_at(self.server.at(route.url))

    async def _identity_at(self, server: PlexServer) -> Identity:
        """Return who answers; raise WrongServerError if it is another server."""
        return await server.identity(self._target.machine_identifier)


class ServerAccess:
    """Reach a server, and call it with its access token."""

    def __init__(
        self,
        transport: Transport,
        target: AccountServer,
        on_token_refused: Callable[[], None] = lambda: None,
    ) -> None:
        """Take the server; nobody is asked yet.

        `on_token_refused` is called when `token_refused` changes.
        """
        self.target = target
        self.routing = Routing(transport, target)
        self.token_refused = False
        self._on_token_refused = on_token_refused
        self._identity: Identity | None = None

    @property
    def version(self) -> str | None:
        """Return the server's version as it told it last, else as plex.tv lists it."""
        if self._identity is not None and self._identity.version is not None:
            return self._identity.version
        listed = self.target.listed
        return listed.product_version if listed is not None else None

    async def identify(self) -> tuple[Identity, Route]:
        """Return who answers, and by which route, as a poll asks.

        Raises StartingUpError while the server is not ready.
        """
        identity, route = await self.routing.identify()
        if identity.start_state is not None:
            raise StartingUpError
        self._identity = identity
        return identity, route

    async def call[AnswerT](
        self, call: Callable[[PlexServer, str], Awaitable[AnswerT]]
    ) -> tuple[AnswerT, Route]:
        """Call the server with its access token; return the answer and the route.

        A route that fails is chosen anew once, and a token that the server refuses is
        renewed once. Raises PlexError, TokenRejectedError where plex.tv itself rejects
        the account token, and NotClaimedError where the server belongs to nobody.
        """
        try:
            return await self._call(call)
        except NotClaimedError:
            raise
        except NotPermittedError:
            await self.routing.server.require_claimed()
            raise

    async def source(
        self, source: str, *, refresh: bool = False
    ) -> tuple[Source, Route]:
        """Ask the server how a source can be reached; return the route as well.

        Raises what `call` does, NotFoundError for a source that the server does not
        know, and without a request NotOwnerError and ServerTooOldError.
        """
        listed = self.target.listed
        if listed is not None and not listed.owned:
            raise NotOwnerError
        if not supports_sources(self.version):
            raise ServerTooOldError
        return await self.call(
            lambda server, token: server.source_connection_information(
                token, source, refresh=refresh
            )
        )

    async def check_token(self, token: str) -> None:
        """Raise NotPermittedError unless the server takes a token.

        Raises NotClaimedError where it takes none, for it belongs to nobody.
        """
        await self.routing.connect()
        await self.routing.server.try_token(token)

    async def check_token_now(self, token: str) -> None:
        """Raise NotPermittedError unless the server, just identified, takes a token."""
        await self.routing.server.check_token(token)

    async def recheck_refused_token(self) -> None:
        """Find out whether the server takes the typed token that it refused."""
        if not self.token_refused:
            return
        try:
            await self._check_typed_token(self.target.token)
        except PlexError as err:
            _LOGGER.debug("The server still refuses its token: %s", err)

    async def _call[AnswerT](
        self, call: Callable[[PlexServer, str], Awaitable[AnswerT]]
    ) -> tuple[AnswerT, Route]:
        """Call the server, by a new route if the one in use fails."""
        route = await self.routing.connect()
        try:
            answer = await self._call_with_token(call)
        except _SAME_AT_EVERY_ADDRESS:
            raise
        except CannotConnectError, SecureConnectionRequiredError, UnavailableError:
            self.routing.route = None
            route = await self.routing.connect()
            answer = await self._call_with_token(call)
        self._set_token_refused(False)
        return answer, route

    async def _call_with_token[AnswerT](
        self, call: Callable[[PlexServer, str], Awaitable[AnswerT]]
    ) -> AnswerT:
        """Call the server with its access token, which is renewed if it is refused."""
        token = self.target.token
        try:
            return await call(self.routing.server, token)
        except NotPermittedError:
            if self.target.typed_token is not None:
                await self._check_typed_token(token)
                raise
            token = await self.target.renewed_token(token)
        return await call(self.routing.server, token)

    async def _check_typed_token(self, token: str) -> None:
        """Find out whether the server refuses the token itself or only the request."""
        try:
            await self.routing.server.try_token(token)
        except NotClaimedError:
            raise
        except NotPermittedError:
            self._set_token_refused(True)
            raise
        self._set_token_refused(False)

    def _set_token_refused(self, refused: bool) -> None:
        """Keep whether the server refuses the typed token, and tell of a change."""
        if self.token_refused != refused:
            self.token_refused = refused
            self._on_token_refused()
