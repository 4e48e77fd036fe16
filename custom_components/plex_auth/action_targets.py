"""What an action refers to: account, server, Home user, path, and source."""

from collections.abc import Iterable
from typing import Final

from yarl import URL

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_DEVICE_ID
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.service import (
    async_get_config_entry,
    async_get_device_and_config_entry,
)

from .api.items import Item, holds_token, parse_path
from .api.server import is_source, server_source
from .const import ATTR_HOME_USER, DOMAIN, SUBENTRY_TYPE_SERVER
from .home_user_coordinator import HomeUserCoordinator
from .messages import invalid
from .runtime_data import PlexAuthConfigEntry
from .server_coordinator import ServerCoordinator

_MAX_SHOWN: Final = 10


def targeted_home_user(call: ServiceCall) -> HomeUserCoordinator | None:
    """Return the Home user that a call names, None if it names none."""
    if (device_id := call.data.get(ATTR_HOME_USER)) is None:
        return None
    device, entry = _device_and_entry(call.hass, device_id)
    user = entry.runtime_data.home_users.get(device.config_subentry_id or "")
    if user is None:
        raise invalid("not_a_home_user", name=device.name_by_user or device.name or "")
    return user


def targeted_entry(
    call: ServiceCall, user: HomeUserCoordinator | None = None
) -> PlexAuthConfigEntry:
    """Return the loaded entry of a call's account.

    By default it is that of a Home user that the call names, else the only enabled one.
    """
    entries = call.hass.config_entries
    entry_id = call.data.get(ATTR_CONFIG_ENTRY_ID)
    if user is not None:
        _require_account(user, entry_id)
        entry_id = user.config_entry.entry_id
    if entry_id is None:
        known = entries.async_entries(DOMAIN, include_ignore=False)
        meant = [entry for entry in known if not entry.disabled_by] or known
        if len(meant) > 1:
            raise invalid("choose_account")
        if meant:
            _require_loaded(meant[0])
    # Home Assistant's own error would repeat the unknown ID, which could be anything.
    elif (named := entries.async_get_entry(entry_id)) is None:
        raise invalid("unknown_account")
    elif named.domain == DOMAIN:
        _require_loaded(named)
    entry: PlexAuthConfigEntry = async_get_config_entry(call.hass, DOMAIN, entry_id)
    return entry


def targeted_server(
    call: ServiceCall,
    machine_identifier: str | None = None,
    user: HomeUserCoordinator | None = None,
) -> ServerCoordinator:
    """Return a call's server, by default the only one.

    Raises ServiceValidationError if it does not have the machine identifier, if given,
    or does not belong to the account of the Home user, if given.
    """
    if (device_id := call.data.get(ATTR_DEVICE_ID)) is None:
        return _only_server(call.hass, machine_identifier, user)
    device, entry = _device_and_entry(call.hass, device_id)
    server = entry.runtime_data.servers.get(device.config_subentry_id or "")
    if server is None:
        raise invalid("not_a_server", name=device.name_by_user or device.name or "")
    if user is not None:
        _require_account(user, entry.entry_id)
    if machine_identifier not in (None, server.machine_identifier):
        raise invalid("item_of_other_server", name=server.subentry.title)
    return server


def refuse_token(text: str) -> str:
    """Return a path; reject one with a token before Home Assistant records it."""
    if holds_token(text):
        raise invalid("token_in_path")
    return text


def targeted_media(
    call: ServiceCall, text: str | None, user: HomeUserCoordinator | None
) -> tuple[ServerCoordinator, Item | URL | None]:
    """Return a call's server, and the item or path on it that a text names.

    The address of a Plex Web page also names the server.
    """
    if text is None:
        return targeted_server(call, user=user), None
    if (item := Item.parse(text)) is not None:
        return targeted_server(call, item.machine_identifier, user), item
    if (path := parse_path(text)) is None:
        raise invalid("invalid_path")
    return targeted_server(call, user=user), path


def targeted_source(server: ServerCoordinator, text: str) -> str:
    """Return a source by ID, or by a server name known to plex.tv or Home Assistant."""
    if is_source(text):
        return text
    titled = text.strip().casefold()
    identifiers = {
        *(
            listed.machine_identifier
            for listed in server.account.servers
            if listed.is_named(text)
        ),
        *(
            str(subentry.unique_id)
            for subentry in server.config_entry.get_subentries_of_type(
                SUBENTRY_TYPE_SERVER
            )
            if subentry.title.casefold() == titled
        ),
    }
    found = sorted(map(server_source, identifiers))
    if not found:
        raise invalid("invalid_source")
    if len(found) > 1:
        shown = [*found[:_MAX_SHOWN], *(["…"] if len(found) > _MAX_SHOWN else [])]
        raise invalid("ambiguous_source", sources=", ".join(shown))
    return found[0]


def _device_and_entry(
    hass: HomeAssistant, device_id: str
) -> tuple[dr.DeviceEntry, PlexAuthConfigEntry]:
    """Return a device of this integration, and its loaded entry."""
    # Home Assistant's own error would repeat the unknown ID, which could be anything.
    if dr.async_get(hass).async_get(device_id) is None:
        raise invalid("unknown_device")
    _, owner = dr.async_get_device_and_config_entry_for_domain(
        hass, device_id, domain=DOMAIN, include_child_devices=False
    )
    if owner is not None:
        _require_loaded(owner)
    return async_get_device_and_config_entry(
        hass, DOMAIN, device_id, include_child_devices=False
    )


def _require_account(user: HomeUserCoordinator, entry_id: str | None) -> None:
    """Raise ServiceValidationError if an entry is not that of the user's account."""
    entry = user.config_entry
    if entry_id not in (None, entry.entry_id):
        raise invalid(
            "home_user_of_other_account",
            home_user=user.subentry.title,
            account=entry.title,
        )


def _require_loaded(entry: ConfigEntry) -> None:
    """Raise ServiceValidationError if an account is not loaded."""
    if entry.state is not ConfigEntryState.LOADED:
        raise _not_loaded(entry)


def _not_loaded(entry: ConfigEntry) -> ServiceValidationError:
    """Return the error for an account that is not loaded."""
    reason = "account_disabled" if entry.disabled_by else "account_not_ready"
    return invalid(reason, name=entry.title)


def _only_server(
    hass: HomeAssistant,
    machine_identifier: str | None,
    user: HomeUserCoordinator | None,
) -> ServerCoordinator:
    """Return the only server, of a Home user's account if one is given.

    With a machine identifier, it is the only one that has it.
    """
    entries: Iterable[PlexAuthConfigEntry] = (
        hass.config_entries.async_loaded_entries(DOMAIN)
        if user is None
        else [user.config_entry]
    )
    servers = [
        server
        for entry in entries
        for server in entry.runtime_data.servers.values()
        if machine_identifier in (None, server.machine_identifier)
    ]
    if not servers:
        raise _no_server(hass, machine_identifier, user)
    if len(servers) != 1:
        raise invalid("choose_server")
    return servers[0]


def _no_server(
    hass: HomeAssistant,
    machine_identifier: str | None,
    user: HomeUserCoordinator | None,
) -> ServiceValidationError:
    """Return the error for a missing server: not added, or account not loaded.

    Raises it if the server belongs to another account than the Home user, if given.
    """
    for entry in hass.config_entries.async_entries(DOMAIN):
        for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_SERVER):
            if machine_identifier in (None, subentry.unique_id):
                if user is not None:
                    _require_account(user, entry.entry_id)
                return _not_loaded(entry)
    return invalid("no_server" if machine_identifier is None else "server_not_added")
