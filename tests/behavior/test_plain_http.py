"""Plain http within a network: for servers of the own home, else after consent."""

from collections.abc import Sequence
from typing import Any

from aiohttp.abc import ResolveResult
from aiohttp.connector import TCPConnector
from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.plex_auth.const import CONF_LAST_KNOWN
from homeassistant.const import CONF_URL
from tests.harness import Harness
from tests.helpers import (
    async_set_up,
    known_server,
    make_entry,
    server_coordinator,
    server_data,
    subentry_of,
)
from tests.plex_simulator import Connection, MediaServer
from tests.repair_dialog import OpenRepair

ADDRESS = "192.168.1.5"


@pytest.fixture(autouse=True)
def home_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server's private address lead to this machine."""
    resolve = TCPConnector._resolve_host

    async def _resolve(
        self: TCPConnector, host: str, port: int, traces: Sequence[Any] | None = None
    ) -> list[ResolveResult]:
        host = "127.0.0.1" if host == ADDRESS else host
        return await resolve(self, host, port, traces)

    monkeypatch.setattr(TCPConnector, "_resolve_host", _resolve)


@pytest.fixture
def server(harness: Harness) -> MediaServer:
    """Return Anna's server, shared with Ben, which plex.tv lists with https only."""
    name = harness.server.plex_direct_name(ADDRESS)
    harness.server.connections = [
        Connection(
            protocol="https",
            address=ADDRESS,
            port=harness.server.port,
            uri=f"https://{name}:{harness.server.port}",
            local=True,
        )
    ]
    return harness.server


def plain_tokens(harness: Harness, server: MediaServer) -> set[bool]:
    """Return for each request to a server over plain http whether it had a token."""
    return {
        "X-Plex-Token" in request.headers
        for request in harness.simulator.requests
        if request.host == server.machine_identifier and not request.secure
    }


@pytest.mark.parametrize("who", ["owner", "home"])
async def test_server_of_the_home(
    harness: Harness, server: MediaServer, who: str
) -> None:
    """An own server and one of the Plex Home work where names do not resolve."""
    server.home = who == "home"
    entry = await harness.add(harness.ben if server.home else harness.anna, server)
    await harness.call("get_transient_token")
    assert plain_tokens(harness, server) == {False, True}
    await harness.simulator.stop_plex_tv()
    await harness.reload(entry)
    harness.asked()
    await harness.call("get_transient_token")
    assert plain_tokens(harness, server) == {False, True}
    route = server_coordinator(entry, server).data.route
    assert route.uri == f"http://{ADDRESS}:{server.port}"


async def test_shared_server(harness: Harness, server: MediaServer) -> None:
    """A shared server is not asked over plain http, nor after a restart."""
    entry = await harness.add(harness.ben, server)
    await harness.failure("get_transient_token")
    assert harness.state("binary_sensor.reachable", harness.ben) == "off"
    await harness.simulator.stop_plex_tv()
    await harness.reload(entry)
    await harness.failure("get_transient_token")
    assert not plain_tokens(harness, server)


async def test_shared_server_after_consent(
    harness: Harness,
    server: MediaServer,
    open_repair: OpenRepair,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Plain http to a shared server is offered in a repair, and used once agreed to."""
    entry = await harness.add(harness.ben, server)
    await harness.lose(freezer)
    dialog = await open_repair(entry, server, "server_not_reached")
    url = f"http://{ADDRESS}:{server.port}"
    assert dialog.result["description_placeholders"]["url"] == url
    assert plain_tokens(harness, server) == {False}
    await dialog.submit()
    await harness.settle()
    assert subentry_of(entry, server).data[CONF_URL] == url
    await harness.call("get_transient_token")
    assert plain_tokens(harness, server) == {False, True}


async def test_server_that_leaves_the_home(
    harness: Harness, server: MediaServer
) -> None:
    """An address that may no longer be used is given up at once."""
    server.home = True
    entry = await harness.add(harness.ben, server)
    coordinator = server_coordinator(entry, server)
    assert coordinator.data.route.uri == f"http://{ADDRESS}:{server.port}"
    server.home = False
    await coordinator.account.async_check_now()
    harness.asked()
    await harness.failure("get_transient_token")
    assert not plain_tokens(harness, server)


@pytest.mark.parametrize("is_plex_tv_there", [True, False])
async def test_server_whose_owner_was_not_stored(
    harness: Harness, server: MediaServer, is_plex_tv_there: bool
) -> None:
    """What an earlier version has stored gets plain http once plex.tv names the owner."""
    known = known_server(server, harness.anna)
    del known["owner"], known["home"]
    data = server_data(server, harness.anna, **{CONF_LAST_KNOWN: known})
    entry = make_entry(harness.simulator, harness.anna, [data])
    if not is_plex_tv_there:
        await harness.simulator.stop_plex_tv()
    await async_set_up(harness.hass, entry)
    state = harness.state("binary_sensor.reachable")
    assert state == ("on" if is_plex_tv_there else "off")
