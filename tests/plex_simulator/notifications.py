"""The notification sockets of a server (plex-api.md §18)."""

import asyncio
from contextlib import suppress
import json

from aiohttp import WSCloseCode, WSMsgType, web

from .errors import MediaServerError

# How the container of a kind is called, and what an entry of it looks like.
KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "playing": (
        "PlaySessionStateNotification",
        {
            "sessionKey": "1",
            "clientIdentifier": "0123456789abcdef01234567",
            "ratingKey": "4711",
            "key": "/library/metadata/4711",
            "viewOffset": 1_234_567,
            "playQueueItemID": 8150,
            "playQueueID": 77,
            "state": "playing",
        },
    ),
    "timeline": (
        "TimelineEntry",
        {
            "identifier": "com.plexapp.plugins.library",
            "sectionID": "1",
            "itemID": "4711",
            "type": 1,
            "title": "A film with a name of usual length",
            "state": 5,
            "mediaState": "analyzing",
            "updatedAt": 1_795_000_000,
        },
    ),
    "reachability": ("ReachabilityNotification", {"reachability": True}),
}


def message(kind: str) -> str:
    """Return a message as a server sends it."""
    name, entry = KINDS[kind]
    container = {"type": kind, "size": 1, name: [entry]}
    return json.dumps({"NotificationContainer": container})


class NotificationSockets:
    """Hold the sockets that clients have open at a server.

    Whether somebody whom the server is only shared with may have one is not known
    (plex-api.md §18.1); here he may not, unless `allows_shared`. Nor is it known whether
    the filter works; here it does, unless `ignores_filter`.
    """

    def __init__(self, *, allowed: bool) -> None:
        """Start without a socket; nobody gets one unless they are allowed."""
        self.allowed = allowed
        self.allows_shared = False
        self.ignores_filter = False
        self.opened = self.sent = 0
        self.pongs: list[bytes] = []
        self._open: dict[web.WebSocketResponse, set[str]] = {}

    def __len__(self) -> int:
        """Return how many sockets are open."""
        return len(self._open)

    async def serve(
        self, request: web.Request, *, is_owner: bool
    ) -> web.StreamResponse:
        """Keep a socket open for as long as the client wants."""
        if not self.allowed or not (is_owner or self.allows_shared):
            raise MediaServerError(401)
        socket = web.WebSocketResponse(timeout=1, autoping=False)
        wanted = set(filter(None, request.query.get("filters", "").split(",")))
        try:
            await socket.prepare(request)
            self.opened += 1
            self._open[socket] = wanted
            async for received in socket:
                if received.type is WSMsgType.PING:
                    await socket.pong(received.data)
                elif received.type is WSMsgType.PONG:
                    self.pongs.append(bytes(received.data))
        except ConnectionError:
            pass  # The client may be gone at any moment.
        finally:
            self._open.pop(socket, None)
        return socket

    async def send(self, kind: str) -> None:
        """Send a message of a kind to all who want it."""
        text = message(kind)
        for socket, wanted in list(self._open.items()):
            if self.ignores_filter or not wanted or kind in wanted:
                with suppress(ConnectionError):
                    await socket.send_str(text)
                    self.sent += 1

    async def send_huge(self, size: int) -> None:
        """Send a message of so many bytes to all."""
        await self.send_raw(b"x" * size)

    async def send_raw(
        self, *messages: bytes, kind: WSMsgType = WSMsgType.TEXT
    ) -> None:
        """Send messages of a kind to all; a text may be none."""
        for socket in list(self._open):
            for content in messages:
                with suppress(ConnectionError):
                    await socket.send_frame(content, kind)

    async def close(self) -> None:
        """Close all sockets as a server does that stops."""
        closing = [socket.close(code=WSCloseCode.GOING_AWAY) for socket in self._open]
        await asyncio.gather(*closing)
