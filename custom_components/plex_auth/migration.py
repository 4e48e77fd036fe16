"""What an earlier version has stored, brought into today's form."""

from dataclasses import replace
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from .clients import stored_server
from .const import CONF_LAST_KNOWN, SUBENTRY_TYPE_SERVER

# The keys of 0.1.0 that have changed, and those of today.
_KEYS: Final[dict[tuple[str, str], str]] = {
    (Platform.BINARY_SENSOR, "token"): "sign_in",
    (Platform.BINARY_SENSOR, "two_factor"): "two_factor_authentication",
    (Platform.BINARY_SENSOR, "services"): "plex_services",
    (Platform.SENSOR, "token_last_verified"): "sign_in_last_verified",
    (Platform.SENSOR, "home_users"): "plex_home_users",
}


@callback
def async_migrate_names(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Store the titles of 0.1.0, which did not store the names of servers, as names.

    Without a stored name, a title counts as one that the user has chosen.
    """
    for subentry in list(entry.get_subentries_of_type(SUBENTRY_TYPE_SERVER)):
        known = stored_server(subentry)
        if CONF_LAST_KNOWN in subentry.data and known.name is None:
            named = replace(known, name=subentry.title).as_stored()
            hass.config_entries.async_update_subentry(
                entry, subentry, data={**subentry.data, CONF_LAST_KNOWN: named}
            )


async def async_migrate_entities(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Give the entities of 0.1.0 their new unique IDs, or remove them.

    An entity that already has the new ID stays, as automations use it. It is enabled if
    the removed one was. Call this at each setup: the entry keeps its version when 0.1.0
    runs after a downgrade, and creates its entities again.
    """
    registry = er.async_get(hass)
    keys = {
        (platform, f"{entry.unique_id}_{old}"): f"{entry.unique_id}_{new}"
        for (platform, old), new in _KEYS.items()
    }

    @callback
    def async_updates(entity: er.RegistryEntry) -> dict[str, Any] | None:
        unique_id = keys.get((entity.domain, entity.unique_id))
        if unique_id is None:
            return None
        taken = registry.async_get_entity_id(entity.domain, entity.platform, unique_id)
        if taken is None:
            return {"new_unique_id": unique_id}
        current = registry.entities[taken]
        if not entity.disabled and (
            current.disabled_by is er.RegistryEntryDisabler.INTEGRATION
        ):
            registry.async_update_entity(taken, disabled_by=None)
        registry.async_remove(entity.entity_id)
        return None

    await er.async_migrate_entries(hass, entry.entry_id, async_updates)
