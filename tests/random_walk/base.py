"""The base of a random walk: what is there, and what has to be true at its end."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from functools import wraps
from itertools import cycle
import random
from typing import Any, override

from freezegun.api import FrozenDateTimeFactory
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.plex_auth.clients import async_create_transport
from custom_components.plex_auth.const import DOMAIN, SUBENTRY_TYPE_SERVER
from homeassistant.config_entries import ConfigEntryState
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
from tests.conftest import Dns
from tests.harness import Harness
from tests.helpers import subentry_of
from tests.home_users import async_add_home_user
from tests.plex_simulator import Account, MediaServer
from tests.resource_usage import ResourceUsage

from .adversary import Adversary
from .consistency import (
    accepts_token,
    added,
    check_account,
    check_home_user,
    check_issues,
    check_nothing_is_left,
    check_server,
    check_servers,
    check_sockets,
)
from .dialogs import Dialogs, Picks, picked

CANCELLED = st.none() | st.integers(0, 40)
PICKS = st.lists(st.integers(0, 11), min_size=16, max_size=16).map(cycle)


def in_event_loop[**P](
    step: Callable[P, Coroutine[Any, Any, None]],
) -> Callable[P, None]:
    """Return a step that runs to its end in Home Assistant's event loop."""

    @wraps(step)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        walk = args[0]
        assert isinstance(walk, RandomWalkBase)
        walk.steps += 1
        walk.harness.hass.loop.run_until_complete(step(*args, **kwargs))

    return run


