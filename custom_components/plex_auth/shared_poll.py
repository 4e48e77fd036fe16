"""A poll that does not end with one of those who wait for it."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from .api.errors import PlexError
from .api.shared_request import SharedRequest, Start
from .const import LOGGER


def background(hass: HomeAssistant, entry: ConfigEntry[Any]) -> Start:
    """Return what starts a shared request, which ends with the entry."""

    def start(request: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return entry.async_create_background_task(
            hass, request, "plex_auth request", eager_start=False
        )

    return start


class SharedPollCoordinator[DataT](DataUpdateCoordinator[DataT]):
    """Poll on its own for all who wish at once.

    Home Assistant polls within whoever asks for it, such as a script that runs an action
    of it. Where the script is turned off, it takes the poll for one that has failed.
    """

    config_entry: ConfigEntry[Any]

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        *,
        name: str,
        interval: timedelta,
        always_update: bool = False,
    ) -> None:
        """Take what is polled, by the name that it has in the log, and how often.

        `always_update` says whether listeners are told when the data is as before.
        """
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=name,
            update_interval=interval,
            always_update=always_update,
        )
        start = background(hass, entry)
        self._poll = SharedRequest(self.async_refresh, start)
        self._requested = SharedRequest(super().async_request_refresh, start)

    @callback
    def async_poll_now(self) -> None:
        """Poll at once, while everything else goes on."""
        self._poll.begin()

    async def async_poll(self) -> None:
        """Poll at once, and wait for the end of that, however it ends."""
        with suppress(PlexError):
            await self._poll.share()

    @override
    async def async_request_refresh(self) -> None:
        """Poll as Home Assistant's own action asks, which is not too often."""
        with suppress(PlexError):
            await self._requested.share()
