"""The Plex Auth integration: sign in to Plex accounts and use those sign-ins."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Final

from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    ConfigEntry,
    ConfigEntryChange,
)
from homeassistant.const import CONF_TOKEN, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.typing import ConfigType

from .account_memory import async_account_memory, async_forget_account
from .const import (
    CONF_API_URL,
    CONF_LAST_KNOWN,
    DOMAIN,
    SUBENTRY_TYPE_HOME_USER,
    SUBENTRY_TYPE_SERVER,
)
from .coordinator import AccountCoordinator
from .devices_coordinator import DevicesCoordinator
from .entity import account_device_info, async_follow_home_user, async_follow_server
from .flows.sign_in import async_sign_out, is_ours
from .home_user_coordinator import HomeUserCoordinator
from .issues import async_delete_issues, async_watch_home_user, async_watch_server
from .messages import translation_of
from .migration import (
    async_migrate_devices,
    async_migrate_entities,
    async_migrate_names,
)
from .runtime_data import PlexAuthConfigEntry, PlexAuthData
from .server_coordinator import async_follow_list
from .services import async_setup_services
from .transient_tokens import async_forget_tokens

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)
PLATFORMS: Final = (
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.EVENT,
    Platform.SENSOR,
)

_MAX_WAIT_SECONDS: Final = 2


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions; clean up after removed servers."""
    async_setup_services(hass)

    @callback
    def async_changed(_: ConfigEntryChange, changed: ConfigEntry) -> None:
        if changed.domain != DOMAIN:
            return
        kept = {
            subentry_id
            for entry in hass.config_entries.async_entries(DOMAIN)
            for subentry_id in entry.subentries
        }
        async_forget_tokens(hass, kept)
        async_delete_issues(hass, kept)

    async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, async_changed)
    return True


async def async_migrate_entry(hass: HomeAssistant, entry: PlexAuthConfigEntry) -> bool:
    """Migrate an entry of version 1.1; later minor versions are left unchanged."""
    if entry.minor_version < 2:
        async_migrate_names(hass, entry)
        hass.config_entries.async_update_entry(entry, minor_version=2)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: PlexAuthConfigEntry) -> bool:
    """Set up an account and its servers.

    If no server has a token, setup retries until plex.tv accepts or rejects the account
    token. Otherwise the polls delay setup by two seconds at most.
    """
    async_migrate_devices(hass, entry)
    await async_migrate_entities(hass, entry)
    memory = await async_account_memory(hass, entry)
    account = AccountCoordinator(hass, entry, memory)
    devices = DevicesCoordinator(hass, entry, account, memory)
    data = entry.runtime_data = PlexAuthData(account, devices, memory)
    entry.async_on_unload(entry.add_update_listener(_on_update(entry)))
    subentries = list(entry.get_subentries_of_type(SUBENTRY_TYPE_SERVER))
    polls: list[Coroutine[Any, Any, None]] = []
    if any(_is_usable(subentry.data) for subentry in subentries):
        polls.append(account.async_refresh())
    elif (failure := await account.async_first_poll()) is not None:
        raise ConfigEntryNotReady(**translation_of(failure)) from failure
    polls += [data.servers.async_add(one).async_check_now() for one in subentries]
    start = partial(entry.async_create_background_task, hass, name="plex_auth poll")
    if polls:
        await asyncio.wait(map(start, polls), timeout=_MAX_WAIT_SECONDS)
    for subentry in list(entry.get_subentries_of_type(SUBENTRY_TYPE_HOME_USER)):
        start(data.home_users.async_add(subentry).async_check_now())

    _async_follow_account(hass, entry)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    data.servers.async_listen(async_watch_server)
    data.servers.async_listen(async_follow_server)
    data.servers.async_listen(async_follow_list)
    data.home_users.async_listen(async_watch_home_user)
    data.home_users.async_listen(async_follow_home_user)
    data.is_ready = True
    _async_follow(hass, entry)

    @callback
    def async_started(_: HomeAssistant) -> None:
        # Automations are listening by now.
        _async_show_word(account)
        data.home_users.async_listen(_async_show_word)
        entry.async_on_unload(devices.async_start())

    entry.async_on_unload(async_at_started(hass, async_started))
    return True


async def async_unload_entry(hass: HomeAssistant, entry: PlexAuthConfigEntry) -> bool:
    """Unload an account and its servers."""
    entry.runtime_data.is_ready = False
    # Fire no events while the event entities are being removed.
    await entry.runtime_data.devices.async_shutdown()
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: PlexAuthConfigEntry) -> None:
    """Forget the account; end the sign-in if it is our own."""
    await async_forget_account(hass, entry.entry_id)
    if is_ours(entry.data):
        await async_sign_out(hass, entry.data)


@callback
def _async_show_word(coordinator: AccountCoordinator | HomeUserCoordinator) -> None:
    """Show what plex.tv says of a token from now on."""
    coordinator.word.async_start()
    coordinator.async_update_listeners()


def _is_usable(data: Mapping[str, Any]) -> bool:
    """Return whether a token for the server is stored."""
    return bool(data.get(CONF_TOKEN) or data.get(CONF_LAST_KNOWN, {}).get(CONF_TOKEN))


def _on_update(
    entry: PlexAuthConfigEntry,
) -> Callable[[HomeAssistant, PlexAuthConfigEntry], Coroutine[Any, Any, None]]:
    """Return a listener that follows the entry, or reloads it where that is needed.

    Another API address needs it, and a server that another one has replaced.
    """
    api_url, identifiers = entry.data[CONF_API_URL], _identifiers(entry)
    is_reloading = False

    async def async_updated(hass: HomeAssistant, entry: PlexAuthConfigEntry) -> None:
        nonlocal is_reloading
        if is_reloading:
            return
        is_reloading = entry.data[CONF_API_URL] != api_url or any(
            identifiers.setdefault(subentry_id, identifier) != identifier
            for subentry_id, identifier in _identifiers(entry).items()
        )
        if is_reloading:
            hass.config_entries.async_schedule_reload(entry.entry_id)
        elif entry.runtime_data.is_ready:
            _async_follow(hass, entry)

    return async_updated


def _identifiers(entry: PlexAuthConfigEntry) -> dict[str, str | None]:
    """Return the unique IDs of an entry's subentries."""
    return {
        subentry_id: subentry.unique_id
        for subentry_id, subentry in entry.subentries.items()
    }


@callback
def _async_follow(hass: HomeAssistant, entry: PlexAuthConfigEntry) -> None:
    """Apply an entry's title and subentries; the token is read on each use."""
    _async_follow_account(hass, entry)
    entry.runtime_data.servers.async_follow()
    entry.runtime_data.home_users.async_follow()


@callback
def _async_follow_account(hass: HomeAssistant, entry: PlexAuthConfigEntry) -> None:
    """Add the account's device, or give it the entry's title."""
    dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, **account_device_info(entry)
    )
