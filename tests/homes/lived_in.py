"""A home that somebody lives in, and what happens there."""

from contextlib import AsyncExitStack, ExitStack
from datetime import timedelta

from freezegun import freeze_time
from freezegun.api import TickingDateTimeFactory
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.plex_auth.const import DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from tests.helpers import (
    async_settle,
    device_of,
    make_entry,
    server_coordinator,
    subentry_of,
)
from tests.plex_simulator import (
    PLEX_TV,
    Account,
    Certificate,
    Connection,
    MediaServer,
    PlexSimulator,
)

from .homes import PUBLIC, RELAY, Home, Listed, Owner
from .network import Network
from .stranger import Stranger

PLEX_TV_ADDRESS = "172.64.151.205"


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
        self._clock: TickingDateTimeFactory
        self._network = network
        self._stack = AsyncExitStack()

    async def move_in(self, until_the_end: ExitStack) -> None:
        """Build the home, and add its server to Home Assistant as plex.tv lists it.

        From then on time may be moved.
        """
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
        self._list(home.stored or home.listed)
        self.entry = make_entry(self.simulator, account, [self.server])
        self._list(home.listed)
        if home.is_plex_tv_away:
            self.silence_plex_tv()
        # It goes on by itself, too: silence has to end in a timeout.
        clock = until_the_end.enter_context(freeze_time(tick=True))
        assert isinstance(clock, TickingDateTimeFactory)
        self._clock = clock
        self.entry.add_to_hass(self.hass)
        await self.hass.config_entries.async_setup(self.entry.entry_id)
        await async_settle(self.hass)

    async def move_out(self) -> None:
        """Leave nothing behind."""
        await self._stack.aclose()

    async def wait(self, **time: float) -> None:
        """Let time pass."""
        self._clock.tick(timedelta(**time))
        async_fire_time_changed(self.hass)
        await async_settle(self.hass)

    async def day(self) -> None:
        """Let the time pass after which a server counts as lost."""
        for _ in range(2):
            await self.wait(minutes=13)

    @property
    def issues(self) -> set[str | None]:
        """Return the repairs that there are."""
        issues = ir.async_get(self.hass).issues.values()
        return {one.translation_key for one in issues if one.domain == DOMAIN}

    @property
    def repairs_of_the_day(self) -> set[str]:
        """Return the repairs that are right while all is switched on."""
        return set() if self.home.gets.repair is None else {"server_not_reached"}

    async def switch_off(self) -> None:
        """Switch the server off; plex.tv notices."""
        self.server.presence = False
        await self.server.stop()
        if self.home.is_silent_when_off:
            for address in self.home.server:
                self._network.silence(address.rpartition(":")[0])

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
        route = server_coordinator(self.entry, self.server).data.route
        return f"{route.kind} {route.url.scheme}"

    async def change_server(self, typed: str) -> str | None:
        """Type an address at *Change server*; return the error that is shown."""
        subentries = self.hass.config_entries.subentries
        subentry_id = subentry_of(self.entry, self.server).subentry_id
        flow = await self.entry.start_subentry_reconfigure_flow(self.hass, subentry_id)
        result = await subentries.async_configure(
            flow["flow_id"], {"url": typed, "verify_ssl": True}
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
        """Let no machine have plex.tv's address."""
        self._network.silence(PLEX_TV_ADDRESS)

    def silence_internet(self) -> None:
        """Let no machine outside of the home have an address, and a name there neither."""
        for address in (PLEX_TV_ADDRESS, PUBLIC, RELAY):
            self._network.silence(address)
        own = {
            name: addresses
            for name, addresses in self.home.resolves.items()
            if not _is_address(name) and PUBLIC not in addresses
        }
        self._network.resolve(own)

    def _resolve(self) -> None:
        """Write down what names resolve to."""
        home = self.home
        listed = {one.address for one in (*home.listed, *(home.stored or ()))}
        answers = {one: (one,) for one in listed if _is_address(one)} | home.resolves
        self._network.resolve(
            {"plex.tv": (PLEX_TV_ADDRESS,)}
            | {self._name(one): addresses for one, addresses in answers.items()},
            is_refused=not home.is_dns_silent,
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
