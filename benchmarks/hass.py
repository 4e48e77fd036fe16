"""A real Home Assistant in this process, with the integration and a simulated Plex."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
import ssl
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import homeassistant  # noqa: F401 - before anything that imports voluptuous

# isort: split
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_test_home_assistant,
)

import custom_components.plex_auth
from homeassistant.config_entries import ConfigEntry, ConfigSubentryData
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import async_get_platforms
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.setup import async_setup_component
from tests.plex_simulator import PlexDirectResolver

from .simulated import SimulatedAccount, World

assert custom_components.plex_auth  # Home Assistant finds it only when it is loaded

DOMAIN = "plex_auth"

_LISTENING_SECONDS = 60.0


class _Resolver(PlexDirectResolver):
    async def real_close(self) -> None:
        """Close nothing; Home Assistant calls this at its end."""


@asynccontextmanager
async def running_home_assistant(world: World) -> AsyncIterator[HomeAssistant]:
    """Run Home Assistant during the block; it trusts the simulator."""
    context = ssl.create_default_context(cafile=world.ca_file)
    with (
        TemporaryDirectory(prefix="plex-auth-bench-") as folder,
        patch(
            "homeassistant.helpers.aiohttp_client._async_make_resolver",
            return_value=_Resolver(),
        ),
        patch(
            "homeassistant.helpers.aiohttp_client.ssl_util.client_context",
            return_value=context,
        ),
    ):
        async with async_test_home_assistant(config_dir=folder) as hass:
            hass.data.pop(DATA_CUSTOM_COMPONENTS)
            await async_setup_component(hass, DOMAIN, {})
            try:
                yield hass
            finally:
                await hass.async_stop(force=True)


def add_entry(
    hass: HomeAssistant,
    world: World,
    account: SimulatedAccount,
    *,
    over_http: bool = False,
    watches_source: bool = False,
    has_home_user: bool = False,
) -> MockConfigEntry:
    """Add the entry of an account with all its servers, and perhaps its Home user.

    Over http the servers have typed addresses. The watched source is the last server,
    and the first one is asked for it.
    """
    stored: list[dict[str, Any]] = [{"sources": []} for _ in account.servers]
    if watches_source:
        stored[0]["sources"] = [account.servers[-1].source]
    if over_http:
        for data, server in zip(stored, account.servers, strict=True):
            data |= {"url": server.url, "verify_ssl": True}
    subentries = [
        ConfigSubentryData(
            data=data,
            subentry_type="server",
            title=server.name,
            unique_id=server.machine_identifier,
        )
        for data, server in zip(stored, account.servers, strict=True)
    ]
    if has_home_user:
        user = account.home_user
        subentries.append(
            ConfigSubentryData(
                data={"token": user.token},
                subentry_type="home_user",
                title=user.title,
                unique_id=user.uuid,
            )
        )
    entry = MockConfigEntry(
        domain=DOMAIN,
        title=account.title,
        unique_id=account.uuid,
        data={
            "token": account.token,
            "client_identifier": world.client_identifier,
            "api_url": world.api_url,
            "token_origin": "token",
        },
        subentries_data=subentries,
    )
    entry.add_to_hass(hass)
    return entry


async def set_up(hass: HomeAssistant, entries: Iterable[ConfigEntry]) -> None:
    """Set up entries as Home Assistant does when it starts: all at once."""
    are_loaded = await asyncio.gather(
        *(hass.config_entries.async_setup(entry.entry_id) for entry in entries)
    )
    if not all(are_loaded):
        message = "an entry was not set up"
        raise RuntimeError(message)


def check_reached(hass: HomeAssistant, entries: Iterable[ConfigEntry]) -> None:
    """Raise RuntimeError unless all servers of the entries are reached."""
    for entry in entries:
        reached = [
            hass.states.is_state(entity.entity_id, "on")
            for entity in entities(hass, entry)
            if (entity.unique_id or "").endswith("_reachable")
        ]
        servers = list(entry.get_subentries_of_type("server"))
        if len(reached) != len(servers) or not all(reached):
            message = "a server was not reached"
            raise RuntimeError(message)


async def listening(hass: HomeAssistant, entries: Iterable[ConfigEntry]) -> None:
    """Wait until all servers of the entries have an open socket, or raise TimeoutError."""
    async with asyncio.timeout(_LISTENING_SECONDS):
        while not all(
            server.notifications.is_open
            for entry in entries
            for server in entry.runtime_data.servers.values()
        ):
            await asyncio.sleep(0.1)


def entities(hass: HomeAssistant, entry: ConfigEntry) -> Iterator[Entity]:
    """Yield the entities of an entry."""
    for platform in async_get_platforms(hass, DOMAIN):
        if platform.config_entry is entry:
            yield from platform.entities.values()
