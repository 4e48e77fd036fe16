"""Plex Auth: sign Home Assistant in to a Plex account and use that sign-in."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from homeassistant.const import CONF_TOKEN, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.typing import ConfigType

from .const import (
    CONF_LAST_KNOWN,
    CONF_SOURCES,
    CONF_TOKEN_ORIGIN,
    DOMAIN,
    SUBENTRY_TYPE_SERVER,
    TokenOrigin,
)
from .coordinator import (
    AccountCoordinator,
    PlexAuthConfigEntry,
    PlexAuthData,
    ServerCoordinator,
    SourceCoordinator,
)
from .entity import account_device_info
from .flows.sign_in import async_sign_out
from .issues import async_delete_issues, async_watch_issues
from .services import async_setup_services
from .transient_tokens import async_forget_token

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)
PLATFORMS: Final = (Platform.BINARY_SENSOR, Platform.EVENT, Platform.SENSOR)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions."""
    async_setup_services(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: PlexAuthConfigEntry) -> bool:
    """Set up an account and its servers.

    An entry with a server that can work by what is stored is loaded whatever plex.tv
    says; any other waits for plex.tv.
    """
    account = AccountCoordinator(hass, entry)
    subentries = list(entry.get_subentries_of_type(SUBENTRY_TYPE_SERVER))
    if any(_is_usable(subentry.data) for subentry in subentries):
        await account.async_refresh()
    else:
        await account.async_config_entry_first_refresh()

    servers = {
        subentry.subentry_id: ServerCoordinator(hass, entry, subentry, account)
        for subentry in subentries
    }
    await asyncio.gather(*(server.async_refresh() for server in servers.values()))
    sources = {
        subentry_id: SourceCoordinator(hass, entry, server)
        for subentry_id, server in servers.items()
        if server.subentry.data[CONF_SOURCES]
    }
    await asyncio.gather(*(source.async_refresh() for source in sources.values()))

    entry.runtime_data = PlexAuthData(account, servers, sources)
    dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, **account_device_info(entry)
    )
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    for server in servers.values():
        async_watch_issues(hass, entry, server)
    entry.async_on_unload(entry.add_update_listener(_reload_on_change(entry)))
    return True


async def async_unload_entry(hass: HomeAssistant, entry: PlexAuthConfigEntry) -> bool:
    """Unload an account and its servers."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: PlexAuthConfigEntry) -> None:
    """Sign out of plex.tv, unless the token was not made by a sign-in of ours."""
    for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_SERVER):
        _async_forget_server(hass, subentry.subentry_id)
    if TokenOrigin(entry.data[CONF_TOKEN_ORIGIN]).is_ours:
        await async_sign_out(hass, entry.data)


def _async_forget_server(hass: HomeAssistant, subentry_id: str) -> None:
    """Drop what outlives the reload of a server, which is removed."""
    async_forget_token(hass, subentry_id)
    async_delete_issues(hass, subentry_id)


def _is_usable(data: Mapping[str, Any]) -> bool:
    """Return whether a server has a token to work with."""
    return bool(data.get(CONF_TOKEN) or data.get(CONF_LAST_KNOWN, {}).get(CONF_TOKEN))


def _reload_on_change(
    entry: PlexAuthConfigEntry,
) -> Callable[[HomeAssistant, PlexAuthConfigEntry], Coroutine[Any, Any, None]]:
    """Return a listener that reloads the entry when what it was set up with changes.

    The token and what plex.tv last said of the servers are read at each use, so they
    need no reload.
    """
    before = _snapshot(entry)

    async def _async_updated(hass: HomeAssistant, entry: PlexAuthConfigEntry) -> None:
        after = _snapshot(entry)
        for subentry_id in before[1].keys() - after[1].keys():
            _async_forget_server(hass, subentry_id)
        if after != before:
            hass.config_entries.async_schedule_reload(entry.entry_id)

    return _async_updated


def _snapshot(entry: PlexAuthConfigEntry) -> tuple[Any, dict[str, Any]]:
    """Return what a set-up depends on: data and titles of the entry and its servers."""
    return (entry.title, _without(entry.data, CONF_TOKEN)), {
        subentry_id: (subentry.title, _without(subentry.data, CONF_LAST_KNOWN))
        for subentry_id, subentry in entry.subentries.items()
    }


def _without(data: Mapping[str, Any], left_out: str) -> dict[str, Any]:
    """Return a copy of the data without one key."""
    return {key: value for key, value in data.items() if key != left_out}