class RandomWalkBase(RuleBasedStateMachine):
    """Know what is there, set it up, and check it at the end.

    Each walk has an entry of its own, and leaves Plex's world as it was.
    """

    steps = 0

    def __init__(
        self,
        harness: Harness,
        freezer: FrozenDateTimeFactory,
        usages: list[ResourceUsage],
        dns: Dns,
    ) -> None:
        """Take the harness, what was in use after each walk before, and the router."""
        super().__init__()
        self.harness, self.freezer, self.usages = harness, freezer, usages
        self.dns = dns
        world = harness.world
        self.servers = [world.living_room, world.basement, world.shared]
        self.adversary = Adversary(harness, self.servers)
        self.home_users = [world.home.child, world.home.managed]
        self.dialogs = Dialogs(
            harness, self.servers, self.home_users, self.adversary.typed
        )
        self.stopped = list[MediaServer]()
        self.is_refused = self.is_plex_tv_away = False
        # The transient tokens that actions have given last, by the id of the subentry.
        self.tokens = dict[str, str]()

    @initialize()
    @in_event_loop
    async def set_up(self) -> None:
        """Set up Anna's entry with one of her servers and a child of her Home."""
        # Hypothesis starts each walk with the same random numbers, of which Home
        # Assistant makes the ids in its registries.
        random.seed()
        self.dns.plex_direct = False
        for server in self.servers:
            server.notifications.allowed = True
        for component in ("homeassistant", "repairs"):
            assert await async_setup_component(self.harness.hass, component, {})
        self.entry = await self.harness.add(self.harness.anna, self.harness.server)
        await async_add_home_user(
            self.harness, self.entry, self.harness.world.home.child
        )
        # Of the sessions that all share, one is made by a repair only.
        async_create_transport(self.harness.hass, "any", verify_ssl=False)

    def added(self) -> list[MediaServer]:
        """Return the servers that are added."""
        return added(self.entry, self.servers)

    def missing(self) -> list[MediaServer]:
        """Return the servers that are not added."""
        added = self.added()
        return [one for one in self.servers if one not in added]

    def added_home_users(self) -> list[Account]:
        """Return the Home users that are added."""
        uuids = {one.unique_id for one in self.entry.subentries.values()}
        return [one for one in self.home_users if one.uuid in uuids]

    def home_members(self) -> list[Account]:
        """Return the Home users that are in the Home."""
        members = self.harness.world.home.home.members
        return [one for one in self.home_users if one in members]

    def running(self) -> list[MediaServer]:
        """Return the servers that are not stopped."""
        return [one for one in self.servers if one not in self.stopped]

    @staticmethod
    def one_of[T](found: list[T], picks: Picks) -> tuple[T, ...]:
        """Return one of what there is, nothing where there is nothing."""
        return (picked(found, picks),) if found else ()

    def devices(
        self, subentry_type: str = SUBENTRY_TYPE_SERVER
    ) -> list[dr.DeviceEntry]:
        """Return the device pages of servers: one comes once its account is set up."""
        registry, entry_id = dr.async_get(self.harness.hass), self.entry.entry_id
        return [
            device
            for subentry in self.entry.get_subentries_of_type(subentry_type)
            for device in dr.async_entries_for_config_entry(registry, entry_id)
            if device.config_subentry_id == subentry.subentry_id
        ]

    async def call[AnswerT](
        self, call: Coroutine[Any, Any, AnswerT], when: int | None
    ) -> AnswerT | None:
        """Return the answer of an action; None where it fails or is cancelled.

        It is cancelled after so many turns of the event loop, None for never.
        """
        task = self.harness.hass.async_create_task(call)
        if when is not None:
            for _ in range(when):
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])
        if task.cancelled():
            return None
        with suppress(HomeAssistantError):
            return task.result()
        return None

    async def let_pass(self, step: timedelta) -> None:
        """Let time pass, and wait for what is due by then."""
        self.freezer.tick(step)
        async_fire_time_changed(self.harness.hass)
        await self._settle()

    async def _settle(self) -> None:
        """Wait until everything that was started is done.

        A code that waits to be confirmed waits for the time, which stands still here.
        """
        hass = self.harness.hass
        while True:
            await hass.async_block_till_done()
            busy = [
                task
                for task in hass._background_tasks
                if isinstance(task, asyncio.Task)
                and not task.get_name().startswith("plex_auth link")
            ]
            if not busy:
                return
            await asyncio.wait(busy)

    @override
    def teardown(self) -> None:
        """Bring everything back, let two hours pass, and check what there is then."""
        self.harness.hass.loop.run_until_complete(self._end())

    async def _end(self) -> None:
        try:
            await self._calm_down()
            await self._check()
        finally:
            await self.adversary.end()
            self._bring_home()
            for entry in self.harness.hass.config_entries.async_entries(DOMAIN):
                await self.harness.hass.config_entries.async_remove(entry.entry_id)
            self.dialogs.close_all()
            # Idle connections are closed by then.
            await self.let_pass(timedelta(minutes=1))
            self.harness.simulator.faults.clear()
            self.harness.simulator.requests.clear()
        await check_nothing_is_left(self.harness)
        self.usages.append(ResourceUsage.now(self.harness))
        grown = self.usages[-1].grown_since(self.usages[0])
        assert not grown, grown

    def _bring_home(self) -> None:
        """Let all Home users be in the Home again, signed in nowhere."""
        home, homes = self.harness.world.home.home, self.harness.simulator.homes
        for user in self.home_users:
            if user not in home.members:
                homes.add_member(home, user)
            user.revoke_tokens()

    async def _calm_down(self) -> None:
        await self.adversary.end()
        self.dns.plex_direct = True
        for server in self.stopped:
            await server.start()
        if self.is_plex_tv_away:
            await self.harness.simulator.start_plex_tv()
        self.dialogs.close_all()
        await self._settle()
        # A change is taken over at once, not by a later one.
        if self.entry.state is ConfigEntryState.LOADED:
            check_servers(self.entry)
        for _ in range(2):
            await self.let_pass(timedelta(hours=1, seconds=1))
            await self._is_listening()
        await self._listen()
        # A request to sign in that is closed comes again at once, not at the next poll.
        self.dialogs.close_all()
        await self._settle()

    async def _listen(self) -> None:
        """Let time pass until all sockets are open again, for an hour at most."""
        for _ in range(13):
            if await self._is_listening():
                return
            await self.let_pass(timedelta(minutes=5))

    async def _is_listening(self) -> bool:
        """Return whether all sockets are open, or open soon.

        A leap of time ends an attempt that is under way.
        """
        with suppress(TimeoutError):
            await check_sockets(self.harness, self.entry, self.servers, seconds=0.5)
            return True
        return False

    async def _check(self) -> None:
        """Check that everything is what it should be."""
        harness, entry = self.harness, self.entry
        await check_sockets(harness, entry, self.servers)
        is_rejected = self.is_refused or not accepts_token(harness, entry)
        check_account(harness, entry, is_rejected=is_rejected)
        for server in self.added():
            token = self.tokens.get(subentry_of(entry, server).subentry_id)
            check_server(harness, entry, server, token)
        for user in self.added_home_users():
            check_home_user(harness, entry, user, self.servers)
        check_issues(harness, entry)
