"""The client's sessions and identity in Home Assistant."""

from aiohttp import DummyCookieJar
import pytest

from custom_components.plex_auth import clients
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .helpers import async_add_account, async_settle, server_data
from .plex_simulator import PlexSimulator
from .plex_simulator.worlds import DemoWorld


async def test_one_pair_of_sessions(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """All entries share a session, and one that verifies no certificates where needed.

    They are not Home Assistant's own, keep no cookies, and end with Home Assistant.
    """
    anna, server = world.two_factor, world.living_room
    await async_add_account(hass, simulator, anna, [server, world.shared])
    await async_add_account(hass, simulator, world.free)
    ours = hass.data[clients._DATA_SESSIONS]
    assert list(ours) == [True]
    await async_add_account(
        hass,
        simulator,
        world.three_servers,
        [server_data(server, anna, url=server.http_url, verify_ssl=False)],
    )
    assert set(ours) == {True, False}
    assert ours[True] is not ours[False]
    for verify_ssl, session in ours.items():
        assert session is not async_get_clientsession(hass, verify_ssl)
        assert isinstance(session.cookie_jar, DummyCookieJar)
        assert not session.closed
    await hass.async_stop(force=True)
    assert all(session.closed for session in ours.values())


async def test_session_outlives_an_entry(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
) -> None:
    """The session stays open for the other entries when one is unloaded."""
    first = await async_add_account(hass, simulator, world.two_factor)
    second = await async_add_account(hass, simulator, world.free)
    await hass.config_entries.async_unload(first.entry_id)
    await async_settle(hass)
    await second.runtime_data.account.async_refresh()
    assert second.runtime_data.account.last_update_success


@pytest.mark.parametrize(
    ("location", "device_name"),
    [
        ("Home", "Home"),
        (" My\r\nX-Evil: 1\x00home ", "My X-Evil: 1 home"),
        ("Köln", "Köln"),
        ("\n", "Home Assistant"),
        ("", "Home Assistant"),
    ],
)
async def test_device_name(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    location: str,
    device_name: str,
) -> None:
    """Plex is told the name of the home, of which a header carries what it can."""
    hass.config.location_name = location
    await async_add_account(hass, simulator, world.free)
    (request,) = simulator.requests_to("user")
    assert request.headers["X-Plex-Device-Name"] == device_name
    assert "X-Evil" not in request.headers
