"""A random walk through a house of years: whatever happens, everything stays consistent."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from functools import wraps
import logging
import random
from typing import Any, override

from freezegun.api import FrozenDateTimeFactory
from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
import pytest

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
from .usage import Usage

REJECTED = Fault.plex_error(1001, 401)
STEPS = 50
WALKS = 50
WALKS_IN_FULL = 1_000


def at_home[**P](
    step: Callable[P, Coroutine[Any, Any, None]],
) -> Callable[P, None]:
    """Return a step that runs to its end in Home Assistant's event loop."""

    @wraps(step)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        walk = args[0]
        assert isinstance(walk, Walk)
        walk.steps += 1
        walk.home.hass.loop.run_until_complete(step(*args, **kwargs))

    return run


def drawn(data: st.DataObject, servers: list[MediaServer]) -> MediaServer:
    """Return one of the servers, drawn by its name, which a failure then shows."""
    by_name = {server.name: server for server in servers}
    return by_name[data.draw(st.sampled_from(sorted(by_name)))]


class Walk(RuleBasedStateMachine):
    """Do one thing after the other to a house, as hypothesis draws it.

    Each walk has an entry of its own, and leaves Plex's world as it was.
    """

    steps = 0

    def __init__(
        self, home: Home, freezer: FrozenDateTimeFactory, usages: list[Usage]
    ) -> None:
        """Take the house, and what was in use after each walk before."""
        super().__init__()
        self.home, self.freezer, self.usages = home, freezer, usages
        world = home.world
        self.servers = [world.living_room, world.basement, world.shared]
        self.stopped = list[MediaServer]()
        self.is_rejected = self.is_plex_tv_away = False

    @initialize()
    @at_home
    async def set_up(self) -> None:
        """Set up Anna's entry with one of her servers."""
        # Hypothesis starts each walk with the same random numbers, of which Home
        # Assistant makes the ids in its registries.
        random.seed()
        self.entry = await self.home.add(self.home.anna, self.home.server)

    def added(self) -> list[MediaServer]:
        """Return the servers that are added."""
        identifiers = {one.unique_id for one in self.entry.subentries.values()}
        return [one for one in self.servers if one.machine_identifier in identifiers]

    def missing(self) -> list[MediaServer]:
        """Return the servers that are not added."""
        added = self.added()
        return [one for one in self.servers if one not in added]

    def running(self) -> list[MediaServer]:
        """Return the servers that are not stopped."""
        return [one for one in self.servers if one not in self.stopped]

    @precondition(lambda self: bool(self.missing()))
    @rule(data=st.data())
    @at_home
    async def add(self, data: st.DataObject) -> None:
        """Add a server."""
        self.home.add_server(self.entry, drawn(data, self.missing()))

    @precondition(lambda self: bool(self.added()))
    @rule(data=st.data())
    @at_home
    async def remove(self, data: st.DataObject) -> None:
        """Remove a server."""
        server = drawn(data, self.added())
        self.home.hass.config_entries.async_remove_subentry(
            self.entry, subentry_of(self.entry, server).subentry_id
        )

    @precondition(lambda self: bool(self.added()))
    @rule(data=st.data())
    @at_home
    async def change_sources(self, data: st.DataObject) -> None:
        """Watch other sources of a server."""
        server = drawn(data, self.added())
        sources = {one.name: source_of(one) for one in self.servers}
        names = data.draw(st.lists(st.sampled_from(sorted(sources)), unique=True))
        watched = [sources[name] for name in names]
        self.home.change_server(self.entry, server, **{CONF_SOURCES: watched})

    @precondition(lambda self: bool(self.added()))
    @rule(data=st.data())
    @at_home
    async def change_address(self, data: st.DataObject) -> None:
        """Type the address of a server."""
        server = drawn(data, self.added())
        self.home.change_server(self.entry, server, url=server.http_url)

    @rule()
    @at_home
    async def reload(self) -> None:
        """Reload the entry while everything else goes on."""
        self.home.hass.config_entries.async_schedule_reload(self.entry.entry_id)

    @precondition(lambda self: not self.is_rejected)
    @rule()
    @at_home
    async def reject(self) -> None:
        """Let plex.tv reject the token."""
        self.home.simulator.faults.set("user", REJECTED)
        self.is_rejected = True

    @precondition(lambda self: self.is_rejected)
    @rule()
    @at_home
    async def accept(self) -> None:
        """Let plex.tv accept the token again."""
        self.home.simulator.faults.clear()
        self.is_rejected = False

    @precondition(lambda self: bool(self.running()))
    @rule(data=st.data())
    @at_home
    async def stop(self, data: st.DataObject) -> None:
        """Stop a server."""
        server = drawn(data, self.running())
        self.stopped.append(server)
        await server.stop()

    @precondition(lambda self: bool(self.stopped))
    @rule(data=st.data())
    @at_home
    async def start(self, data: st.DataObject) -> None:
        """Start a server again."""
        server = drawn(data, self.stopped)
        self.stopped.remove(server)
        await server.start()

    @precondition(lambda self: not self.is_plex_tv_away)
    @rule()
    @at_home
    async def take_plex_tv_away(self) -> None:
        """Take plex.tv away."""
        self.is_plex_tv_away = True
        await self.home.simulator.stop_plex_tv()

    @precondition(lambda self: self.is_plex_tv_away)
    @rule()
    @at_home
    async def bring_plex_tv_back(self) -> None:
        """Bring plex.tv back."""
        self.is_plex_tv_away = False
        await self.home.simulator.start_plex_tv()

    @rule(
        action=st.sampled_from(
            ["get_token_details", "get_servers", "get_transient_token"]
        ),
        patience=st.none() | st.integers(0, 40),
    )
    @at_home
    async def act(self, action: str, patience: int | None) -> None:
        """Call an action, and cancel it after some turns of the loop, or never."""
        task = self.home.hass.async_create_task(self._call(action))
        if patience is not None:
            for _ in range(patience):
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])

    async def _call(self, action: str) -> None:
        with suppress(HomeAssistantError):
            await self.home.call(action)

    @rule()
    @at_home
    async def open_dialog(self) -> None:
        """Open a dialog to reconfigure the account."""
        await self.entry.start_reconfigure_flow(self.home.hass)

    @rule()
    @at_home
    async def close_dialogs(self) -> None:
        """Close all dialogs that reconfigure the account."""
        self._close_dialogs()

    def _close_dialogs(self) -> None:
        flows = self.home.hass.config_entries.flow
        for flow in flows.async_progress_by_handler(DOMAIN):
            if flow["context"]["source"] == SOURCE_RECONFIGURE:
                flows.async_abort(flow["flow_id"])

    @rule(minutes=st.sampled_from([1, 5, 15, 61]))
    @at_home
    async def wait(self, minutes: int) -> None:
        """Let time pass."""
        await self.home.wait(self.freezer, timedelta(minutes=minutes, seconds=1))

    @override
    def teardown(self) -> None:
        """Bring everything back, let two hours pass, and check what there is then."""
        self.home.hass.loop.run_until_complete(self._end())

    async def _end(self) -> None:
        try:
            await self._calm_down()
            self.check()
        finally:
            await self.home.remove(self.entry)
            self.home.simulator.faults.clear()
            self.home.simulator.requests.clear()
        self.usages.append(Usage.now(self.home))
        assert not self.usages[-1].grown_since(self.usages[0])

    async def _calm_down(self) -> None:
        for server in self.stopped:
            await server.start()
        if self.is_plex_tv_away:
            await self.home.simulator.start_plex_tv()
        self._close_dialogs()
        await self.home.settle()
        for _ in range(2):
            await self.home.wait(self.freezer, timedelta(hours=1, seconds=1))

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


def test_random_walk(
    home: Home,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
    pytestconfig: pytest.Config,
) -> None:
    """After any number of things that happen, all is as if nothing had."""
    is_full = pytestconfig.getoption("--full")
    walks = list[Walk]()
    usages = list[Usage]()

    class WalkAtHome(Walk):
        def __init__(self) -> None:
            super().__init__(home, freezer, usages)
            walks.append(self)

    run_state_machine_as_test(
        WalkAtHome,
        settings=settings(
            max_examples=WALKS_IN_FULL if is_full else WALKS,
            stateful_step_count=STEPS,
            derandomize=not is_full,
            deadline=None,
            database=None,
        ),
    )
    steps = sum(walk.steps for walk in walks)
    assert steps >= (50_000 if is_full else 2_000)
    assert not [
        record.getMessage()
        for record in caplog.records
        if record.exc_info is not None and record.levelno >= logging.ERROR
    ]
