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


async def test_silence(plex: SimulatedPlex) -> None:
    """A server that has vanished answers no ping and closes nothing, until it is back."""
    path = f"servers/{plex.server.machine_identifier}"
    async with await open_socket(plex) as socket:
        await control(plex, "POST", f"{path}/vanish")
        await socket.ping()
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=0.2)
    await control(plex, "POST", f"{path}/reappear")
    async with await open_socket(plex):
        assert len(plex.server.notifications) == 1
