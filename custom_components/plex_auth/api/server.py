"""The calls to one Plex Media Server, and the address with a token in it."""

import re
from typing import Final

from aiohttp import ClientTimeout
from yarl import URL

from .bodies import Json
from .errors import (
    ConnectionClosedError,
    NotClaimedError,
    NotPermittedError,
    PlexError,
    SecureConnectionRequiredError,
    StartingUpError,
    WrongServerError,
)
from .failures import server_error
from .fields import is_jwt
from .items import Item, first_part
from .models import Identity, Source, TransientToken, require_container
from .transport import PROBE_TIMEOUT, TIMEOUT, Socket, Transport

CLAIM_TIMEOUT: Final = ClientTimeout(total=60, connect=10, sock_connect=10)

_SOURCE: Final = re.compile(r"(server|provider)://[!-~]+")
_FIRST_VERSION_WITH_SOURCES: Final = (1, 15, 4)
_NO_SUCH_METHOD: Final = frozenset({404, 405, 501})
_TRANSIENT_TOKEN_PARAMS: Final = {"type": "delegation", "scope": "all"}
_FIRST_CHILDREN: Final = {
    "X-Plex-Container-Start": "0",
    "X-Plex-Container-Size": "20",
}


def supports_sources(version: str | None) -> bool:
    """Return whether a server of this version knows sources (plex-api.md §4).

    A version that is not known or not understood is given the benefit of the doubt.
    """
    try:
        numbers = tuple(int(part) for part in (version or "").split(".")[:3])
    except ValueError:
        return True
    return numbers >= _FIRST_VERSION_WITH_SOURCES


def is_source(text: str) -> bool:
    """Return whether a text names a source: server://<id> or provider://<id> (§4)."""
    return _SOURCE.fullmatch(text) is not None


def server_source(machine_identifier: str) -> str:
    """Return the source that a server is to other servers (§4)."""
    return f"server://{machine_identifier}"


def require_started(identity: Identity) -> Identity:
    """Return who answers; raise StartingUpError while the server boots (§6.1)."""
    if identity.start_state is not None:
        raise StartingUpError
    return identity


def _refuse_jwt(token: str) -> None:
    """Raise NotPermittedError for a Plex JWT, which is never sent to a server.

    All servers say 401 to it (plex-api.md §8).
    """
    if is_jwt(token):
        raise NotPermittedError


def playable(base: URL, path: URL, token: str) -> URL:
    """Return an address with the token in it, for players that send no headers.

    `path` is a path on the server at `base`, with a query or without.
    """
    return (
        base.with_path(base.raw_path.rstrip("/") + path.raw_path, encoded=True)
        .with_query(path.query)
        .update_query({"X-Plex-Token": token})
    )


