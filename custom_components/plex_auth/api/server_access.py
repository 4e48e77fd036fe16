"""Reach one server, and call it with its access token."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
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
    NotReachedError,
    PlexError,
    RateLimitedError,
    SecureConnectionRequiredError,
    ServerTooOldError,
    StartingUpError,
    UnavailableError,
)
from .models import Identity, Source
from .race import race
from .server import PlexServer, require_started, supports_sources
from .server_list import AccountServer
from .transport import Transport

_LOGGER = logging.getLogger(__name__)

# Every 15 minutes: it is due at a poll, which may come a bit early.
_COMPARE_INTERVAL: Final = timedelta(minutes=14)

# What only the server itself says; another address of it would say the same.
_OWN_WORDS: Final = (MaintenanceError, StartingUpError)
# What a proxy says as well. A server's own word it is once its identity is confirmed.
_MAY_BE_A_PROXY_S: Final = (RateLimitedError, UnavailableError)
# Answers of who has not passed the request on.
_NOT_PASSED_ON: Final = frozenset({404, 410, 429})


class Routing:
    """Keep a route to a server: the first address that answers, for as long as it does."""

    def __init__(self, transport: Transport, target: AccountServer) -> None:
        """Take the server; nobody is asked yet."""
        self.route: Route | None = None
        self.failures: dict[Route, PlexError] = {}
        self.server = PlexServer(transport, URL())
        self._target = target
        self._compared_at: datetime | None = None
        self._lock = asyncio.Lock()

    async def identify(self) -> tuple[Identity, Route]:
        """Return who answers by the route in use, or else by a new one, for a poll.

        A route that is not of the best rank is left for a better one that answers again.
        """
        if (route := self.route) is not None:
            try:
                identity = await self._identity_at(self.server)
            except _OWN_WORDS:
                raise
            except PlexError as err:
                _LOGGER.debug("A new route is chosen: %s", err)
                self.give_up(route)
            else:
                return await self._improved(identity, route)
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

    async def is_confirmed(self, route: Route) -> bool:
        """Return whether the server itself answers by a route that is in use."""
        try:
            await self._identity_at(self.server.at(route.url))
        except _OWN_WORDS:
            return True
        except PlexError:
            return False
        return True

    def give_up(self, route: Route) -> None:
        """Leave a route that has failed."""
        if self.route == route:
            self.route = None

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
            except _OWN_WORDS:
                raise
            except PlexError:
                self.give_up(route)
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
        self._compared_at = self._target.servers.now()
        return self._use(*result.winner)

    async def _improved(
        self, identity: Identity, route: Route
    ) -> tuple[Identity, Route]:
        """Return a better route than one that works, if it is time to look for one."""
        servers, ranks = self._target.servers, self._target.better_ranks(route)
        if not ranks or not servers.is_over(self._compared_at, _COMPARE_INTERVAL):
            return identity, route
        self._compared_at = servers.now()
        result = await race(ranks, self._probe)
        self.failures = result.failures
        return (identity, route) if result.winner is None else self._use(*result.winner)

    def _use(self, route: Route, identity: Identity) -> tuple[Identity, Route]:
        """Use a route from now on."""
        self.route = route
        self.server.move_to(route.url)
        return identity, route

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
        self.identity: Identity | None = None

    @property
    def typed(self) -> tuple[URL | None, str | None, bool]:
        """Return what was typed: address, token, and whether certificates count."""
        return self.target.url, self.target.typed_token, self.routing.server.verifies

    @property
    def is_unclaimed(self) -> bool:
        """Return whether the server told last that it belongs to nobody (§17.1)."""
        return self.identity is not None and self.identity.claimed is False

    @property
    def version(self) -> str | None:
        """Return the server's version as it told it last, else as plex.tv lists it."""
        if self.identity is not None and self.identity.version is not None:
            return self.identity.version
        listed = self.target.listed
        return listed.product_version if listed is not None else None

    async def identify(self) -> tuple[Identity, Route]:
        """Return who answers, and by which route, as a poll asks.

        Raises StartingUpError while the server is not ready.
        """
        identity, route = await self.routing.identify()
        self.identity = require_started(identity)
        return identity, route

    async def call[AnswerT](
        self,
        call: Callable[[PlexServer, str], Awaitable[AnswerT]],
        *,
        is_repeatable: bool = True,
    ) -> tuple[AnswerT, Route]:
        """Call the server with its access token; return the answer and the route.

        A route that fails is chosen anew once, and a token that the server refuses is
        renewed once. What is not repeatable is called again only where the first call
        has surely not arrived. Raises PlexError, TokenRejectedError where plex.tv itself
        rejects the account token, and NotClaimedError where the server belongs to nobody.
        """
        if self.is_unclaimed:
            await self.routing.server.require_claimed()
        try:
            return await self._call(call, is_repeatable=is_repeatable)
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

    async def check_transient_token(self, token: str) -> None:
        """Raise NotPermittedError if the server, just identified, refuses a token.

        What refuses the access token as well is not the server or says nothing of the
        token: that raises another PlexError.
        """
        try:
            await self.routing.server.check_token(token)
        except NotPermittedError:
            if not await self._takes_access_token():
                raise UnavailableError from None
            raise

    async def recheck_refused_token(self) -> None:
        """Find out whether the server takes the typed token that it refused."""
        if not self.token_refused:
            return
        try:
            await self._check_typed_token(self.target.token)
        except PlexError as err:
            _LOGGER.debug("The server still refuses its token: %s", err)

    async def _takes_access_token(self) -> bool:
        """Return whether the server takes its access token, renewed if need be."""
        try:
            await self.call(lambda server, token: server.check_token(token))
        except NotClaimedError:
            return True
        except PlexError:
            return False
        return True

    async def _call[AnswerT](
        self,
        call: Callable[[PlexServer, str], Awaitable[AnswerT]],
        *,
        is_repeatable: bool,
    ) -> tuple[AnswerT, Route]:
        """Call the server, by a new route if the one in use fails."""
        route = await self.routing.connect()
        try:
            answer = await self._call_with_token(call)
        except _OWN_WORDS:
            raise
        except _MAY_BE_A_PROXY_S as err:
            if await self.routing.is_confirmed(route):
                raise
            self.routing.give_up(route)
            if not is_repeatable and err.status not in _NOT_PASSED_ON:
                raise
        except (CannotConnectError, SecureConnectionRequiredError) as err:
            self.routing.give_up(route)
            if not is_repeatable and not isinstance(err, NotReachedError):
                raise
        else:
            self._set_token_refused(False)
            return answer, route
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
