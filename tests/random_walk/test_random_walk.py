"""A random walk through years of use: whatever happens, everything stays consistent."""

from datetime import timedelta
import logging
from typing import cast

from freezegun.api import FrozenDateTimeFactory
from hypothesis import settings, strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test
import pytest

from custom_components.plex_auth.api import claim, connections
from custom_components.plex_auth.const import CONF_CLIENT_IDENTIFIER, CONF_SOURCES
from homeassistant.helpers import entity_registry as er
from tests.conftest import Dns
from tests.harness import Harness
from tests.helpers import source_of, subentry_of
from tests.plex_simulator import Fault
from tests.resource_usage import ResourceUsage

from .adversary import CERTIFICATES, Disguise
from .base import CANCELLED, PICKS, RandomWalkBase, in_event_loop
from .dialogs import Picks, picked
from .home_users import HomeUserSteps

REJECTED = Fault.plex_error(1001, 401)
DISGUISES = st.builds(
    Disguise,
    certificate=st.sampled_from(CERTIFICATES),
    claimed=st.sampled_from([True, False, None]),
    is_right=st.sampled_from([True, True, False]),
)
STEPS = 50
WALKS = 60
WALKS_WITH_ADVERSARY = 40
FULL_LENGTH = 25  # times as many walks


class AdversaryWalk(RandomWalkBase):
    """Do what somebody does who has an adversary, one thing after the other."""

    @rule(picks=PICKS)
    @in_event_loop
    async def add(self, picks: Picks) -> None:
        """Add a server."""
        for server in self.one_of(self.missing(), picks):
            self.harness.add_server(self.entry, server)

    @rule(picks=PICKS)
    @in_event_loop
    async def change_address(self, picks: Picks) -> None:
        """Type the address of a server."""
        for server in self.one_of(self.added(), picks):
            self.adversary.typed.add(server)
            self.harness.change_server(self.entry, server, url=server.http_url)

    @rule(picks=PICKS, disguise=DISGUISES, is_alone=st.booleans())
    @in_event_loop
    async def impersonate(
        self, picks: Picks, disguise: Disguise, is_alone: bool
    ) -> None:
        """Let another machine answer at the address of a server, which may be away.

        It is asked before long, and somebody does what a repair offers.
        """
        free = [one for one in self.added() if one in self.adversary.free]
        for server in self.one_of(free, picks):
            await self.adversary.take(server, disguise)
            if is_alone and server in self.running():
                self.stopped.append(server)
                await server.kill()
            await self.let_pass(timedelta(minutes=5, seconds=1))
            await self.dialogs.open_repair(picks, moves=3)

    @precondition(lambda self: bool(self.adversary.impostors))
    @rule(picks=PICKS)
    @in_event_loop
    async def give_back(self, picks: Picks) -> None:
        """Let a server have its address again."""
        await self.adversary.give_back(picked(self.adversary.impostors, picks))

    @rule(picks=PICKS)
    @in_event_loop
    async def rename(self, picks: Picks) -> None:
        """Let a server and its owner have a hostile name."""
        name = picked(self.adversary.names.single, picks)
        self.adversary.rename(picked(self.servers, picks), name)

    @rule(resolves=st.booleans())
    @in_event_loop
    async def change_router(self, resolves: bool) -> None:
        """Let the router resolve plex.direct names, or not."""
        self.dns.plex_direct = resolves

    @invariant()
    def no_secret_reaches_an_impostor(self) -> None:
        """Check what impostors got, and that nothing followed a name."""
        self.adversary.check()

    @rule(picks=PICKS, when=CANCELLED)
    @in_event_loop
    async def get_transient_token(self, picks: Picks, when: int | None) -> None:
        """Get a transient token of a server."""
        for device in self.one_of(self.devices(), picks):
            subentry_id = str(device.config_subentry_id)
            self.tokens.pop(subentry_id, None)
            action = self.harness.call("get_transient_token", device_id=device.id)
            response = await self.call(action, when)
            if response is not None:
                self.tokens[subentry_id] = response["token"]

    @rule(
        action=st.sampled_from(["button.press", "homeassistant.update_entity"]),
        when=CANCELLED,
    )
    @in_event_loop
    async def check_now(self, action: str, when: int | None) -> None:
        """Have Plex asked now, by our button or by Home Assistant's own action."""
        domain, _, name = action.partition(".")
        is_button = domain == "button"
        keys = ["button.check_now"] if is_button else ["binary_sensor.sign_in"]
        if self.added() and not is_button:
            keys.append("binary_sensor.reachable")
        registry = er.async_get(self.harness.hass)
        entities = [
            entity.entity_id
            for entity in er.async_entries_for_config_entry(
                registry, self.entry.entry_id
            )
            if f"{entity.domain}.{entity.translation_key}" in keys
        ]
        call = self.harness.hass.services.async_call(
            domain, name, {"entity_id": entities}, blocking=True
        )
        await self.call(call, when)

    @rule(picks=PICKS, is_new=st.booleans())
    @in_event_loop
    async def open_server(self, picks: Picks, is_new: bool) -> None:
        """Open a dialog to add a server, or to change one."""
        servers = [] if is_new else self.added()
        subentries = [subentry_of(self.entry, server) for server in servers]
        for subentry in self.one_of(subentries, picks) or (None,):
            await self.dialogs.open_server(self.entry, subentry)

    @rule(picks=PICKS, moves=st.integers(0, 3))
    @in_event_loop
    async def open_repair(self, picks: Picks, moves: int) -> None:
        """Open the dialog of a repair, and go on in it."""
        await self.dialogs.open_repair(picks, moves)

    @rule(picks=PICKS, moves=st.integers(1, 4))
    @in_event_loop
    async def go_on(self, picks: Picks, moves: int) -> None:
        """Go on in dialogs."""
        for _ in range(moves):
            await self.dialogs.go_on(picks)

    @rule(minutes=st.sampled_from([1, 5, 15, 61]))
    @in_event_loop
    async def wait(self, minutes: int) -> None:
        """Let time pass."""
        await self.let_pass(timedelta(minutes=minutes, seconds=1))


