"""System health of plex.tv, accounts, and servers."""

from typing import Any

from homeassistant.components import system_health
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.core import HomeAssistant, callback

from .api.plex_tv import PLEX_TV_API
from .const import DOMAIN
from .runtime_data import PlexAuthConfigEntry


@callback
def async_register(
    hass: HomeAssistant, register: system_health.SystemHealthRegistration
) -> None:
    """Register the system health information."""
    register.async_register_info(_async_info)


async def _async_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return the totals of all enabled accounts."""
    entries: list[PlexAuthConfigEntry] = hass.config_entries.async_entries(
        DOMAIN, include_ignore=False, include_disabled=False
    )
    loaded = [entry for entry in entries if entry.state is ConfigEntryState.LOADED]
    servers = [
        server for entry in loaded for server in entry.runtime_data.servers.values()
    ]
    users = [
        user for entry in loaded for user in entry.runtime_data.home_users.values()
    ]
    return {
        "can_reach_plex_tv": system_health.async_check_can_reach_url(
            hass, f"{PLEX_TV_API}/ping"
        ),
        "accounts": len(entries),
        "accounts_rejected": sum(_is_rejected(hass, entry) for entry in entries),
        "home_users_rejected": (
            f"{sum(user.is_rejected is True for user in users)}/{len(users)}"
        ),
        "servers_reachable": (
            f"{sum(server.is_reached for server in servers)}/{len(servers)}"
        ),
        "addresses_failed": sum(
            len(server.access.failures) + len(server.access.target.unused)
            for server in servers
        ),
    }


def _is_rejected(hass: HomeAssistant, entry: PlexAuthConfigEntry) -> bool:
    """Return whether plex.tv rejects the token of an account, loaded or not."""
    if entry.state is ConfigEntryState.LOADED:
        return entry.runtime_data.account.token_rejected
    return any(entry.async_get_active_flows(hass, {SOURCE_REAUTH}))
