"""One account in Home Assistant, and the bare client beside it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

from yarl import URL

from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.api.server import PlexServer
from custom_components.plex_auth.clients import async_create_transport
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.update_coordinator import (
    CoordinatorEntity,
    DataUpdateCoordinator,
)

from .hass import (
    DOMAIN,
    add_entry,
    check_reached,
    entities,
    listening,
    running_home_assistant,
    set_up,
)
from .simulated import SimulatedServer, World

type Call = Callable[[], Awaitable[Any]]


class Household:
    """One account in a running Home Assistant, and the bare client of its Plex."""

    def __init__(self, hass: HomeAssistant, world: World, entry: ConfigEntry) -> None:
        """Take the entry of the account, which is set up."""
        self.hass = hass
        self.entry = entry
        self.account = world.accounts[0]
        self._transport = async_create_transport(hass, world.client_identifier)
        self.plex_tv = PlexTv(self._transport, world.api_url)

    @classmethod
    @asynccontextmanager
    async def running(cls, world: World, **options: bool) -> AsyncIterator[Self]:
        """Run Home Assistant with the first account of the world, added with the options."""
        async with running_home_assistant(world) as hass:
            entry = add_entry(hass, world, world.accounts[0], **options)
            await set_up(hass, [entry])
            check_reached(hass, [entry])
            yield cls(hass, world, entry)

    def other(self, server: SimulatedServer) -> SimulatedServer:
        """Return another server of the account."""
        return next(one for one in self.account.servers if one is not server)

    def coordinator(self, *parts: str) -> DataUpdateCoordinator[Any]:
        """Return the coordinator of an entity, given the parts of its unique ID."""
        entity = self.entity(*parts)
        assert isinstance(entity, CoordinatorEntity)
        found: DataUpdateCoordinator[Any] = entity.coordinator
        return found

    def entity(self, *parts: str) -> Entity:
        """Return an entity, given the parts of its unique ID."""
        unique_id = "_".join((self.account.uuid, *parts))
        return next(
            entity
            for entity in entities(self.hass, self.entry)
            if entity.unique_id == unique_id
        )

    async def listening(self) -> None:
        """Wait until all servers have an open socket."""
        await listening(self.hass, [self.entry])

    def action(self, name: str, **fields: str) -> Call:
        """Return a function that runs an action and returns its response."""

        async def _call() -> Any:
            return await self.hass.services.async_call(
                DOMAIN, name, fields, blocking=True, return_response=True
            )

        return _call

    def transient_token(self, server: SimulatedServer) -> Call:
        """Return the action that gets a transient token from a server."""
        return self.action("get_transient_token", device_id=self._device_id(server))

    def source(self, server: SimulatedServer) -> Call:
        """Return the action that asks a server for the connections of another one."""
        return self.action(
            "get_source_connection_information",
            device_id=self._device_id(server),
            source=self.other(server).source,
        )

    async def bare_server(self, server: SimulatedServer) -> PlexServer:
        """Return the bare client of a server, at the address that the integration uses."""
        response = await self.source(server)()
        return PlexServer(self._transport, URL(response["server"]["uri"]))

    def _device_id(self, server: SimulatedServer) -> str:
        identifier = f"{self.account.uuid}_{server.machine_identifier}"
        return next(
            device.id
            for device in dr.async_entries_for_config_entry(
                dr.async_get(self.hass), self.entry.entry_id
            )
            if (DOMAIN, identifier) in device.identifiers
        )
