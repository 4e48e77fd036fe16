"""A home over a day, a night, and an outage of plex.tv.

`test_homes` runs this module in namespaces of its own; its name keeps it from being run
elsewhere.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
import ssl
from unittest.mock import patch

from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import pytest_socket

from custom_components.plex_auth.api.plex_tv import PLEX_TV_API
from custom_components.plex_auth.const import DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir

from ..helpers import async_pass, async_settle, device_of, make_entry, subentry_of
from ..plex_simulator import (
    PLEX_TV,
    Account,
    Certificate,
    Connection,
    MediaServer,
    PlexSimulator,
)
from ..repair_dialog import OpenRepair
from ..short_timeouts import short_timeouts
from .homes import HOMES, Gets, Home, Listed, Owner
from .network import Network
from .stranger import Stranger

_PLEX_TV_ADDRESS = "172.64.151.205"
# Nothing on this machine takes that long, and the next rank begins later.
_TIMEOUT = 0.8


@pytest.fixture(scope="session")
def network() -> Network:
    """Return the network of the homes."""
    return Network()


@pytest.fixture(autouse=True)
def dns(disable_mock_zeroconf_resolver: None, mock_async_zeroconf: None) -> None:
    """Let Home Assistant resolve names as it does."""


@pytest.fixture(autouse=True)
def use_this_integration(
    enable_custom_integrations: None, socket_enabled: None
) -> None:
    """Let Home Assistant load custom integrations, and talk to all addresses."""
    pytest_socket._remove_restrictions()


@pytest.fixture
async def simulator(
    hass: HomeAssistant, network: Network, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[PlexSimulator]:
    """Return plex.tv at its own name and port."""
    network.give(_PLEX_TV_ADDRESS)
    monkeypatch.setattr(PlexSimulator, "api_url", PLEX_TV_API)
    plex_tv = PlexSimulator(
        https=True, host=_PLEX_TV_ADDRESS, port=443, notifications=False
    )
    context = ssl.create_default_context(cadata=plex_tv.ca_pem().decode())
    with (
        short_timeouts(_TIMEOUT),
        patch(
            "homeassistant.helpers.aiohttp_client.ssl_util.client_context",
            return_value=context,
        ),
    ):
        async with plex_tv:
            yield plex_tv


class LivedIn:
    """A home that somebody lives in."""

    def __init__(
        self,
        hass: HomeAssistant,
        simulator: PlexSimulator,
        network: Network,
        home: Home,
    ) -> None:
        """Take what there is; nothing is built yet."""
        self.hass = hass
        self.simulator = simulator
        self.home = home
        self.server: MediaServer
        self.entry: MockConfigEntry
        self._clock: FrozenDateTimeFactory
        self._network = network
        self._stack = AsyncExitStack()

    async def move_in(self) -> None:
        """Build the home, and add its server to Home Assistant as plex.tv lists it."""
        home = self.home
        account = self.simulator.add_account("anna")
        friend = self.simulator.add_account("friend")
        is_own = home.owner is Owner.ACCOUNT
        self.server = await self.simulator.add_server(
            "Home",
            account if is_own else friend,
            start=False,
            shared_with=() if is_own else [account],
            home=home.owner is Owner.HOME,
            https_required=home.https_required,
            remote_access=False,
            relay=False,
        )
        self.server.public_address_matches = home.is_in_this_house
        self.server.presence = not home.is_gone
        if home.is_expired:
            self.server.set_certificate(Certificate.EXPIRED)
        for address in home.server:
            self.server.add_way(address, *self._given(address))
        for address, name in home.proxy.items():
            self.server.add_way(address, *self._given(address), (name,))
        for address in home.machines:
            self._give(address)
        self._resolve()
        await self.server.start()
        await self._add_others(friend)
        if home.stored is not None:
            self._list(home.stored)
        else:
            self._list(home.listed)
        self.entry = make_entry(self.simulator, account, [self.server])
        self._list(home.listed)
        # It goes on by itself, too: silence has to end in a timeout.
        self._clock = self._stack.enter_context(freeze_time(tick=True))
        self.entry.add_to_hass(self.hass)
        await self.hass.config_entries.async_setup(self.entry.entry_id)
        await async_settle(self.hass)

    async def move_out(self) -> None:
        """Leave nothing behind."""
        await self._stack.aclose()

    async def wait(self, **time: float) -> None:
        """Let time pass."""
        await async_pass(self.hass, self._clock, timedelta(**time))

    async def day(self) -> None:
        """Let the time pass after which a server counts as lost."""
        for _ in range(2):
            await self.wait(minutes=13)

    @property
    def issues(self) -> set[str | None]:
        """Return the repairs that there are."""
        issues = ir.async_get(self.hass).issues.values()
        return {one.translation_key for one in issues if one.domain == DOMAIN}

    async def connection(self) -> str:
        """Return how the server is reached when a token is wanted, or why it is not."""
        device = device_of(self.hass, self.entry, self.server)
        try:
            await self.hass.services.async_call(
                DOMAIN,
                "get_transient_token",
                {"device_id": device.id},
                blocking=True,
                return_response=True,
            )
        except HomeAssistantError as err:
            return str(err.translation_key)
        await async_settle(self.hass)
        subentry_id = subentry_of(self.entry, self.server).subentry_id
        route = self.entry.runtime_data.servers[subentry_id].data.route
        return f"{route.kind} {route.url.scheme}"

    async def change_server(self, typed: str) -> str | None:
        """Type an address at *Change server*; return the error that is shown."""
        subentries = self.hass.config_entries.subentries
        subentry_id = subentry_of(self.entry, self.server).subentry_id
        flow = await self.entry.start_subentry_reconfigure_flow(self.hass, subentry_id)
        result = await subentries.async_configure(
            flow["flow_id"], {"url": typed, "verify_ssl": True, "sources": []}
        )
        await async_settle(self.hass)
        errors: dict[str, str] = result.get("errors") or {}
        if errors:
            subentries.async_abort(flow["flow_id"])
        return next(iter(errors.values()), None)

    @property
    def tokens(self) -> frozenset[str]:
        """Return the addresses, other than plex.tv's, that a token was sent to."""
        return frozenset(
            one.way
            for one in self.simulator.requests
            if one.host != PLEX_TV and "X-Plex-Token" in one.headers
        )

    def silence_plex_tv(self) -> None:
        """Let nobody be at plex.tv's address."""
        self._network.silence(_PLEX_TV_ADDRESS)
        for task in self.simulator._site.listeners.values():
            task.cut_connections()

    def _resolve(self) -> None:
        """Write down what names resolve to."""
        home = self.home
        listed = {one.address for one in (*home.listed, *(home.stored or ()))}
        answers = {one: (one,) for one in listed if _is_address(one)} | home.resolves
        self._network.resolve(
            {"plex.tv": (_PLEX_TV_ADDRESS,)}
            | {self._name(one): addresses for one, addresses in answers.items()}
        )

    def _name(self, text: str) -> str:
        """Return a name, which for an address is plex.direct's."""
        return self.server.plex_direct_name(text) if _is_address(text) else text

    def _list(self, listed: tuple[Listed, ...]) -> None:
        """Let plex.tv list addresses."""
        self.server.connections = [self._connection(one) for one in listed]

    def _connection(self, listed: Listed) -> Connection:
        host = listed.name or listed.address
        if listed.name is None and listed.scheme == "https":
            host = self.server.plex_direct_name(listed.address)
        return Connection(
            protocol=listed.scheme,
            address=listed.address,
            port=listed.port,
            uri=f"{listed.scheme}://{host}:{listed.port}",
            local=listed.local,
            relay=listed.relay,
            ipv6=":" in listed.address,
        )

    async def _add_others(self, friend: Account) -> None:
        """Add the machines that are not the server."""
        home = self.home
        if home.another is not None:
            host, port = self._given(home.another)
            await self.simulator.add_server("Another", friend, host=host, port=port)
        if home.stranger:
            for address in home.stranger:
                self._given(address)
            stranger = Stranger(self.simulator, home.stranger, home.goes_to)
            await stranger.start()
            self._stack.push_async_callback(stranger.close)

    def _given(self, address: str) -> tuple[str, int]:
        """Return an address as host and port; this machine has it now."""
        host, _, port = address.rpartition(":")
        self._give(host)
        return host, int(port)

    def _give(self, host: str) -> None:
        self._network.give(host)
        self._stack.callback(self._network.silence, host)


