"""The only module that sends requests to Plex."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
import logging
from typing import Any, NamedTuple

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientHandlerType,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    ClientWebSocketResponse,
    ClientWSTimeout,
    DummyCookieJar,
    ServerDisconnectedError,
    WSMsgType,
    WSServerHandshakeError,
)
from yarl import URL

from .bodies import LARGEST_BODY, Json, decode
from .errors import (
    BadRequestError,
    CannotConnectError,
    CertificateError,
    ConnectionClosedError,
    ConnectionTimeoutError,
    DnsError,
    NotReachedError,
    PlexError,
    TooLargeError,
    UnexpectedAnswerError,
)
from .failures import Failure, FailureReader

_LOGGER = logging.getLogger(__name__)

LARGEST_LIST = 8 * 1024 * 1024
# Reading more than this takes longer than the event loop should wait.
_LARGEST_READ_AT_ONCE = 256 * 1024
TIMEOUT = ClientTimeout(total=20, connect=10, sock_connect=10)
PROBE_TIMEOUT = ClientTimeout(total=5, connect=5, sock_connect=5)
HEARTBEAT = 30.0
"""Seconds between pings of a socket, which has half of them to respond."""

# Do not wait for the server's close frame.
_CLOSING = ClientWSTimeout(ws_close=0.0)


class ClientInfo(NamedTuple):
    """The client's details, shown in Plex's Authorized Devices (plex-api.md §10)."""

    client_identifier: str
    product: str
    version: str
    platform: str
    platform_version: str
    device: str
    device_name: str

    def headers(self) -> dict[str, str]:
        """Return the headers that every request carries."""
        return {
            "Accept": "application/json",
            "X-Plex-Client-Identifier": self.client_identifier,
            "X-Plex-Product": self.product,
            "X-Plex-Version": self.version,
            "X-Plex-Platform": self.platform,
            "X-Plex-Platform-Version": self.platform_version,
            "X-Plex-Device": self.device,
            "X-Plex-Device-Name": self.device_name,
        }


class Socket(ClientWebSocketResponse[Any]):
    """A socket that ignores its messages."""

    @property
    def is_silent(self) -> bool:
        """Return whether the socket was closed because a ping was not answered."""
        return isinstance(self.exception(), TimeoutError)

    async def drop_messages(self) -> None:
        """Drop messages and answer pings until the socket is closed.

        Other tasks get a turn after each message.
        """
        async for message in self:
            if message.type is WSMsgType.PING:
                # If it is gone, the next receive says so.
                with suppress(ClientError, OSError):
                    await self.pong(message.data)
            await asyncio.sleep(0)


class Transport:
    """Send a client's requests through a session that keeps no cookies."""

    def __init__(
        self, session: ClientSession, client: ClientInfo, *, verify_ssl: bool = True
    ) -> None:
        """Initialize with a session, which the caller closes.

        `verify_ssl` is whether the session verifies certificates.
        """
        self.verify_ssl = verify_ssl
        self._session = session
        self._headers = client.headers()

    async def request(
        self,
        method: str,
        url: URL,
        failure_reader: FailureReader,
        *,
        token: str | None = None,
        form: Mapping[str, str] | None = None,
        timeout: ClientTimeout = TIMEOUT,
        parse: bool = True,
        largest: int = LARGEST_BODY,
    ) -> Json:
        """Send a request; return its parsed body, or None if `parse` is false.

        The token goes into a header, `form` into the body. Redirects are not followed,
        so the token never reaches another host. Raises CannotConnectError or a
        subclass, the error of `failure_reader` for an unsuccessful response,
        BadRequestError if the request cannot be sent, TooLargeError for a body over
        `largest` bytes and UnexpectedAnswerError for one that is not JSON or XML.
        """
        body = await self._send(
            method,
            url,
            failure_reader,
            token=token,
            form=form,
            timeout=timeout,
            largest=largest,
        )
        return decode(body) if parse else None

    async def get_list[ItemsT](
        self,
        url: URL,
        failure_reader: FailureReader,
        parse: Callable[[bytes], ItemsT],
        *,
        token: str,
    ) -> ItemsT:
        """Return a list of up to LARGEST_LIST bytes as `parse` reads it.

        A long one is read in a thread, where `parse` has to let others have their turn.
        Raises the errors of `request` and `parse`.
        """
        body = await self._send(
            "GET", url, failure_reader, token=token, largest=LARGEST_LIST
        )
        if len(body) <= _LARGEST_READ_AT_ONCE:
            return parse(body)
        return await asyncio.to_thread(parse, body)

    async def _send(
        self,
        method: str,
        url: URL,
        failure_reader: FailureReader,
        *,
        token: str | None,
        form: Mapping[str, str] | None = None,
        timeout: ClientTimeout = TIMEOUT,
        largest: int = LARGEST_BODY,
    ) -> bytes:
        """Send a request; return the body of a success, of `largest` bytes at most."""
        body: bytes | None = None
        error: PlexError | None = None
        headers = self._headers
        if token is not None:
            headers = {**headers, "X-Plex-Token": token}
        try:
            async with self._session.request(
                method,
                url,
                data=form,
                headers=headers,
                allow_redirects=False,
                timeout=timeout,
            ) as response:
                body = await _read(
                    response, largest if response.ok else min(largest, LARGEST_BODY)
                )
        except (ClientError, TimeoutError, OSError, ValueError) as err:
            outcome = type(err).__name__
            error = _connection_error(err)
        else:
            outcome = str(response.status)
            if not 200 <= response.status < 300:
                error = failure_reader(
                    Failure(
                        response.status,
                        response.headers.get("Retry-After"),
                        body or b"",
                        # With a token in the request, it may be in the address, too.
                        _redirect_origin(response) if token is None else None,
                        response.headers.get("Date"),
                    )
                )
            elif body is None:
                error = TooLargeError(status=response.status)
        if _LOGGER.isEnabledFor(logging.DEBUG):
            _LOGGER.debug("%s %s: %s", method, _redacted(url), outcome)
        if error is not None:
            # Raised outside `except`: some of aiohttp's errors contain the headers.
            raise error
        assert body is not None
        return body

    async def open_socket(
        self,
        url: URL,
        failure_reader: FailureReader,
        *,
        token: str,
        timeout: ClientTimeout = PROBE_TIMEOUT,
    ) -> Socket:
        """Open a socket for messages of up to LARGEST_BODY bytes.

        The token goes into a header. Raises the errors of `request`, without reading
        the body of an unsuccessful response.
        """
        error: PlexError | None = None
        try:
            # ws_connect() has no options for the timeout and redirects.
            async with ClientSession(
                connector=self._session.connector,
                connector_owner=False,
                cookie_jar=DummyCookieJar(),
                headers=self._session.headers,
                timeout=timeout,
                middlewares=(_refuse_redirect,),
                ws_response_class=Socket,
            ) as session:
                opened = await session.ws_connect(
                    url,
                    headers={**self._headers, "X-Plex-Token": token},
                    heartbeat=HEARTBEAT,
                    autoping=False,
                    timeout=_CLOSING,
                    max_msg_size=LARGEST_BODY,
                    decode_text=False,
                )
        except WSServerHandshakeError as err:
            outcome = str(err.status)
            headers: Mapping[str, str] = err.headers or {}
            error = failure_reader(
                Failure(
                    err.status,
                    headers.get("Retry-After"),
                    b"",
                    date=headers.get("Date"),
                )
            )
        except (ClientError, TimeoutError, OSError, ValueError) as err:
            outcome = type(err).__name__
            error = _connection_error(err)
        else:
            outcome = "open"
        _LOGGER.debug("Socket %s: %s", _redacted(url), outcome)
        if error is not None:
            raise error
        assert isinstance(opened, Socket)
        return opened


