"""A server called with the tokens of a Home user instead of the account's."""

from collections.abc import Awaitable, Callable, Mapping
from copy import copy
import logging
from typing import override

from .errors import NotPermittedError, PlexError, TokenRejectedError
from .server_access import ServerAccess
from .server_list import AccountServer

_LOGGER = logging.getLogger(__name__)


class HomeUserServer(AccountServer):
    """A server at the addresses of an account, with the token of a Home user's own row.

    A server refuses the token of the switch, which is for plex.tv (plex-api.md §22.2).
    """

    def __init__(
        self,
        server: AccountServer,
        tokens: Callable[[], Mapping[str, str]],
        renew: Callable[[], Awaitable[object]],
    ) -> None:
        """Initialize for a server of the account.

        `tokens` returns the user's tokens by machine identifier. `renew` asks plex.tv
        for them, and raises PlexError.
        """
        super().__init__(
            server.servers,
            server.machine_identifier,
            lambda: server.known,
            url=server.url,
        )
        self._tokens = tokens
        self._renew = renew

    @property
    @override
    def token(self) -> str:
        """Return the user's token; raise NotPermittedError without one."""
        token = self._tokens().get(self.machine_identifier)
        if token is None:
            raise NotPermittedError
        return token

    @override
    async def renewed_token(self, refused: str) -> str:
        """Return a listed token other than the one that the server refused.

        Raises TokenRejectedError if plex.tv rejects the user's token, and
        NotPermittedError if there is no other token.
        """
        try:
            await self._renew()
        except TokenRejectedError:
            raise
        except PlexError as err:
            _LOGGER.debug("Could not get the Home user's servers from plex.tv: %s", err)
        token = self.token
        if token == refused:
            raise NotPermittedError
        return token


def access_as(access: ServerAccess, server: HomeUserServer) -> ServerAccess:
    """Return access to a server on the same route, with the tokens of a Home user."""
    same = copy(access)
    same.target, same.token_refused = server, False
    return same
