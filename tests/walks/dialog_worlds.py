"""The Plex that the troubles are met in: its accounts and servers."""

from dataclasses import dataclass
from typing import Any

from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import TokenOrigin
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from tests.conftest import Dns
from tests.helpers import async_settle, make_entry
from tests.plex_simulator import Account, MediaServer, PlexSimulator

from .dialog import Dialog, config_dialog, person
from .names import DOMAIN, SIGN_IN_WAYS, Field, Step
from .ways import (
    MENUS,
    REAUTH,
    RECONFIGURE,
    USER,
    Person,
    Way,
    go_on,
    right,
    right_address,
    use_api,
)


@dataclass(kw_only=True)
class AccountWorld:
    """Hold a simulated Plex with the accounts that the matrix signs in to.

    plex.tv is reached by a name and over TLS, so that names and certificates can fail.
    """

    hass: HomeAssistant
    simulator: PlexSimulator
    dns: Dns
    account: Account
    source: str = USER
    entry: MockConfigEntry | None = None

    @property
    def api_url(self) -> str:
        """Return the base address of plex.tv's second API."""
        return self.simulator.api_url.replace("http://127.0.0.1", "https://localhost")

    @property
    def person(self) -> Person:
        """Return who signs in; the address of an entry is kept."""
        api_url = self.api_url
        if self.entry is not None and self.source == RECONFIGURE:
            api_url = self.entry.data["api_url"]
        return person(self.simulator, self.account, api_url)

    def add_entry(
        self,
        account: Account | None = None,
        *,
        origin: TokenOrigin = TokenOrigin.PASSWORD,
    ) -> MockConfigEntry:
        """Add the entry of an account, not set up."""
        account = account or self.account
        entry = make_entry(self.simulator, account, origin=origin)
        entry.add_to_hass(self.hass)
        self.hass.config_entries.async_update_entry(
            entry, data={**entry.data, "api_url": self.api_url}
        )
        return entry

    def right(self, step: str) -> dict[str, Any]:
        """Return what is right to type at a step."""
        return right(self.person, step)

    def sign_in(self, way: str) -> Way:
        """Return a way to sign in, from the menu of the world's source."""
        return go_on(self.person, way, MENUS[self.source])

    @property
    def signed_out(self) -> list[str]:
        """Return the tokens that plex.tv was asked to end."""
        return [
            request.headers["X-Plex-Token"]
            for request in self.simulator.requests_to("signout")
        ]


@dataclass(kw_only=True)
class ServerWorld:
    """Hold an account with servers of each kind; all but `spare` and `secure` are added.

    The account lists all but `foreign`, which has a typed address and token.
    """

    hass: HomeAssistant
    simulator: PlexSimulator
    dns: Dns
    account: Account
    entry: MockConfigEntry
    own: MediaServer
    shared: MediaServer
    old: MediaServer
    spare: MediaServer
    secure: MediaServer
    foreign: MediaServer

    @property
    def foreign_token(self) -> str:
        """Return a token that the unlisted server accepts."""
        return self.foreign.access_token_for(self.foreign.owner)

    def right(self, step: str, target: MediaServer) -> dict[str, Any]:
        """Return what is right to type at a step about a server."""
        if step == Step.LISTED:
            return {Field.SERVER: target.machine_identifier}
        token = self.foreign_token if target is self.foreign else None
        typed = right_address(target.https_url, token)
        return {**typed, Field.SOURCES: []} if step == Step.RECONFIGURE else typed


async def async_open(account_world: AccountWorld) -> Dialog:
    """Open the dialog of the world's source: for a new entry or the world's.

    For a new one the address of the simulated plex.tv is typed in the menu's `advanced`.
    """
    dialog = config_dialog(account_world.hass, account_world.simulator)
    if account_world.entry is None:
        await dialog.start(DOMAIN, source=USER)
    else:
        await dialog.start(
            DOMAIN,
            source=account_world.source,
            entry_id=account_world.entry.entry_id,
            unique_id=account_world.entry.unique_id,
        )
        assert (
            dialog.result["description_placeholders"]["name"]
            == account_world.entry.title
        )
    assert dialog.type is FlowResultType.MENU
    assert dialog.step == MENUS[account_world.source]
    assert dialog.result["menu_options"] == [
        *SIGN_IN_WAYS,
        *([Step.ADVANCED] if account_world.source != REAUTH else []),
    ]
    if account_world.source == USER:
        await dialog.walk(use_api(account_world.person))
    return dialog


async def async_claim(account_world: AccountWorld) -> None:
    """Type the code at plex.tv/link if it was not yet, and wait for what comes of it."""
    pin = account_world.simulator.pins.latest
    if pin.auth_token is None:
        assert account_world.simulator.pins.link(pin.code, account_world.account)
    await async_settle(account_world.hass)
