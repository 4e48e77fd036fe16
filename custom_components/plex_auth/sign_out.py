"""Ending sign-ins at plex.tv."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from homeassistant.core import HomeAssistant, callback

from .api.errors import PlexError
from .api.plex_tv import PlexTv
from .const import CONF_API_URL, CONF_CLIENT_IDENTIFIER, LOGGER
from .sessions import async_create_transport

_LONGEST_SECONDS: Final = 10


@callback
def async_sign_out_in_background(
    hass: HomeAssistant, data: Mapping[str, Any], token: str
) -> None:
    """End a sign-in at plex.tv while everything else goes on."""
    hass.async_create_background_task(
        async_sign_out(hass, dict(data), token), "plex_auth sign out"
    )


async def async_sign_out(
    hass: HomeAssistant, data: Mapping[str, Any], token: str
) -> None:
    """End a sign-in at plex.tv; it takes 10 seconds at most and never fails.

    `data` names the client identifier and the address that the token was made with.
    """
    plex = PlexTv(
        async_create_transport(hass, data[CONF_CLIENT_IDENTIFIER]), data[CONF_API_URL]
    )
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            await plex.sign_out(token)
    except (PlexError, TimeoutError) as err:
        LOGGER.info("The sign-in could not be ended at plex.tv: %s", err)