def _is_address(text: str) -> bool:
    return text[0].isdigit() or ":" in text


@pytest.fixture
async def lived_in(
    request: pytest.FixtureRequest,
    hass: HomeAssistant,
    simulator: PlexSimulator,
    network: Network,
) -> AsyncIterator[LivedIn]:
    """Return a home that somebody has just moved in to."""
    lived_in = LivedIn(hass, simulator, network, request.param)
    try:
        await lived_in.move_in()
        if request.param.typed is not None:
            error = await lived_in.change_server(request.param.typed)
            assert error == request.param.typed_error
        yield lived_in
    finally:
        await lived_in.move_out()


def _each(stage: str) -> pytest.MarkDecorator:
    """Parametrize with all homes; some do not get yet what is right at a stage."""
    return pytest.mark.parametrize(
        "lived_in",
        [
            pytest.param(
                home,
                id=home.name,
                marks=[pytest.mark.xfail(strict=True, reason=reason)]
                if (reason := home.pending.get(stage))
                else [],
            )
            for home in HOMES
        ],
        indirect=True,
    )


@_each("day")
async def test_day(lived_in: LivedIn, open_repair: OpenRepair) -> None:
    """The user gets what is right, and the repair offers what works."""
    gets = lived_in.home.gets
    connection = await lived_in.connection()
    await lived_in.day()
    repair = None
    assert lived_in.issues <= {"server_not_reached"}
    if lived_in.issues:
        dialog = await open_repair(
            lived_in.entry, lived_in.server, "server_not_reached"
        )
        given = dialog.result["description_placeholders"]
        step = dialog.result["step_id"]
        repair = given["url"] if step == "confirm" else step
    tokens = lived_in.tokens
    assert Gets(connection=connection, repair=repair, tokens=tokens) == gets
    if repair not in (None, "address"):
        await dialog.submit()
        await async_settle(lived_in.hass)
        scheme = repair.partition(":")[0]
        assert await lived_in.connection() == f"custom {scheme}"
        assert not lived_in.issues


@_each("night")
async def test_night(lived_in: LivedIn) -> None:
    """The server is switched off for a night: there is nothing to repair."""
    server = lived_in.server
    server.presence = False
    await server.stop()
    for hours in (0.3, 0.3, 3, 5):
        await lived_in.wait(hours=hours)
        assert not lived_in.issues


@_each("plex_tv_away")
async def test_plex_tv_away(lived_in: LivedIn) -> None:
    """Nothing comes from plex.tv for hours: there is nothing to repair."""
    lived_in.silence_plex_tv()
    for hours in (0.3, 0.3, 3):
        await lived_in.wait(hours=hours)
        assert not lived_in.issues
