"""What runs for an entry: its coordinators, and who is told of a server that comes."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import callback

from .coordinator import AccountCoordinator
from .devices_coordinator import DevicesCoordinator
from .server_coordinator import ServerCoordinator

type PlexAuthConfigEntry = ConfigEntry[PlexAuthData]


@dataclass(slots=True)
class PlexAuthData:
    """Hold the coordinators of an entry, and who adds what belongs to a server.

    Servers stand by the id of their subentry.
    """

    account: AccountCoordinator
    devices: DevicesCoordinator
    servers: dict[str, ServerCoordinator] = field(default_factory=dict)
    listeners: list[Callable[[ServerCoordinator], None]] = field(default_factory=list)
    is_ready: bool = False

    @callback
    def async_listen(self, listener: Callable[[ServerCoordinator], None]) -> None:
        """Call a listener with each server that there is, and that comes."""
        self.listeners.append(listener)
        for subentry_id, server in self.servers.items():
            if subentry_id in self.account.config_entry.subentries:
                listener(server)

    @callback
    def async_add(self, server: ServerCoordinator) -> None:
        """Add a server, and tell of it."""
        self.servers[server.subentry.subentry_id] = server
        for listener in self.listeners:
            listener(server)

    async def async_check_now(self) -> None:
        """Ask plex.tv and all servers now, and wait for what they say."""
        await asyncio.gather(
            self._async_check_account(),
            *(server.async_check_now() for server in self.servers.values()),
        )

    async def _async_check_account(self) -> None:
        """Ask plex.tv whether it accepts the sign-in, then for the devices."""
        await self.account.async_check_now()
        await self.devices.async_poll()
