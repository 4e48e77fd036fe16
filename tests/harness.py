"""Home Assistant with a simulated Plex: what a test does there, and what it sees."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import (
    CONF_CLIENT_IDENTIFIER,
    DOMAIN,
    SUBENTRY_TYPE_HOME_USER,
    TokenOrigin,
)
from homeassistant.config_entries import ConfigSubentry, ConfigSubentryData
from homeassistant.const import CONF_TOKEN, Platform
from homeassistant.core import Context, HomeAssistant, State
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .helpers import (
    async_add_account,
    async_pass,
    async_settle,
    home_user_data,
    reauth_flows,
    server_data,
    subentry_of,
)
from .plex_simulator import Account, MediaServer, PlexSimulator
from .plex_simulator.worlds import DemoWorld, async_fixed_world

NOON = "2026-11-24 12:00:00+00:00"

type SnapshotPlatform = Callable[[Platform, str], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Harness:
    """Hold Home Assistant and Plex's world, of which Anna and her server matter most."""

    hass: HomeAssistant
    simulator: PlexSimulator
    world: DemoWorld
    anna: Account
    ben: Account
    server: MediaServer

    @classmethod
    def of(
        cls, hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld
    ) -> Harness:
        """Return a harness; Anna has a Plex Pass and shares her server with Ben."""
        return cls(
            hass=hass,
            simulator=simulator,
            world=world,
            anna=world.two_factor,
            ben=world.free,
            server=world.living_room,
        )

    async def add(
        self,
        account: Account,
        *servers: MediaServer | ConfigSubentryData,
        origin: TokenOrigin = TokenOrigin.PASSWORD,
    ) -> MockConfigEntry:
        """Set up the entry of an account that signed in, with some of its servers."""
        return await async_add_account(
            self.hass, self.simulator, account, servers, origin=origin
        )

    def add_server(self, entry: MockConfigEntry, server: MediaServer) -> None:
        """Add a server of Anna's to her entry as its dialog does."""
        added = server_data(server, self.anna)
        self.hass.config_entries.async_add_subentry(
            entry,
            ConfigSubentry(
                data=MappingProxyType(added["data"]),
                subentry_type=added["subentry_type"],
                title=added["title"],
                unique_id=added["unique_id"],
            ),
        )

    def change_server(
        self, entry: MockConfigEntry, server: MediaServer, **data: object
    ) -> None:
        """Change a server of an entry as its dialog does."""
        subentry = subentry_of(entry, server)
        self.hass.config_entries.async_update_subentry(
            entry, subentry, data={**subentry.data, **data}
        )

    async def add_home_user(self, entry: MockConfigEntry, user: Account) -> str:
        """Add a user of the Home to an entry as its dialog does; return the token."""
        token = user.sign_in_token(entry.data[CONF_CLIENT_IDENTIFIER])
        self.hass.config_entries.async_add_subentry(
            entry,
            ConfigSubentry(
                data=MappingProxyType({CONF_TOKEN: token}),
                subentry_type=SUBENTRY_TYPE_HOME_USER,
                title=user.title,
                unique_id=user.uuid,
            ),
        )
        await self.settle()
        return token

    async def add_hidden_server(
        self, *, remote_access: bool = False, relay: bool = False
    ) -> MediaServer:
        """Add a server of Hugo's that wants secure connections, with few ways to it."""
        return await self.simulator.add_server(
            "Bunker",
            self.world.three_servers,
            https_required=True,
            remote_access=remote_access,
            relay=relay,
        )

    async def remove(
        self, entry: MockConfigEntry, of: MediaServer | Account | None = None
    ) -> None:
        """Remove an entry, or only one of its servers or Home users."""
        if of is None:
            await self.hass.config_entries.async_remove(entry.entry_id)
        else:
            subentry_id = subentry_of(entry, of).subentry_id
            self.hass.config_entries.async_remove_subentry(entry, subentry_id)
        await self.settle()

    async def reload(self, entry: MockConfigEntry) -> None:
        """Reload an entry."""
        await self.hass.config_entries.async_reload(entry.entry_id)
        await self.settle()

    async def settle(self) -> None:
        """Wait until everything that was started is done."""
        await async_settle(self.hass)

    async def wait(self, freezer: FrozenDateTimeFactory, step: timedelta) -> None:
        """Let time pass, and wait for what is due by then."""
        await async_pass(self.hass, freezer, step)

    async def lose(self, freezer: FrozenDateTimeFactory) -> None:
        """Let the time pass after which a server counts as not reached."""
        for _ in range(5):
            await self.wait(freezer, timedelta(minutes=5, seconds=10))

    async def call(
        self, action: str, context: Context | None = None, /, **data: Any
    ) -> dict[str, Any]:
        """Call an action and return its response."""
        response: dict[str, Any] | None = await self.hass.services.async_call(
            DOMAIN, action, data, blocking=True, context=context, return_response=True
        )
        assert response is not None
        return response

    async def failure(self, action: str, **data: Any) -> HomeAssistantError:
        """Call an action that fails, and return the error."""
        with pytest.raises(HomeAssistantError) as caught:
            await self.call(action, **data)
        return caught.value

    async def transient_token(
        self, server: MediaServer | None = None, account: Account | None = None
    ) -> str:
        """Let the action get a transient token of a server, for Anna or another."""
        machine_identifier = (server or self.server).machine_identifier
        identifier = (DOMAIN, f"{(account or self.anna).uuid}_{machine_identifier}")
        (device,) = dr.async_get(self.hass).async_get_devices(identifiers={identifier})
        response = await self.call("get_transient_token", device_id=device.id)
        return str(response["token"])

    def home_user_device(self, user: Account, of: Account | None = None) -> str:
        """Return the ID of the device of a Home user, of Anna's account or another."""
        identifier = (DOMAIN, f"{(of or self.anna).uuid}_home_user_{user.uuid}")
        (device,) = dr.async_get(self.hass).async_get_devices(identifiers={identifier})
        return device.id

    def reauth_flows(self, entry: MockConfigEntry) -> int:
        """Return how many dialogs ask to sign in to an account again."""
        return reauth_flows(self.hass, entry)

    def entity_id(self, name: str, *of: Account | MediaServer) -> str:
        """Return the entity that `name`, written platform.key, means.

        It is of an account, Anna unless another is given, or of one of its servers, or
        of a user of Anna's Home.
        """
        found = self._find(name, *of)
        assert found is not None, name
        return found

    def _find(self, name: str, *of: Account | MediaServer) -> str | None:
        """Return the entity that `name` means, None where there is none."""
        platform, _, key = name.partition(".")
        account = next((one for one in of if isinstance(one, Account)), self.anna)
        server = next((one for one in of if isinstance(one, MediaServer)), self.server)
        registry = er.async_get(self.hass)
        for owner in (
            account.uuid,
            f"{account.uuid}_{server.machine_identifier}",
            f"{self.anna.uuid}_home_user_{account.uuid}",
        ):
            unique_id = f"{owner}_{key}"
            found = registry.async_get_entity_id(platform, DOMAIN, unique_id)
            if found is not None:
                return found
        return None

    def entity(self, name: str, *of: Account | MediaServer) -> State:
        """Return the state object of the entity that `name` means."""
        state = self.hass.states.get(self.entity_id(name, *of))
        assert state is not None, f"{name} has no state"
        return state

    def state(self, name: str, *of: Account | MediaServer) -> str:
        """Return the state of the entity that `name` means."""
        return self.entity(name, *of).state

    def shown(self, name: str, *of: Account | MediaServer) -> str | None:
        """Return the state of the entity that `name` means, None where there is none."""
        return self.state(name, *of) if self._find(name, *of) else None

    def asked(self) -> Counter[str]:
        """Return how often each endpoint was asked, and forget it."""
        counts = Counter(request.endpoint for request in self.simulator.requests)
        self.simulator.requests.clear()
        return counts


async def async_add_kind(
    hass: HomeAssistant, simulator: PlexSimulator, platform: Platform, kind: str
) -> MockConfigEntry:
    """Set up one kind of account, with the entities of one platform."""
    world = await async_fixed_world(simulator)
    added: list[MediaServer | ConfigSubentryData] = [world.attic]
    if kind == "plex_pass":
        added += [world.cellar, home_user_data(world.child, world.attic)]
    with patch("custom_components.plex_auth.PLATFORMS", [platform]):
        return await async_add_account(hass, simulator, getattr(world, kind), added)
