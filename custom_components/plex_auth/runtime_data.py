"""Runtime data of an entry: coordinators of its account and its servers."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import callback

from .api.intervals import Interval
from .api.shared_request import SharedRequest
from .const import SUBENTRY_TYPE_SERVER
from .coordinator import AccountCoordinator, background
from .devices_coordinator import DevicesCoordinator
from .messages import plex_tv_busy
from .server_coordinator import ServerCoordinator

_SHARED: Final = timedelta(seconds=10)

type PlexAuthConfigEntry = ConfigEntry[PlexAuthData]


@dataclass(slots=True)
class PlexAuthData:
    """An entry's coordinators, servers by subentry ID, and listeners for servers.

    `is_ready` is true between the end of the setup and the unload.
    """

    account: AccountCoordinator
    devices: DevicesCoordinator
    servers: dict[str, ServerCoordinator] = field(default_factory=dict)
    listeners: list[Callable[[ServerCoordinator], None]] = field(default_factory=list)
    is_ready: bool = False
    _since_check: Interval = field(default_factory=lambda: Interval(_SHARED))
    _check: SharedRequest = field(init=False)

    def __post_init__(self) -> None:
        """Prepare the check that calls at the same time share."""
        account = self.account
        self._check = SharedRequest(
            self._async_check, background(account.hass, account.config_entry)
        )

    @callback
    def async_listen(self, listener: Callable[[ServerCoordinator], None]) -> None:
        """Call a listener with each current and future server."""
        self.listeners.append(listener)
        # A server that was removed during the setup is shut down at its end.
        for subentry_id, server in self.servers.items():
            if subentry_id in self.account.config_entry.subentries:
                listener(server)

    @callback
    def async_add(self, server: ServerCoordinator) -> None:
        """Add a server and notify the listeners."""
        self.servers[server.subentry.subentry_id] = server
        for listener in self.listeners:
            listener(server)

    @callback
    def async_follow_servers(self) -> None:
        """Add, update, and remove servers one by one to match the entry."""
        hass, entry = self.account.hass, self.account.config_entry
        for subentry_id in self.servers.keys() - entry.subentries.keys():
            removed = self.servers.pop(subentry_id)
            entry.async_create_task(hass, removed.async_shutdown())
        for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_SERVER):
            if (known := self.servers.get(subentry.subentry_id)) is not None:
                known.async_follow()
                continue
            added = ServerCoordinator(hass, entry, subentry, self.account)
            self.async_add(added)
            entry.async_create_background_task(
                hass, added.async_check_now(), f"{added.name} poll"
            )

    async def async_check_now(self) -> None:
        """Poll plex.tv and all servers now, and wait for the results.

        Calls within 10 seconds share the first one's results. Raises HomeAssistantError
        while plex.tv wants to be left alone.
        """
        if self.account.is_paused:
            raise plex_tv_busy(self.account.pause.remaining)
        if self._since_check.is_over:
            self._since_check.begin()
            await self._check.share()
        else:
            await self._check.join()

    async def _async_check(self) -> None:
        """Poll plex.tv and all servers."""
        await asyncio.gather(
            self._async_check_account(),
            *(server.async_check_now() for server in self.servers.values()),
        )

    async def _async_check_account(self) -> None:
        """Poll the account, then its devices."""
        await self.account.async_check_now()
        await self.devices.async_poll()
