"""System health: can plex.tv be reached, and how are the accounts and servers?"""

from typing import Any

from homeassistant.components import system_health
from homeassistant.core import HomeAssistant, callback

from .api.account import PLEX_TV_API
from .const import DOMAIN
from .coordinator import PlexAuthConfigEntry


@callback
def async_register(
    hass: HomeAssistant, register: system_health.SystemHealthRegistration
) -> None:
    """Register what the page shows."""
    register.async_register_info(_async_info)


async def _async_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return the figures over all accounts that are set up."""
    entries: list[PlexAuthConfigEntry] = hass.config_entries.async_loaded_entries(
        DOMAIN
    )
    servers = [
        server for entry in entries for server in entry.runtime_data.servers.values()
    ]
    return {
        "can_reach_plex_tv": system_health.async_check_can_reach_url(
            hass, f"{PLEX_TV_API}/ping"
        ),
        "accounts": len(entries),
        "accounts_rejected": sum(
            entry.runtime_data.account.token_rejected for entry in entries
        ),
        "servers_reachable": (
            f"{sum(server.last_update_success for server in servers)}/{len(servers)}"
        ),
    }
