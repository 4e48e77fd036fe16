"""Find a route to a server and call it with its access token."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
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
    UnprotectedOnlyError,
    WrongServerError,
)
from .intervals import Interval
from .models import Identity, Source
from .race import find_server, race
from .server import PlexServer, require_started, supports_sources
from .server_list import AccountServer
from .transport import Transport

_LOGGER = logging.getLogger(__name__)

# Every 15 minutes, less a margin for a poll that comes early.
_COMPARE_INTERVAL: Final = timedelta(minutes=14)

# Errors that only the server itself sends, the same at each of its addresses.
_FROM_SERVER: Final = (MaintenanceError, StartingUpError)
# Errors that a proxy could send too. A confirmed identity rules that out.
_MAY_BE_FROM_PROXY: Final = (RateLimitedError, UnavailableError)
# Statuses that prove the request was not forwarded.
_NOT_FORWARDED: Final = frozenset({404, 410, 429})


class Routing:
    """The route to a server: the first address that answers, as long as it does."""

    def __init__(self, transport: Transport, target: AccountServer) -> None:
        """Initialize for a server, without any request."""
        self.route: Route | None = None
        self.identity: Identity | None = None
        self.failures: dict[Route, PlexError] = {}
        self._last_route: Route | None = None
        self._transport = transport
        self._target = target
        self._comparison = Interval(_COMPARE_INTERVAL)
        self._lock = asyncio.Lock()

    @property
    def is_unclaimed(self) -> bool:
        """Return whether the server last said that it is not claimed."""
        return self.identity is not None and self.identity.claimed is False

    def at(self, url: URL) -> PlexServer:
        """Return the server at an address."""
        return PlexServer(self._transport, url)

    async def identify(self) -> tuple[Identity, Route]:
        """Return the identity and route for a poll, choosing a new route if needed.

        A route below the best rank is replaced when a better one answers again.
        """
        if (route := self._current()) is not None:
            try:
                identity = await self._identity(route)
            except _FROM_SERVER:
                raise
            except PlexError as err:
                _LOGGER.debug("Choosing a new route: %s", err)
                self.give_up(route)
            else:
                self._use(route, identity)
                return await self._improve(identity, route)
        async with self._lock:
            return await self._choose(now=False)

    async def connect(self) -> Route:
        """Return a working route for an action that sends a token.

        Raises UnavailableError if an address has no identity: a NotFoundError would be
        taken for a missing resource. Raises NotClaimedError after the server said that
        it is unclaimed, until its identity says otherwise.
        """
        try:
            route = await self._verified()
        except NotFoundError as err:
            raise UnavailableError(status=err.status) from err
        if self.is_unclaimed:
            raise NotClaimedError
        return route

    async def require_claimed(self, route: Route) -> None:
        """Raise NotClaimedError if the server says that it is unclaimed (§6.1).

        Raises StartingUpError and WrongServerError; another failure is no answer.
        """
        try:
            self._note(await self._identity(route))
        except StartingUpError, WrongServerError:
            raise
        except PlexError as err:
            _LOGGER.debug("Could not check whether the server is claimed: %s", err)
        if self.is_unclaimed:
            raise NotClaimedError

    def for_token(self, route: Route) -> PlexServer:
        """Return the server on a route, to send a token there now.

        Raises NotClaimedError if the server said meanwhile that it is unclaimed, and
        NotReachedError if the route was given up.
        """
        if self.is_unclaimed:
            raise NotClaimedError
        if route != self.route:
            raise NotReachedError
        return self.at(route.url)

    async def is_confirmed(self, route: Route) -> bool:
        """Return whether the server itself answers on the route in use."""
        try:
            await self._identity(route)
        except _FROM_SERVER:
            return True
        except PlexError:
            return False
        return True

    def give_up(self, route: Route) -> None:
        """Stop using a route that has failed."""
        if self.route == route:
            self.route = None

    def _current(self) -> Route | None:
        """Return the route in use, unless it is no longer one of the server's routes."""
        if not any(self.route in rank for rank in self._target.ranks):
            self.route = None
        return self.route

    async def _verified(self) -> Route:
        """Return the route in use, or a new one if it fails.

        Without a valid certificate, the identity is checked again, because another
        machine may have the address now. So is that of an unclaimed server.
        """
        if (route := self._current()) is not None:
            if self.at(route.url).is_proven and not self.is_unclaimed:
                return route
            try:
                identity = await self._identity(route)
            except _FROM_SERVER:
                raise
            except PlexError:
                self.give_up(route)
            else:
                self._use(route, identity)
                return route
        async with self._lock:
            if (route := self._current()) is None:
                _, route = await self._choose(now=True)
        return route

    async def _choose(self, *, now: bool) -> tuple[Identity, Route]:
        """Choose a route; if none answers, ask plex.tv for the current addresses."""
        result = await race(self._target.ranks, self._identity)
        if result.winner is None and await self._target.relocate(now=now):
            result = await race(self._target.ranks, self._identity)
        self.failures = result.failures
        if result.winner is None:
            if not result.failures and self._target.unused:
                raise UnprotectedOnlyError
            raise result.error_after(self._last_route)
        self._comparison.begin()
        route, identity = result.winner
        self._use(route, identity)
        return identity, route

    async def _improve(
        self, identity: Identity, route: Route
    ) -> tuple[Identity, Route]:
        """Look for a better route if a check is due; return the route to use."""
        ranks = self._target.better_ranks(route)
        if not ranks or not self._comparison.is_over:
            return identity, route
        self._comparison.begin()
        result = await race(ranks, self._identity)
        self.failures = result.failures
        if result.winner is not None:
            route, identity = result.winner
            self._use(route, identity)
        return identity, route

    def _use(self, route: Route, identity: Identity) -> None:
        """Use a route on which the server has just been identified."""
        self.route = self._last_route = route
        self._note(identity)

    def _note(self, identity: Identity) -> None:
        """Note what the server reports about itself, unless it is still starting."""
        if identity.start_state is not None:
            return
        if identity.claimed is None and self.identity is not None:
            identity = replace(identity, claimed=self.identity.claimed)
        self.identity = identity

    async def _identity(self, route: Route) -> Identity:
        """Return the identity on a route, without sending a token.

        Raises WrongServerError if another server answers, and StartingUpError if the
        server says while it starts up that it is unclaimed: it gets no token either.
        """
        identity = await self.at(route.url).identity(self._target.machine_identifier)
        return require_started(identity) if identity.claimed is False else identity


