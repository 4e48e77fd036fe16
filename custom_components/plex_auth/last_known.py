"""What subentries keep of their servers, as plex.tv listed them last."""

from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from .api.known_server import KnownServer
from .api.server_list import ServerList
from .const import CONF_LAST_KNOWN, SUBENTRY_TYPE_SERVER


@callback
def async_store_listed(
    hass: HomeAssistant, entry: ConfigEntry[Any], servers: ServerList
) -> None:
    """Store what the servers need to work while plex.tv is away.

    Their titles follow the names at Plex, but for those that the user has changed.
    """
    entries = hass.config_entries
    if not entries.async_get_entry(entry.entry_id):
        return  # the account was removed while plex.tv was asked
    for subentry in list(entry.get_subentries_of_type(SUBENTRY_TYPE_SERVER)):
        listed = servers.get(str(subentry.unique_id))
        if listed is None:
            continue
        stored = KnownServer.from_stored(subentry.data.get(CONF_LAST_KNOWN, {}))
        known = KnownServer.from_listed(listed).completed(stored)
        entries.async_update_subentry(
            entry,
            subentry,
            data={**subentry.data, CONF_LAST_KNOWN: known.as_stored()},
            title=listed.name if subentry.title == stored.name else subentry.title,
        )
