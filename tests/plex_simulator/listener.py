"""One port that answers both plain HTTP and TLS, as a Plex Media Server does."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
import socket
import ssl
import struct
from weakref import WeakKeyDictionary

_TLS_HANDSHAKE = b"\x16"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_HANDSHAKE_SECONDS = 10
_TLS_SHUTDOWN_SECONDS = 1


def cut(transport: asyncio.Transport | None) -> None:
    """Reset the connection of `transport` at once; the other side sees a TCP reset."""
    if transport is not None and not transport.is_closing():
        _reset_on_close(transport.get_extra_info("socket"))
        transport.abort()


def _reset_on_close(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


class Listener:
    """Accept connections on one port, and hand each to HTTP, through TLS or not.

    The first byte of a connection decides: a TLS handshake starts with 0x16, a
    plain HTTP request with a letter. Clients build `http://address:port` from a
    listed https connection (plex-api.md §5.1), so both have to live here.
    """

    def __init__(
        self,
        way: str,
        host: str,
        port: int,
        *,
        protocol: Callable[[], asyncio.Protocol],
        tls: Callable[[], ssl.SSLContext | None],
        allows_plain: Callable[[], bool],
    ) -> None:
        """Describe the listener; nothing is opened yet.

        `way` names it in records, `port` 0 means any free one, `tls` and
        `allows_plain` are asked at each connection.
        """
        self.way = way
        self.host = host
        self.port = port
        self.is_enabled = True
        self.is_silent = False
        self._protocol = protocol
        self._tls = tls
        self._allows_plain = allows_plain
        self._socket: socket.socket | None = None
        self._reserved: socket.socket | None = None
        self._unread: set[socket.socket] = set()
        self._attaching: set[asyncio.Task[None]] = set()
        self._connections: WeakKeyDictionary[asyncio.Transport, socket.socket] = (
            WeakKeyDictionary()
        )

    @property
    def is_open(self) -> bool:
        """Return whether the port is listening."""
        return self._socket is not None

    def open(self) -> None:
        """Bind the port and start to accept.

        A free port that was picked is kept for the next time.
        """
        if self._reserved is None:
            self._reserved = self._bound(self.port)
            self.port = self._reserved.getsockname()[1]
        listening = self._bound(self.port)
        listening.listen(512)
        self._socket = listening
        asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    async def close(self) -> None:
        """Stop listening and reset every connection that is open.

        The port stays reserved: else a client's connection could get it in between.
        """
        loop = asyncio.get_running_loop()
        if self._socket is not None:
            loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        for connection in self._unread:
            loop.remove_reader(connection)
            connection.close()
        self._unread.clear()
        for task in self._attaching:
            task.cancel()
        if self._attaching:
            await asyncio.wait(self._attaching)
        self.cut_connections()

    def release(self) -> None:
        """Give the port of a closed listener back; the next `open` binds it anew."""
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None

    def fall_silent(self) -> None:
        """Read nothing any more, neither what is open nor what comes; close nothing."""
        self.is_silent = True
        for transport in self._connections:
            if not transport.is_closing():
                transport.pause_reading()

    def cut_connections(self) -> None:
        """Reset every connection that is open, and go on listening."""
        for transport, connection in list(self._connections.items()):
            if not transport.is_closing():
                cut(transport)
            elif connection.fileno() >= 0:
                # TLS that is being closed waits for the other side, and cannot be aborted.
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _bound(self, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setblocking(False)
            # Lets the listening socket have the port that is reserved.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self.host, port))
        except OSError:
            bound.close()
            raise
        return bound

    def _accept(self, listening: socket.socket) -> None:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        connection.setblocking(False)
        self._unread.add(connection)
        if self.is_silent:
            return
        asyncio.get_running_loop().add_reader(connection, self._sniff, connection)

    def _sniff(self, connection: socket.socket) -> None:
        try:
            first = connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            first = b""
        loop = asyncio.get_running_loop()
        loop.remove_reader(connection)
        self._unread.discard(connection)
        if first == _TLS_HANDSHAKE:
            self._attach(connection, self._tls())
        elif first and self._allows_plain():
            self._attach(connection, None)
        else:
            _reset_on_close(connection)
            connection.close()

    def _attach(self, connection: socket.socket, tls: ssl.SSLContext | None) -> None:
        # Started at once: a task that is cancelled before it begins would leak the socket.
        task = asyncio.create_task(self._connect(connection, tls), eager_start=True)
        if not task.done():
            self._attaching.add(task)
            task.add_done_callback(self._attaching.discard)

    async def _connect(
        self, connection: socket.socket, tls: ssl.SSLContext | None
    ) -> None:
        secured = (
            {}
            if tls is None
            else {
                "ssl_handshake_timeout": _HANDSHAKE_SECONDS,
                "ssl_shutdown_timeout": _TLS_SHUTDOWN_SECONDS,
            }
        )
        protocol = self._protocol()
        # A client that does not trust the certificate may end the handshake.
        with suppress(OSError):
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol, connection, ssl=tls, **secured
            )
            self._connections[transport] = connection