class ServerAccess:
    """A server, reached on its best route and called with its access token."""

    def __init__(
        self,
        transport: Transport,
        target: AccountServer,
        on_news: Callable[[], None] = lambda: None,
    ) -> None:
        """Initialize; `on_news` is called when `token_refused` changes.

        It is also called when a call finds that the server is not claimed.
        """
        self.target = target
        self.routing = Routing(transport, target)
        self.token_refused: bool | None = None
        """Whether the server refuses the typed token, None until one was tried."""
        self._verifies = transport.verify_ssl
        self._on_news = on_news

    @property
    def typed(self) -> tuple[URL | None, str | None, bool]:
        """Return the typed address and token, and whether certificates are checked."""
        return self.target.url, self.target.typed_token, self._verifies

    @property
    def failures(self) -> dict[Route, PlexError]:
        """Return the errors of the routes that were tried last."""
        return self.routing.failures

    @property
    def identity(self) -> Identity | None:
        """Return the identity that the server last reported, None before the first."""
        return self.routing.identity

    @property
    def is_unclaimed(self) -> bool:
        """Return whether the server last reported that it is not claimed (§17.1)."""
        return self.routing.is_unclaimed

    @property
    def version(self) -> str | None:
        """Return the version last reported by the server, or else by plex.tv."""
        if self.identity is not None and self.identity.version is not None:
            return self.identity.version
        listed = self.target.listed
        return listed.product_version if listed is not None else None

    def at(self, url: URL) -> PlexServer:
        """Return the server at an address."""
        return self.routing.at(url)

    async def identify(self) -> tuple[Identity, Route]:
        """Return the identity and route; raise StartingUpError until it is ready."""
        identity, route = await self.routing.identify()
        return require_started(identity), route

    async def call[AnswerT](
        self,
        call: Callable[[PlexServer, str], Awaitable[AnswerT]],
        *,
        is_repeatable: bool = True,
    ) -> tuple[AnswerT, Route]:
        """Call the server with its access token; return the answer and the route.

        A failed route is replaced once and a refused token is renewed once. A call that
        is not repeatable is retried only if it certainly did not arrive. Raises
        PlexError, TokenRejectedError if plex.tv itself rejects the account token, and
        NotClaimedError if the server is not claimed.
        """
        try:
            return await self._call(call, is_repeatable=is_repeatable)
        except NotClaimedError:
            self._on_news()
            raise

    async def _call[AnswerT](
        self,
        call: Callable[[PlexServer, str], Awaitable[AnswerT]],
        *,
        is_repeatable: bool,
    ) -> tuple[AnswerT, Route]:
        """Call the server on its route, or once on another one."""
        route = await self.routing.connect()
        try:
            return await self._call_on(route, call), route
        except _FROM_SERVER:
            raise
        except _MAY_BE_FROM_PROXY as err:
            if await self.routing.is_confirmed(route):
                raise
            self.routing.give_up(route)
            if not is_repeatable and err.status not in _NOT_FORWARDED:
                raise
        except (CannotConnectError, SecureConnectionRequiredError) as err:
            self.routing.give_up(route)
            if not is_repeatable and not isinstance(err, NotReachedError):
                raise
        route = await self.routing.connect()
        return await self._call_on(route, call), route

    async def source(
        self, source: str, *, refresh: bool = False
    ) -> tuple[Source, Route]:
        """Return how to reach a source, and the route to the server.

        Raises the errors of `call`, NotFoundError for an unknown source and, without a
        request, NotOwnerError and ServerTooOldError.
        """
        listed = self.target.listed
        if listed is not None and not listed.owned:
            raise NotOwnerError
        if not supports_sources(self.version):
            raise ServerTooOldError
        return await self.call(
            partial(
                PlexServer.source_connection_information, source=source, refresh=refresh
            )
        )

    async def is_found_elsewhere(self) -> bool:
        """Return whether the server answers at a listed address, not the typed one.

        No token is sent. plex.tv is asked for the current addresses, at a limited rate.
        """
        await self.target.renew(now=False)
        found = await find_server(
            self.target.known.ranks, self.at, self.target.machine_identifier
        )
        return found.winner is not None

    async def check_token(self, token: str) -> None:
        """Raise NotPermittedError unless the server accepts a token.

        Raises NotClaimedError, before the token is sent, if the server is not claimed.
        """
        route = await self.routing.connect()
        await self.routing.require_claimed(route)
        await self.routing.for_token(route).check_token(token)

    async def check_transient_token(self, route: Route, token: str) -> None:
        """Raise NotPermittedError if the server, just identified, refuses a token.

        If the access token is refused too, or the server said meanwhile that it is
        unclaimed, that proves nothing about the token: raises another PlexError.
        """
        if self.is_unclaimed:
            raise UnavailableError
        try:
            await self.routing.for_token(route).check_token(token)
        except NotPermittedError:
            if not await self._takes_access_token():
                raise UnavailableError from None
            raise

    async def recheck_refused_token(self, route: Route) -> None:
        """Check a typed token that the server has refused or not been sent yet."""
        if self.target.typed_token is None or self.token_refused is False:
            return
        try:
            await self._check_typed_token(route, self.target.token)
        except PlexError as err:
            _LOGGER.debug("The server still refuses its token: %s", err)

    async def _takes_access_token(self) -> bool:
        """Return whether the server accepts its access token, or is not claimed.

        An unclaimed server refuses every token, so a refusal says nothing about it.
        """
        try:
            await self.call(PlexServer.check_token)
        except NotClaimedError:
            return True
        except PlexError:
            return False
        return True

    async def _call_on[AnswerT](
        self, route: Route, call: Callable[[PlexServer, str], Awaitable[AnswerT]]
    ) -> AnswerT:
        """Call the server on a route.

        Raises NotClaimedError if the server refuses a token because it is not claimed.
        """
        try:
            answer = await self._call_with_token(route, call)
        except NotClaimedError:
            raise
        except NotPermittedError:
            await self.routing.require_claimed(route)
            raise
        self._set_token_refused(False)
        return answer

    async def _call_with_token[AnswerT](
        self,
        route: Route,
        call: Callable[[PlexServer, str], Awaitable[AnswerT]],
    ) -> AnswerT:
        """Call the server with its access token, renewed once if refused."""
        server, token = self.routing.for_token(route), self.target.token
        try:
            return await call(server, token)
        except NotPermittedError:
            if self.target.typed_token is not None:
                await self._check_typed_token(route, token)
                raise
            token = await self.target.renewed_token(token)
        # Renewing takes a while, and a poll may have updated the server meanwhile.
        return await call(self.routing.for_token(route), token)

    async def _check_typed_token(self, route: Route, token: str) -> None:
        """Check whether the server refuses the token itself or only the request."""
        server = self.routing.for_token(route)
        try:
            await server.check_token(token)
        except NotPermittedError:
            await self.routing.require_claimed(route)
            self._set_token_refused(True)
            raise
        self._set_token_refused(False)

    def _set_token_refused(self, refused: bool) -> None:
        """Update whether the server refuses the typed token, and report a change."""
        if self.token_refused != refused:
            self.token_refused = refused
            self._on_news()
