"""Migrate what was stored under earlier names or identifiers."""

from dataclasses import replace
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .api.server import server_source
from .clients import stored_server
from .const import CONF_LAST_KNOWN, SUBENTRY_TYPE_SERVER
from .entity import server_identifier

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

    Without a stored name, a title counts as set by the user.
    """
    for subentry in list(entry.get_subentries_of_type(SUBENTRY_TYPE_SERVER)):
        known = stored_server(subentry)
        if CONF_LAST_KNOWN in subentry.data and known.name is None:
            named = replace(known, name=subentry.title).as_stored()
            hass.config_entries.async_update_subentry(
                entry, subentry, data={**subentry.data, CONF_LAST_KNOWN: named}
            )


@callback
def async_migrate_devices(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Give the devices of replaced servers the identifiers of their successors.

    Call this at each setup, as for the entities.
    """
    registry = dr.async_get(hass)
    for device in dr.async_entries_for_config_entry(registry, entry.entry_id):
        subentry = _server_subentry(entry, device.config_subentry_id)
        if subentry is None:
            continue
        identifier = server_identifier(entry, subentry)
        if registry.async_get_device_by_identifier(identifier, entry.entry_id) is None:
            registry.async_update_device(device.id, new_identifiers={identifier})


async def async_migrate_entities(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Give entities of 0.1.0 and of replaced servers new unique IDs, or remove them.

    An entity that already has the new ID is kept, because automations use it. It is enabled if
    the removed one was. Call this at each setup: the entry keeps its version when 0.1.0
    runs after a downgrade, and creates its entities again, and Home Assistant may end
    between a server's replacement and this.
    """
    registry = er.async_get(hass)
    keys = {
        (platform, f"{entry.unique_id}_{old}"): f"{entry.unique_id}_{new}"
        for (platform, old), new in _KEYS.items()
    }
    replaced = _replaced_servers(registry, entry)

    @callback
    def async_updates(entity: er.RegistryEntry) -> dict[str, Any] | None:
        unique_id = keys.get((entity.domain, entity.unique_id), entity.unique_id)
        for former, successor in replaced.items():
            unique_id = _moved(unique_id, str(entry.unique_id), former, successor)
        if unique_id == entity.unique_id:
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


def _replaced_servers(
    registry: er.EntityRegistry, entry: ConfigEntry[Any]
) -> dict[str, str]:
    """Return the identifiers of servers by the former ones that entities have.

    An entity's translation key ends its unique ID, except for sources of a server.
    """
    found: dict[str, str] = {}
    for entity in er.async_entries_for_config_entry(registry, entry.entry_id):
        subentry = _server_subentry(entry, entity.config_subentry_id)
        begin, end = f"{entry.unique_id}_", f"_{entity.translation_key}"
        unique_id = entity.unique_id
        if subentry is None or not unique_id.endswith(end):
            continue
        former = unique_id.removeprefix(begin).removesuffix(end)
        if former != subentry.unique_id:
            found[former] = str(subentry.unique_id)
    return found


def _moved(unique_id: str, account: str, former: str, current: str) -> str:
    """Return the unique ID with the identifier of a replaced server's successor.

    Other servers may watch the replaced one as a source.
    """
    begin, end = f"{account}_{former}_", f"_source_{server_source(former)}"
    if unique_id.startswith(begin):
        unique_id = f"{account}_{current}_{unique_id.removeprefix(begin)}"
    if unique_id.endswith(end):
        unique_id = f"{unique_id.removesuffix(end)}_source_{server_source(current)}"
    return unique_id


def _server_subentry(
    entry: ConfigEntry[Any], subentry_id: str | None
) -> ConfigSubentry | None:
    """Return the subentry of a server, None for others and for none."""
    subentry = entry.subentries.get(subentry_id or "")
    is_server = subentry is not None and subentry.subentry_type == SUBENTRY_TYPE_SERVER
    return subentry if is_server else None
