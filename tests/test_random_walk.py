"""A random walk through a house of years: whatever happens, everything stays consistent."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
import logging
from random import Random

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import CONF_SOURCES, DOMAIN
from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigEntryState
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)

from .helpers import account_coordinator, source_of, subentry_of
from .home import Home
from .plex_simulator import Fault, MediaServer

REJECTED = Fault.plex_error(1001, 401)


class Walker:
    """Do one thing after the other to a house, drawn by chance."""

    def __init__(
        self,
        home: Home,
        freezer: FrozenDateTimeFactory,
        entry: MockConfigEntry,
        servers: list[MediaServer],
        random: Random,
    ) -> None:
        """Take the house."""
        self.home, self.freezer, self.entry = home, freezer, entry
        self.servers, self.random = servers, random
        self.stopped = set[str]()
        self.is_rejected = self.is_plex_tv_away = False

    def added(self) -> list[MediaServer]:
        """Return the servers that are added."""
        identifiers = {one.unique_id for one in self.entry.subentries.values()}
        return [one for one in self.servers if one.machine_identifier in identifiers]

    async def add(self) -> None:
        """Add a server."""
        missing = [one for one in self.servers if one not in self.added()]
        if missing:
            self.home.add_server(self.entry, self.random.choice(missing))

    async def remove(self) -> None:
        """Remove a server."""
        if added := self.added():
            subentry_id = subentry_of(self.entry, self.random.choice(added)).subentry_id
            self.home.hass.config_entries.async_remove_subentry(self.entry, subentry_id)

    async def change(self) -> None:
        """Change the sources or the address of a server."""
        if not (added := self.added()):
            return
        server = self.random.choice(added)
        if self.random.random() < 0.5:
            sources = self.random.sample([source_of(one) for one in self.servers], 2)
            self.home.change_server(self.entry, server, **{CONF_SOURCES: sources})
        else:
            self.home.change_server(self.entry, server, url=server.http_url)

    async def reload(self) -> None:
        """Reload the entry while everything else goes on."""
        self.home.hass.config_entries.async_schedule_reload(self.entry.entry_id)

    async def reject(self) -> None:
        """Let plex.tv reject the token."""
        self.home.simulator.faults.set("user", REJECTED)
        self.is_rejected = True

    async def accept(self) -> None:
        """Let plex.tv accept the token again."""
        self.home.simulator.faults.clear()
        self.is_rejected = False

    async def stop(self) -> None:
        """Stop a server."""
        server = self.random.choice(self.servers)
        if server.machine_identifier not in self.stopped:
            self.stopped.add(server.machine_identifier)
            await server.stop()

    async def start(self) -> None:
        """Start a server again."""
        server = self.random.choice(self.servers)
        if server.machine_identifier in self.stopped:
            self.stopped.remove(server.machine_identifier)
            await server.start()

    async def plex_tv(self) -> None:
        """Take plex.tv away, or bring it back."""
        if self.is_plex_tv_away:
            await self.home.simulator.start_plex_tv()
        else:
            await self.home.simulator.stop_plex_tv()
        self.is_plex_tv_away = not self.is_plex_tv_away

    async def act(self) -> None:
        """Call an action, which may be cancelled on its way."""
        action = self.random.choice(
            ["get_token_details", "get_servers", "get_transient_token"]
        )
        task = self.home.hass.async_create_task(self._call(action))
        if self.random.random() < 0.4:
            for _ in range(self.random.randrange(40)):
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])

    async def _call(self, action: str) -> None:
        with suppress(HomeAssistantError):
            await self.home.call(action)

    async def dialog(self) -> None:
        """Open a dialog to reconfigure, or close all dialogs."""
        flows = self.home.hass.config_entries.flow
        if self.random.random() < 0.5:
            await self.entry.start_reconfigure_flow(self.home.hass)
            return
        for flow in flows.async_progress_by_handler(DOMAIN):
            if flow["context"]["source"] == SOURCE_RECONFIGURE:
                flows.async_abort(flow["flow_id"])

    async def wait(self) -> None:
        """Let time pass."""
        minutes = self.random.choice([1, 5, 15, 61])
        await self.home.wait(self.freezer, timedelta(minutes=minutes, seconds=1))

    async def step(self) -> None:
        """Do one thing."""
        steps: list[Callable[[], Awaitable[None]]] = [
            *(self.add, self.add, self.remove, self.change, self.change),
            *(self.reload, self.reject, self.accept, self.accept),
            *(self.stop, self.start, self.start, self.plex_tv, self.act, self.act),
            *(self.dialog, self.wait, self.wait, self.wait),
        ]
        await self.random.choice(steps)()

    async def calm_down(self) -> None:
        """Bring everything back, let an hour pass and check that nothing is left over."""
        for server in self.servers:
            if server.machine_identifier in self.stopped:
                await server.start()
        self.stopped.clear()
        if self.is_plex_tv_away:
            await self.plex_tv()
        for flow in self.home.hass.config_entries.flow.async_progress_by_handler(
            DOMAIN
        ):
            if flow["context"]["source"] == SOURCE_RECONFIGURE:
                self.home.hass.config_entries.flow.async_abort(flow["flow_id"])
        await self.home.settle()
        for _ in range(2):
            await self.home.wait(self.freezer, timedelta(hours=1, seconds=1))
        self.check()

    def check(self) -> None:
        """Check that entities, devices, issues and dialogs are what they should be."""
        hass, entry = self.home.hass, self.entry
        assert entry.state is ConfigEntryState.LOADED
        added = self.added()
        assert entry.runtime_data.servers.keys() == entry.subentries.keys()
        devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
        assert len(devices) == 1 + len(added)
        entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
        for server in added:
            watched = subentry_of(entry, server).data[CONF_SOURCES]
            prefix = f"{self.home.anna.uuid}_{server.machine_identifier}_"
            keys = {
                entity.unique_id.removeprefix(prefix)
                for entity in entities
                if entity.unique_id.startswith(prefix)
            }
            assert {key for key in keys if key.startswith("source_")} == {
                f"source_{source}" for source in watched
            }
            assert self.home.state("binary_sensor.reachable", server) == "on"
        assert {entity.config_subentry_id for entity in entities} - {None} == set(
            entry.subentries
        )
        assert account_coordinator(entry).token_rejected is self.is_rejected
        assert self.home.reauth_flows(entry) == self.is_rejected
        assert not [
            issue_id
            for domain, issue_id in ir.async_get(hass).issues
            if domain == DOMAIN and not issue_id.endswith(tuple(entry.subentries))
        ]


@pytest.mark.parametrize("seed", range(25))
async def test_random_walk(
    home: Home,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
    pytestconfig: pytest.Config,
    seed: int,
) -> None:
    """After any number of things that happen, all is as if nothing had."""
    rounds = 40 if pytestconfig.getoption("--full") else 2
    servers = [home.world.living_room, home.world.basement, home.world.shared]
    walker = Walker(home, freezer, entry, servers, Random(seed))
    for _ in range(rounds):
        for _ in range(50):
            await walker.step()
        await walker.calm_down()
    assert not [
        record.getMessage()
        for record in caplog.records
        if record.exc_info is not None and record.levelno >= logging.ERROR
    ]
