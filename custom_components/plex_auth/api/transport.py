"""The one place that sends a request to Plex."""

import asyncio
from collections.abc import Mapping
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

from .bodies import Json, decode
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

LARGEST_BODY = 1024 * 1024
TIMEOUT = ClientTimeout(total=20, connect=10, sock_connect=10)
PROBE_TIMEOUT = ClientTimeout(total=5, connect=5, sock_connect=5)
HEARTBEAT = 30.0
"""Seconds until a socket is asked whether it is alive; it has half of them to answer."""

# Do not wait for the server's close frame.
_CLOSING = ClientWSTimeout(ws_close=0.0)


class ClientInfo(NamedTuple):
    """The client's name for Plex, which shows it in Authorized Devices (plex-api.md §10)."""

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
    """A socket whose messages are not read."""

    @property
    def is_silent(self) -> bool:
        """Return whether it was given up because the other side did not answer."""
        return isinstance(self.exception(), TimeoutError)

    async def drop_messages(self) -> None:
        """Drop the messages until the socket is closed, and answer its pings.

        However many there are, other work gets its turn between two of them.
        """
        async for message in self:
            if message.type is WSMsgType.PING:
                # If it is gone, the next receive says so.
                with suppress(ClientError, OSError):
                    await self.pong(message.data)
            await asyncio.sleep(0)


class Transport:
    """Send requests under one client's name through a session that keeps no cookies."""

    def __init__(
        self, session: ClientSession, client: ClientInfo, *, verify_ssl: bool = True
    ) -> None:
        """Take the session, which stays the caller's to close.

        `verify_ssl` says whether the session checks certificates.
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
    ) -> Json:
        """Send a request; return its parsed body, or None where `parse` is false.

        The token goes into a header and `form` into the body. No redirect is followed:
        the token must not travel to another host. Raises CannotConnectError or one of
        its kinds, the error that `failure_reader` reads from an answer that is no
        success, BadRequestError for what cannot be sent, TooLargeError for a body of
        more than LARGEST_BODY bytes and UnexpectedAnswerError for one that is neither
        JSON nor XML.
        """
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
                body = await _read(response)
        except (ClientError, TimeoutError, OSError, ValueError) as err:
            outcome = type(err).__name__
            error = _connection_error(err)
        else:
            outcome = str(response.status)
            if body is None:
                error = TooLargeError(status=response.status)
            elif not 200 <= response.status < 300:
                error = failure_reader(
                    Failure(response.status, response.headers.get("Retry-After"), body)
                )
        if _LOGGER.isEnabledFor(logging.DEBUG):
            _LOGGER.debug("%s %s: %s", method, _shown(url), outcome)
        if error is not None:
            # Out here it has no context: some of aiohttp's errors carry the headers.
            raise error
        assert body is not None
        return decode(body) if parse else None

    async def open_socket(
        self,
        url: URL,
        failure_reader: FailureReader,
        *,
        token: str,
        timeout: ClientTimeout = PROBE_TIMEOUT,
    ) -> Socket:
        """Open a socket, which takes messages of LARGEST_BODY bytes at most.

        The token goes into a header. Raises what `request` does; the body of an answer
        that is no socket is not read.
        """
        error: PlexError | None = None
        try:
            # ws_connect() takes neither a timeout nor a word against redirects.
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
            retry_after = err.headers.get("Retry-After") if err.headers else None
            error = failure_reader(Failure(err.status, retry_after, b""))
        except (ClientError, TimeoutError, OSError, ValueError) as err:
            outcome = type(err).__name__
            error = _connection_error(err)
        else:
            outcome = "open"
        _LOGGER.debug("Socket %s: %s", _shown(url), outcome)
        if error is not None:
            raise error
        assert isinstance(opened, Socket)
        return opened


async def _refuse_redirect(
    request: ClientRequest, handler: ClientHandlerType
) -> ClientResponse:
    """Send a request; raise for a redirect, which would be followed."""
    response = await handler(request)
    if 300 <= response.status < 400:
        response.close()
        raise WSServerHandshakeError(
            response.request_info, (), status=response.status, headers=response.headers
        )
    return response


async def _read(response: ClientResponse) -> bytes | None:
    """Read the body; return None if it has more than LARGEST_BODY bytes.

    No error is raised here: it would keep what was read for as long as it lives.
    """
    chunks: list[bytes] = []
    size = 0
    while chunk := await response.content.readany():
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST_BODY:
            response.close()
            return None
    return b"".join(chunks)


def _shown(url: URL) -> str:
    """Return the address for a log line: no user information and no query.

    In its encoded form it cannot break the line.
    """
    return f"{url.scheme}://{url.raw_host}:{url.port}{url.raw_path}"


def _connection_error(err: Exception) -> PlexError:
    """Return the error class that a failure to exchange data means."""
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
