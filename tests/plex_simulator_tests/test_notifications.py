"""The notification sockets of a simulated server, steered as another process does."""

from typing import Any

import aiohttp
import pytest

from .simulated_plex import SimulatedPlex
from .test_control import control


async def open_socket(
    plex: SimulatedPlex, token: str | None = None
) -> aiohttp.ClientWebSocketResponse[Any]:
    """Open a socket, as the owner unless there is another token."""
    token = token or plex.server.access_token_for(plex.anna)
    url = f"{plex.server.http_url}/:/websockets/notifications?filters=reachability"
    return await plex.session.ws_connect(url, headers={"X-Plex-Token": token})


async def test_guests(plex: SimulatedPlex) -> None:
    """An account with which the server is shared may listen only if it is let."""
    guest = plex.server.access_token_for(plex.ben)
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await open_socket(plex, guest)
    plex.server.notifications.allows_shared = True
    async with await open_socket(plex, guest):
        assert len(plex.server.notifications) == 1


async def test_steered(plex: SimulatedPlex) -> None:
    """A server floods until it is calm, vanishes without a word, and hangs up."""

    async def steer(action: str, **fields: object) -> Any:
        path = f"servers/{plex.server.machine_identifier}/{action}"
        return await control(plex, "POST", path, **fields)

    async with await open_socket(plex) as socket:
        assert (await steer("flood", rate=1000))["sockets"] == 1
        for _ in range(200):
            await socket.receive_str()
        sent = (await steer("calm"))["messages_sent"]
        assert sent >= 200
        assert (await steer("calm"))["messages_sent"] == sent
    async with await open_socket(plex) as socket:
        await steer("vanish")
        await socket.ping()
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=0.2)
    await steer("reappear")
    await steer("hang_up")
    async with await open_socket(plex) as socket:
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
