"""The request to sign in: it is there for as long as plex.tv rejects the token."""

from typing import Any

from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_RECONFIGURE, ConfigEntry
from homeassistant.core import HomeAssistant, callback


@callback
def async_take_back(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Take back the request: plex.tv accepts the token again.

    A dialog in which somebody has already begun to sign in is left to its end.
    """
    _async_abort(hass, entry, SOURCE_REAUTH, "reauth_confirm")


@callback
def async_clear_the_way(
    hass: HomeAssistant, entry: ConfigEntry[Any], *, is_old: bool
) -> None:
    """End reconfigure dialogs, which keep Home Assistant from asking to sign in.

    Those that wait at their menu are ended, and all where the rejection `is_old`: they
    were left open since then.
    """
    _async_abort(hass, entry, SOURCE_RECONFIGURE, None if is_old else "reconfigure")


@callback
def _async_abort(
    hass: HomeAssistant, entry: ConfigEntry[Any], source: str, step_id: str | None
) -> None:
    """End the dialogs of an entry, all or those that are at a step."""
    for flow in list(entry.async_get_active_flows(hass, {source})):
        if step_id is None or flow.get("step_id") == step_id:
            hass.config_entries.flow.async_abort(flow["flow_id"])
