"""Calls to a Plex Media Server, and addresses with a token in them."""

from typing import Final

from aiohttp import ClientTimeout
from yarl import URL

from .bodies import LARGEST_BODY, Json
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
from .fields import is_identifier, is_jwt
from .items import Item, first_part
from .models import Identity, Source, TransientToken, require_container
from .transport import PROBE_TIMEOUT, TIMEOUT, Socket, Transport

CLAIM_TIMEOUT: Final = ClientTimeout(total=60, connect=10, sock_connect=10)

# Any listed address may answer, and many at once: reading must not block everything else.
_LARGEST_IDENTITY: Final = 32 * 1024
_SOURCES: Final = frozenset({"server", "provider"})
_FIRST_VERSION_WITH_SOURCES: Final = (1, 15, 4)
_NO_SUCH_METHOD: Final = frozenset({404, 405, 501})
_TRANSIENT_TOKEN_PARAMS: Final = {"type": "delegation", "scope": "all"}
_FIRST_CHILDREN: Final = {
    "X-Plex-Container-Start": "0",
    "X-Plex-Container-Size": "20",
}


def supports_sources(version: str | None) -> bool:
    """Return whether a version supports sources, true if unknown (plex-api.md §4)."""
    try:
        numbers = tuple(int(part) for part in (version or "").split(".")[:3])
    except ValueError:
        return True
    return numbers >= _FIRST_VERSION_WITH_SOURCES


def is_source(text: str) -> bool:
    """Return whether a text is a source: server://<id> or provider://<id> (§4)."""
    kind, _, identifier = text.partition("://")
    return kind in _SOURCES and is_identifier(identifier)


def server_source(machine_identifier: str) -> str:
    """Return the source by which other servers know a server (§4)."""
    return f"server://{machine_identifier}"


def require_started(identity: Identity) -> Identity:
    """Return the identity; raise StartingUpError while the server starts (§6.1)."""
    if identity.start_state is not None:
        raise StartingUpError
    return identity


def require_claimed(identity: Identity) -> Identity:
    """Return the identity; raise NotClaimedError if the server is unclaimed (§17.1)."""
    if identity.claimed is False:
        raise NotClaimedError
    return identity


def _refuse_jwt(token: str) -> None:
    """Raise NotPermittedError for a Plex JWT: servers reject it (plex-api.md §8)."""
    if is_jwt(token):
        raise NotPermittedError


def playable(base: URL, path: URL, token: str) -> URL:
    """Return the URL of a path on a server, with the token in its query.

    It is for players, which send no headers. `path` may have a query of its own.
    """
    return (
        base.with_path(base.raw_path.rstrip("/") + path.raw_path, encoded=True)
        .with_query(path.query)
        .update_query({"X-Plex-Token": token})
    )


class PlexServer:
    """Calls to a server at one address.

    Each raises the errors of `Transport.request` and `server_error`. Those that are not
    sockets also raise SecureConnectionRequiredError if a plain http connection is closed
    unanswered.
    """

    def __init__(self, transport: Transport, url: URL) -> None:
        """Initialize with a transport and the server's base URL."""
        self.url = url
        self._transport = transport

    @property
    def is_proven(self) -> bool:
        """Return whether a valid certificate proves the identity of the host."""
        return self._transport.verify_ssl and self.url.scheme == "https"

    async def identity(self, expected: str | None = None) -> Identity:
        """Return the server's identity, without sending a token (§6.1).

        Raises WrongServerError if it is not the expected machine identifier.
        """
        identity = Identity.parse(
            await self._request(
                "GET",
                self.url / "identity",
                timeout=PROBE_TIMEOUT,
                largest=_LARGEST_IDENTITY,
            )
        )
        if expected is not None and identity.machine_identifier != expected:
            raise WrongServerError(identity.machine_identifier)
        return identity

    async def check_token(self, token: str) -> str | None:
        """Return the server's name if it accepts a token (plex-api.md §6.2).

        Raises NotPermittedError if not. On networks allowed without authorization, a
        server accepts any token (§6.4).
        """
        data = await self._request("GET", self.url / "", token=token)
        return require_container(data).line("friendlyName")

    async def try_token(self, token: str) -> str | None:
        """Return the server's name if it accepts a token.

        Raises NotPermittedError if not, or NotClaimedError if it accepts none.
        """
        try:
            return await self.check_token(token)
        except NotPermittedError:
            if await self._is_unclaimed():
                raise NotClaimedError from None
            raise

    async def claim(self, claim_token: str) -> None:
        """Claim an unclaimed server for the claim token's account (plex-api.md §17.3).

        The token works only in the query, without any other token. The response, which
        contains a permanent token, is not read (§19.1). Raises NotPermittedError if the
        server is claimed or does not trust our network. Never repeat it automatically:
        the claim may have succeeded even if the response is lost.
        """
        url = (self.url / "myplex/claim").with_query(token=claim_token)
        await self._request("POST", url, timeout=CLAIM_TIMEOUT, parse=False)

    async def transient_token(self, token: str) -> TransientToken:
        """Return a new transient token with the rights of a token (plex-api.md §3).

        POST is the documented method; older servers allow only GET (§12.1). Raises
        NotPermittedError if the server does not accept the token.
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
        """Return how to reach a source that the server knows (plex-api.md §4).

        `source` is `server://<id>` or `provider://<id>`; `refresh` skips the server's
        cache. Raises NotPermittedError unless the token is the owner's, and
        NotFoundError for an unknown source or a server older than 1.15.4.
        """
        url = (self.url / "security/resources").with_query(
            source=source, refresh="1" if refresh else "0"
        )
        return Source.parse(await self._request("GET", url, token=token))

    async def notifications(self, token: str) -> Socket:
        """Open the server's notification socket (plex-api.md §18.1).

        Raises NotPermittedError if the server refuses it, possibly to all but its
        owner, and an error with a status for any other response.
        """
        _refuse_jwt(token)
        # Messages are ignored, so subscribe to a rare kind only (§18.1).
        url = (self.url / ":/websockets/notifications").with_query(
            filters="reachability"
        )
        return await self._transport.open_socket(url, server_error, token=token)

    async def part(self, token: str, item: Item) -> URL | None:
        """Return the path of the first part of an item, or None if it has none.

        A season or an album has the parts of its children, a show or an artist none
        (plex-api.md §21.1). Raises NotFoundError for an unknown item.
        """
        url = self.url / item.path.removeprefix("/")
        for address in (url, (url / "children").with_query(_FIRST_CHILDREN)):
            path = first_part(await self._request("GET", address, token=token))
            if path is not None:
                return path
        return None

    async def _is_unclaimed(self) -> bool:
        """Return whether the server says that it is unclaimed, false without an answer."""
        try:
            return (await self.identity()).claimed is False
        except PlexError:
            return False

    async def _request(
        self,
        method: str,
        url: URL,
        *,
        token: str | None = None,
        timeout: ClientTimeout = TIMEOUT,
        parse: bool = True,
        largest: int = LARGEST_BODY,
    ) -> Json:
        """Send a request to a URL of the server; return its parsed body, or None."""
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
                largest=largest,
            )
        except ConnectionClosedError:
            if self.url.scheme != "http":
                raise
        raise SecureConnectionRequiredError
