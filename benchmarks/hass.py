"""A real Home Assistant in this process, with this integration and a simulated Plex."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
import ctypes
from dataclasses import dataclass
import gc
import os
from pathlib import Path
import socket
import ssl
from tempfile import TemporaryDirectory
import time
from typing import Any, override
from unittest.mock import patch

from aiohttp.abc import ResolveResult
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_test_home_assistant,
)

import custom_components.plex_auth
from custom_components.plex_auth.const import (
    CONF_API_URL,
    CONF_CLIENT_IDENTIFIER,
    CONF_SOURCES,
    CONF_TOKEN_ORIGIN,
    DOMAIN,
    SUBENTRY_TYPE_SERVER,
    TokenOrigin,
)
from custom_components.plex_auth.coordinator import PlexAuthData
from homeassistant.config_entries import ConfigEntryState, ConfigSubentryData
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.setup import async_setup_component
from tests.plex_simulator import PlexDirectResolver

from .simulated import SimulatedAccount, World
from .world import CLIENT_IDENTIFIER

assert custom_components.plex_auth  # Home Assistant finds it only when it is loaded


class _Resolver(PlexDirectResolver):
    """Resolve plex.direct names as the public DNS does, or not, as some routers."""

    def __init__(self, *, resolves: bool) -> None:
        super().__init__()
        self._resolves = resolves

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the address in the name; raise OSError where names do not resolve."""
        if not self._resolves:
            raise OSError(None, "Name or service not known")
        return await super().resolve(host, port, family)

    async def real_close(self) -> None:
        """Close nothing; Home Assistant calls this at its end."""

    @override
    async def close(self) -> None:
        """Close nothing."""


@asynccontextmanager
async def running_home_assistant(
    world: World, *, resolves: bool = True
) -> AsyncIterator[HomeAssistant]:
    """Run Home Assistant for the time of the block; it trusts the simulator.

    Servers are reached over https, or over http where plex.direct names do not resolve.
    """
    context = ssl.create_default_context(cafile=world.ca_file)
    with (
        TemporaryDirectory(prefix="plex-auth-bench-") as folder,
        patch(
            "homeassistant.helpers.aiohttp_client._async_make_resolver",
            return_value=_Resolver(resolves=resolves),
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
    sources: Iterable[str] = (),
) -> MockConfigEntry:
    """Add the entry of an account with all its servers; the first watches sources."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        title=account.title,
        unique_id=account.uuid,
        data={
            CONF_TOKEN: account.token,
            CONF_CLIENT_IDENTIFIER: CLIENT_IDENTIFIER,
            CONF_API_URL: world.api_url,
            CONF_TOKEN_ORIGIN: TokenOrigin.TOKEN,
        },
        subentries_data=[
            ConfigSubentryData(
                data={CONF_SOURCES: [] if number else list(sources)},
                subentry_type=SUBENTRY_TYPE_SERVER,
                title=server.name,
                unique_id=server.machine_identifier,
            )
            for number, server in enumerate(account.servers)
        ],
    )
    entry.add_to_hass(hass)
    return entry


async def set_up(hass: HomeAssistant, entries: Iterable[MockConfigEntry]) -> None:
    """Set entries up as Home Assistant does when it starts: all at once."""
    entries = list(entries)
    await asyncio.gather(
        *(hass.config_entries.async_setup(entry.entry_id) for entry in entries)
    )
    for entry in entries:
        if entry.state is not ConfigEntryState.LOADED:
            message = f"an entry is {entry.state}: {entry.reason}"
            raise RuntimeError(message)
        servers = data_of(entry).servers.values()
        if not all(server.last_update_success for server in servers):
            message = "a server was not reached"
            raise RuntimeError(message)


def data_of(entry: MockConfigEntry) -> PlexAuthData:
    """Return the coordinators of a loaded entry."""
    data: PlexAuthData = entry.runtime_data
    return data


def resident_bytes() -> int:
    """Return the memory that this process has now, freed memory given back before."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Steps:
    """Hold how long single steps held the event loop, in seconds.

    `wall` is what a clock on the wall showed, other processes included, `cpu` what this
    thread did, `own` the same without the garbage collections that fell into the step.
    """

    wall: float = 0.0
    cpu: float = 0.0
    own: float = 0.0
    collection: float = 0.0
    whose: str = ""

    def add(self, wall: float, cpu: float, collection: float, handle: Any) -> None:
        """Take the times of one step."""
        self.wall = max(self.wall, wall)
        self.cpu = max(self.cpu, cpu)
        self.collection = max(self.collection, collection)
        if cpu - collection > self.own:
            self.own = cpu - collection
            self.whose = _shown(handle)


@contextmanager
def measured_steps() -> Iterator[Steps]:
    """Measure every step that the event loop takes in the block."""
    steps, collections = Steps(), _Collections()
    run = asyncio.events.Handle._run  # noqa: SLF001 - every step goes through it

    def _run(self: asyncio.Handle) -> None:
        collections.seconds = 0.0
        wall, cpu = time.perf_counter(), time.thread_time()
        run(self)
        cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
        steps.add(wall, cpu, collections.seconds, self)

    gc.callbacks.append(collections)
    try:
        with patch.object(asyncio.events.Handle, "_run", _run):
            yield steps
    finally:
        gc.callbacks.remove(collections)


class _Collections:
    """Sum up the time of garbage collections."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = 0.0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._start = time.thread_time()
        else:
            self.seconds += time.thread_time() - self._start


def _shown(handle: Any) -> str:
    """Return whose step it was: a task's coroutine, or a plain callback."""
    callback = handle._callback  # noqa: SLF001
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        return str(getattr(owner.get_coro(), "__qualname__", owner.get_name()))
    return str(getattr(callback, "__qualname__", callback))
