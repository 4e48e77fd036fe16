"""System health counts accounts and servers and asks whether plex.tv is there."""

from aiohttp import ClientError
from pytest_homeassistant_custom_component.common import get_system_health_info
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from custom_components.plex_auth.const import DOMAIN
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .helpers import (
    account_coordinator,
    async_add_account,
    async_set_up,
    home_user_coordinator,
    home_user_data,
    make_entry,
)
from .plex_simulator import Fault, PlexSimulator
from .plex_simulator.worlds import async_fixed_world


async def test_figures(hass: HomeAssistant, simulator: PlexSimulator) -> None:
    """Reachable servers are counted out of all; without internet plex.tv is not there."""
    assert await async_setup_component(hass, "system_health", {})
    world = await async_fixed_world(simulator)
    await world.cellar.stop()
    await async_add_account(
        hass, simulator, world.plex_pass, [world.attic, world.cellar]
    )
    info = await get_system_health_info(hass, DOMAIN)
    reach = await info.pop("can_reach_plex_tv")
    assert reach == {"type": "failed", "error": "unreachable"}
    assert info == {
        "accounts": 1,
        "accounts_rejected": 0,
        "addresses_failed": 5,
        "home_users_rejected": "0/0",
        "servers_reachable": "1/2",
    }


async def test_server_that_has_not_answered_yet(
    hass: HomeAssistant, simulator: PlexSimulator
) -> None:
    """A server whose first poll is not over is not counted as reachable."""
    assert await async_setup_component(hass, "system_health", {})
    world = await async_fixed_world(simulator)
    world.attic.faults.set("identity", Fault.delay(60))
    entry = make_entry(simulator, world.plex_pass, [world.attic])
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    info = await get_system_health_info(hass, DOMAIN)
    assert (await info.pop("can_reach_plex_tv"))["type"] == "failed"
    assert info == {
        "accounts": 1,
        "accounts_rejected": 0,
        "addresses_failed": 0,
        "home_users_rejected": "0/0",
        "servers_reachable": "0/1",
    }


async def test_rejected(hass: HomeAssistant, simulator: PlexSimulator) -> None:
    """Accounts that plex.tv rejects are counted, disabled ones are not."""
    assert await async_setup_component(hass, "system_health", {})
    world = await async_fixed_world(simulator)
    loaded = await async_add_account(hass, simulator, world.plex_pass, [world.attic])
    world.plex_pass.revoke_tokens()
    await account_coordinator(loaded).async_refresh()
    kept_from_loading = make_entry(simulator, world.free)
    world.free.revoke_tokens()
    await async_set_up(hass, kept_from_loading)
    assert kept_from_loading.state is ConfigEntryState.LOADED
    disabled = await async_add_account(hass, simulator, world.managed)
    await hass.config_entries.async_set_disabled_by(
        disabled.entry_id, ConfigEntryDisabler.USER
    )
    info = await get_system_health_info(hass, DOMAIN)
    assert (await info.pop("can_reach_plex_tv"))["type"] == "failed"
    assert info == {
        "accounts": 2,
        "accounts_rejected": 2,
        "addresses_failed": 1,
        "home_users_rejected": "0/0",
        "servers_reachable": "1/1",
    }


async def test_home_users(hass: HomeAssistant, simulator: PlexSimulator) -> None:
    """Home users that plex.tv rejects are counted out of all, not those in doubt."""
    assert await async_setup_component(hass, "system_health", {})
    world = await async_fixed_world(simulator)
    users = [home_user_data(user, world.attic) for user in (world.managed, world.child)]
    world.child.revoke_tokens()
    entry = await async_add_account(hass, simulator, world.plex_pass, users)
    for rejected in ("1/2", "0/2"):
        info = await get_system_health_info(hass, DOMAIN)
        assert (await info.pop("can_reach_plex_tv"))["type"] == "failed"
        assert info["home_users_rejected"] == rejected
        assert info["accounts_rejected"] == 0
        simulator.faults.set("resources", Fault.status(503))
        await home_user_coordinator(entry, world.child).async_poll()


async def test_plex_tv_is_there(
    hass: HomeAssistant, aioclient_mock: AiohttpClientMocker
) -> None:
    """What counts is that plex.tv answers at all."""
    assert await async_setup_component(hass, "system_health", {})
    assert await async_setup_component(hass, DOMAIN, {})
    aioclient_mock.get("https://plex.tv/api/v2/ping", status=401)
    info = await get_system_health_info(hass, DOMAIN)
    assert await info["can_reach_plex_tv"] == "ok"
    aioclient_mock.clear_requests()
    aioclient_mock.get("https://plex.tv/api/v2/ping", exc=ClientError)
    info = await get_system_health_info(hass, DOMAIN)
    assert (await info["can_reach_plex_tv"])["error"] == "unreachable"