class Walk(AdversaryWalk, HomeUserSteps):
    """Do anything, one thing after the other, as hypothesis draws it."""

    @rule(picks=PICKS)
    @in_event_loop
    async def remove(self, picks: Picks) -> None:
        """Remove a server."""
        for server in self.one_of(self.added(), picks):
            self.harness.hass.config_entries.async_remove_subentry(
                self.entry, subentry_of(self.entry, server).subentry_id
            )

    @rule(picks=PICKS)
    @in_event_loop
    async def change_sources(self, picks: Picks) -> None:
        """Watch other sources of a server."""
        watched = [source_of(one) for one in self.servers if next(picks) % 2]
        for server in self.one_of(self.added(), picks):
            self.harness.change_server(self.entry, server, **{CONF_SOURCES: watched})

    @rule()
    @in_event_loop
    async def reload(self) -> None:
        """Reload the entry while everything else goes on."""
        self.harness.hass.config_entries.async_schedule_reload(self.entry.entry_id)

    @precondition(lambda self: not self.is_refused)
    @rule()
    @in_event_loop
    async def refuse(self) -> None:
        """Let plex.tv reject all tokens."""
        self.harness.simulator.faults.set("user", REJECTED)
        self.is_refused = True

    @precondition(lambda self: self.is_refused)
    @rule()
    @in_event_loop
    async def accept(self) -> None:
        """Let plex.tv accept again the tokens that are good."""
        self.harness.simulator.faults.clear()
        self.is_refused = False

    @rule()
    @in_event_loop
    async def revoke(self) -> None:
        """Remove Home Assistant from the account's devices: a new sign-in is needed."""
        self.harness.anna.revoke_token(self.entry.data[CONF_CLIENT_IDENTIFIER])

    @precondition(lambda self: bool(self.running()))
    @rule(picks=PICKS, is_orderly=st.booleans())
    @in_event_loop
    async def stop(self, picks: Picks, is_orderly: bool) -> None:
        """Stop a server, or let it crash."""
        server = picked(self.running(), picks)
        self.stopped.append(server)
        await (server.stop() if is_orderly else server.kill())

    @precondition(lambda self: bool(self.running()))
    @rule(picks=PICKS)
    @in_event_loop
    async def restart(self, picks: Picks) -> None:
        """Restart a server, which destroys its transient tokens."""
        await picked(self.running(), picks).restart()

    @precondition(lambda self: bool(self.stopped))
    @rule(picks=PICKS)
    @in_event_loop
    async def start(self, picks: Picks) -> None:
        """Start a server again."""
        server = picked(self.stopped, picks)
        self.stopped.remove(server)
        await server.start()

    @precondition(lambda self: not self.is_plex_tv_away)
    @rule()
    @in_event_loop
    async def take_plex_tv_away(self) -> None:
        """Take plex.tv away."""
        self.is_plex_tv_away = True
        await self.harness.simulator.stop_plex_tv()

    @precondition(lambda self: self.is_plex_tv_away)
    @rule()
    @in_event_loop
    async def bring_plex_tv_back(self) -> None:
        """Bring plex.tv back."""
        self.is_plex_tv_away = False
        await self.harness.simulator.start_plex_tv()

    @rule(action=st.sampled_from(["get_token_details", "get_servers"]), when=CANCELLED)
    @in_event_loop
    async def ask(self, action: str, when: int | None) -> None:
        """Call an action of the account."""
        await self.call(
            self.harness.call(action, config_entry_id=self.entry.entry_id), when
        )

    @rule()
    @in_event_loop
    async def open_reconfigure(self) -> None:
        """Open a dialog to reconfigure the account."""
        await self.entry.start_reconfigure_flow(self.harness.hass)

    @rule()
    @in_event_loop
    async def open_devices(self) -> None:
        """Open a dialog that signs devices out."""
        await self.dialogs.open_devices(self.entry)

    @rule()
    @in_event_loop
    async def open_sign_in(self) -> None:
        """Open a dialog to add an account."""
        await self.dialogs.open_sign_in()

    @rule(picks=PICKS)
    @in_event_loop
    async def look(self, picks: Picks) -> None:
        """Open a dialog again that has lost its page."""
        await self.dialogs.look(picks)

    @rule(picks=PICKS)
    @in_event_loop
    async def close_dialog(self, picks: Picks) -> None:
        """Close a dialog."""
        self.dialogs.close(picks)


