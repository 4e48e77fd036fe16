"""The notification sockets of a simulated server, as any client sees them."""

import json
from typing import Any

import aiohttp
import pytest

from tests.helpers import until
from tests.plex_simulator import MediaServer

from .simulated_plex import SimulatedPlex
from .test_control import control

PATH = "/:/websockets/notifications"


class Client:
    """Open sockets at a server, and steer it."""

    def __init__(self, plex: SimulatedPlex) -> None:
        """Take the server of the stage."""
        self.plex = plex
        self.server: MediaServer = plex.server

    async def open(
        self, token: str | None = None, query: str = ""
    ) -> aiohttp.ClientWebSocketResponse[Any]:
        """Open a socket, as the owner unless there is another token."""
        token = token or self.server.access_token_for(self.plex.anna)
        url = f"{self.server.http_url}{PATH}{query}"
        return await self.plex.session.ws_connect(url, headers={"X-Plex-Token": token})

    async def refusal(self, token: str) -> int:
        """Return the status with which a socket is refused."""
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await self.open(token)
        return caught.value.status

    async def steer(self, action: str, **fields: object) -> Any:
        """Let the server do something, and return what it says of itself."""
        path = f"servers/{self.server.machine_identifier}/{action}"
        return await control(self.plex, "POST", path, **fields)


@pytest.fixture
def client(plex: SimulatedPlex) -> Client:
    """Return a client of the server of the stage."""
    return Client(plex)


async def test_who_may_listen(client: Client) -> None:
    """The owner may, others with whom the server is shared only if it lets them."""
    guest = client.server.access_token_for(client.plex.ben)
    assert await client.refusal("nonsense") == 401
    assert await client.refusal(guest) == 401
    client.server.notifications.allows_shared = True
    for token in (guest, None):
        async with await client.open(token):
            assert len(client.server.notifications) == 1
        await until(lambda: not client.server.notifications)
    client.server.notifications.allowed = False
    assert await client.refusal(client.server.access_token_for(client.plex.anna)) == 401


async def test_messages(client: Client) -> None:
    """Each kind is sent to all, but for those who want others, if the filter works."""
    sockets = client.server.notifications
    async with (
        await client.open() as everything,
        await client.open(query="?filters=reachability") as few,
    ):
        for kind in ("playing", "timeline", "reachability"):
            await sockets.send(kind)
        kinds = [_kind(await everything.receive_str()) for _ in range(3)]
        assert kinds == ["playing", "timeline", "reachability"]
        assert _kind(await few.receive_str()) == "reachability"
        sockets.ignores_filter = True
        await sockets.send("playing")
        assert _kind(await few.receive_str()) == "playing"


async def test_end(client: Client) -> None:
    """A server that stops or restarts says so; one that ends at once does not."""
    async with await client.open() as socket:
        await client.steer("restart")
        message = await socket.receive()
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert message.data == aiohttp.WSCloseCode.GOING_AWAY
    async with await client.open() as socket:
        await client.server.kill()
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSED


async def test_silence(client: Client) -> None:
    """A server that has vanished answers no ping and closes nothing, until it is back."""
    async with await client.open() as socket:
        await client.steer("vanish")
        await socket.ping()
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=0.2)
    await client.steer("reappear")
    async with await client.open():
        assert len(client.server.notifications) == 1


def _kind(text: str) -> str:
    kind: str = json.loads(text)["NotificationContainer"]["type"]
    return kind