async def _refuse_redirect(
    request: ClientRequest, handler: ClientHandlerType
) -> ClientResponse:
    """Send a request; raise WSServerHandshakeError for a redirect."""
    response = await handler(request)
    if 300 <= response.status < 400:
        response.close()
        raise WSServerHandshakeError(
            response.request_info, (), status=response.status, headers=response.headers
        )
    return response


async def _read(response: ClientResponse, largest: int) -> bytes | None:
    """Return the body, or None if it has more than `largest` bytes.

    An exception raised here would keep the partial body in memory.
    """
    chunks: list[bytes] = []
    size = 0
    while chunk := await response.content.readany():
        chunks.append(chunk)
        size += len(chunk)
        if size > largest:
            response.close()
            return None
    return b"".join(chunks)


def _redirect_origin(response: ClientResponse) -> URL | None:
    """Return the scheme, host and port to which a redirect leads, if it is one."""
    try:
        return response.url.join(URL(response.headers["Location"])).origin()
    except LookupError, ValueError:
        return None


def _redacted(url: URL) -> str:
    """Return a URL for the log: encoded, without user information and query."""
    return f"{url.scheme}://{url.raw_host}:{url.port}{url.raw_path}"


def _connection_error(err: Exception) -> PlexError:
    """Return the error for a failed connection."""
    match err:
        case TimeoutError():
            return ConnectionTimeoutError()
        case ClientConnectorDNSError():
            return DnsError()
        case ClientConnectorCertificateError():
            return CertificateError()
        case ClientSSLError() | ClientConnectorError():
            return NotReachedError()
        case ServerDisconnectedError() | ClientOSError():
            return ConnectionClosedError()
        case ClientResponseError():
            return UnexpectedAnswerError()
        case ValueError():
            return BadRequestError()
        case _:
            return CannotConnectError()