class PlexServer:
    """Call one server at one address.

    Every method raises the errors of `Transport.request` and `server_error`, and
    SecureConnectionRequiredError where a plain http connection was closed unanswered.
    """

    def __init__(self, transport: Transport, url: URL) -> None:
        """Take the server's base address."""
        self.url = url
        self._transport = transport

    @property
    def is_proven(self) -> bool:
        """Return whether a valid certificate proves who answers at the address."""
        return self.verifies and self.url.scheme == "https"

    @property
    def verifies(self) -> bool:
        """Return whether certificates are checked."""
        return self._transport.verify_ssl

    async def identity(self, expected: str | None = None) -> Identity:
        """Return who answers at the address, without showing a token (§6.1).

        Raises WrongServerError when it is not the expected machine identifier.
        """
        identity = Identity.parse(
            await self._request("GET", self.url / "identity", timeout=PROBE_TIMEOUT)
        )
        if expected is not None and identity.machine_identifier != expected:
            raise WrongServerError
        return identity

    async def check_token(self, token: str) -> str | None:
        """Return the server's name, if it takes a token (plex-api.md §6.2).

        Raises NotPermittedError if it does not. A server with networks that need no
        token takes every one (§6.4).
        """
        data = await self._request("GET", self.url / "", token=token)
        return require_container(data).text("friendlyName")

    async def try_token(self, token: str) -> str | None:
        """Return the server's name, if it takes a token, else find out why it does not.

        Raises NotPermittedError for a bad token and NotClaimedError where none is good.
        """
        try:
            return await self.check_token(token)
        except NotPermittedError:
            await self.require_claimed()
            raise

    async def require_claimed(self) -> None:
        """Raise NotClaimedError where the server says that it belongs to nobody.

        It takes no token at all then (plex-api.md §6.1).
        """
        try:
            identity = await self.identity()
        except PlexError:
            return
        if identity.claimed is False:
            raise NotClaimedError

    async def claim(self, claim_token: str) -> None:
        """Let a server of nobody belong to whose claim token it is (plex-api.md §17.3).

        It goes into the query, where alone it works, and no other token with it. What
        the server answers holds a permanent token and is not looked at (§19.1). Raises
        NotPermittedError where the server is claimed, or does not trust our network.
        Never repeat it by yourself: one whose answer is lost may have come about.
        """
        url = (self.url / "myplex/claim").with_query(token=claim_token)
        await self._request("POST", url, timeout=CLAIM_TIMEOUT, parse=False)

    async def transient_token(self, token: str) -> TransientToken:
        """Return a new transient token with the rights of a token (plex-api.md §3).

        POST is the documented way, GET that of older servers (§12.1), which refuse POST.
        Raises NotPermittedError when the server does not take the token.
        """
        url = (self.url / "security/token").with_query(_TRANSIENT_TOKEN_PARAMS)

        async def issue(method: str) -> TransientToken:
            return TransientToken.parse(await self._request(method, url, token=token))

        try:
            return await issue("POST")
        except PlexError as err:
            if err.status not in _NO_SUCH_METHOD:
                raise
        return await issue("GET")

    async def source_connection_information(
        self, token: str, source: str, *, refresh: bool = False
    ) -> Source:
        """Return how a source that the server knows can be reached (plex-api.md §4).

        `source` is `server://<id>` or `provider://<id>`; `refresh` makes the server ask
        anew. Raises NotPermittedError for everybody but the server's owner and
        NotFoundError for an unknown source or a server older than 1.15.4.
        """
        url = (self.url / "security/resources").with_query(
            source=source, refresh="1" if refresh else "0"
        )
        return Source.parse(await self._request("GET", url, token=token))

    async def notifications(self, token: str) -> Socket:
        """Open the server's notification socket (plex-api.md §18.1).

        Raises NotPermittedError where the server refuses it, perhaps to all but its
        owner, and with a status any error for an answer that is no socket.
        """
        _refuse_jwt(token)
        # The messages are dropped: a filter asks for a rare kind only (§18.1).
        url = (self.url / ":/websockets/notifications").with_query(
            filters="reachability"
        )
        return await self._transport.open_socket(url, server_error, token=token)

    async def part(self, token: str, item: Item) -> URL | None:
        """Return the path of the first part that plays an item, None where none does.

        A season or an album is played by what belongs to it, a show or an artist by
        nothing (plex-api.md §21.1). Raises NotFoundError for an item that is not there.
        """
        url = self.url / item.path.removeprefix("/")
        for address in (url, (url / "children").with_query(_FIRST_CHILDREN)):
            path = first_part(await self._request("GET", address, token=token))
            if path is not None:
                return path
        return None

    async def _request(
        self,
        method: str,
        url: URL,
        *,
        token: str | None = None,
        timeout: ClientTimeout = TIMEOUT,
        parse: bool = True,
    ) -> Json:
        """Send a request to an address of the server; return its parsed body, if asked to."""
        if token is not None:
            _refuse_jwt(token)
        try:
            return await self._transport.request(
                method,
                url,
                server_error,
                token=token,
                timeout=timeout,
                parse=parse,
            )
        except ConnectionClosedError:
            if self.url.scheme != "http":
                raise
        raise SecureConnectionRequiredError