@pytest.mark.parametrize(
    ("kind", "walks", "least_steps"),
    [(Walk, WALKS, 2_000), (AdversaryWalk, WALKS_WITH_ADVERSARY, 1_000)],
)
def test_random_walk(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
    pytestconfig: pytest.Config,
    dns: Dns,
    plex_direct: None,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[AdversaryWalk],
    walks: int,
    least_steps: int,
) -> None:
    """After any number of things that happen, all is as if nothing had."""
    caplog.set_level(logging.WARNING)
    # Loopback plays the home network here, not this machine.
    monkeypatch.setattr(connections, "is_loopback", lambda _: False, raising=False)
    monkeypatch.setattr(claim, "_PAUSE", 0.0)
    monkeypatch.setattr(claim, "_LOOKS", 2)
    harness.hass.loop.set_debug(False)
    is_full = pytestconfig.getoption("--full")
    done = list[AdversaryWalk]()
    usages = list[ResourceUsage]()

    def start() -> AdversaryWalk:
        done.append(kind(harness, freezer, usages, dns))
        return done[-1]

    run_state_machine_as_test(
        cast("type[AdversaryWalk]", start),  # Anything that returns a walk will do.
        settings=settings(
            max_examples=walks * FULL_LENGTH if is_full else walks,
            stateful_step_count=STEPS,
            derandomize=not is_full,
            deadline=None,
            database=None,
        ),
    )
    steps = sum(walk.steps for walk in done)
    assert steps >= (least_steps * FULL_LENGTH if is_full else least_steps)
    assert not [
        record.getMessage()
        for record in caplog.records
        if record.exc_info is not None and record.levelno >= logging.ERROR
    ]
