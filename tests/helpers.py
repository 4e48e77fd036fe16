"""What several tests do: add an account, look at entities and devices, let time pass."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
import re
from time import CLOCK_MONOTONIC, clock_gettime
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from aiohttp import web
from freezegun.api import FrozenDateTimeFactory
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.plex_auth import const
from custom_components.plex_auth.api.known_server import KnownServer
from custom_components.plex_auth.api.models import OWN_ACCOUNT, Connection
from custom_components.plex_auth.coordinator import AccountCoordinator
from custom_components.plex_auth.home_user_coordinator import HomeUserCoordinator
from custom_components.plex_auth.server_coordinator import ServerCoordinator
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    ConfigSubentry,
    ConfigSubentryData,
)
from homeassistant.const import CONF_TOKEN, Platform
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.util.yaml import parse_yaml

from .plex_simulator import Account, AccountToken, Fault, MediaServer, PlexSimulator
from .plex_simulator.faults import Exchange


@contextmanager
def everything_enabled() -> Iterator[None]:
    """Enable the entities, too, that are disabled by default."""
    with patch(
        "homeassistant.helpers.entity.Entity.entity_registry_enabled_default", True
    ):
        yield


def source_of(server: MediaServer) -> str:
    """Return a server as a source of another one."""
    return f"server://{server.machine_identifier}"


def known_server(server: MediaServer, account: Account) -> dict[str, Any]:
    """Return what a subentry keeps of a server that plex.tv lists as it is now."""
    return KnownServer(
        name=server.name,
        token=server.access_token_for(account),
        connections=tuple(
            sorted(
                (
                    Connection(
                        protocol=listed.protocol,
                        address=listed.address,
                        port=listed.port,
                        uri=listed.uri,
                        local=listed.local,
                        relay=listed.relay,
                    )
                    for listed in server.connections
                ),
                key=lambda connection: connection.uri,
            )
        ),
        https_required=server.https_required,
        owner=OWN_ACCOUNT if account is server.owner else server.owner.id,
        home=server.home,
    ).as_stored()


def server_data(
    server: MediaServer, account: Account, **data: Any
) -> ConfigSubentryData:
    """Return the subentry of a server; `data` replaces what a listed one keeps."""
    kept = {
        const.CONF_SOURCES: [],
        const.CONF_LAST_KNOWN: known_server(server, account),
    }
    return ConfigSubentryData(
        data=kept | data,
        subentry_type=const.SUBENTRY_TYPE_SERVER,
        title=server.name,
        unique_id=server.machine_identifier,
    )


def home_user_data(
    user: Account, *servers: MediaServer, token: str | None = None
) -> ConfigSubentryData:
    """Return the subentry of a Home user for whom plex.tv has listed some servers.

    The token is a new one of another client unless it is given.
    """
    tokens = {
        server.machine_identifier: server.access_token_for(user) for server in servers
    }
    return ConfigSubentryData(
        data={
            CONF_TOKEN: token or user.sign_in_token(str(uuid4())),
            const.CONF_SERVER_TOKENS: tokens,
        },
        subentry_type=const.SUBENTRY_TYPE_HOME_USER,
        title=user.title,
        unique_id=user.uuid,
    )


def with_typed_token(
    server: MediaServer, *, sources: list[str] | None = None
) -> ConfigSubentryData:
    """Return the subentry of a server with a typed address and its owner's token."""
    typed = {
        "url": server.http_url,
        "verify_ssl": True,
        CONF_TOKEN: server.access_token_for(server.owner),
        const.CONF_SOURCES: sources or [],
    }
    return ConfigSubentryData(
        data=typed,
        subentry_type=const.SUBENTRY_TYPE_SERVER,
        title=server.name,
        unique_id=server.machine_identifier,
    )


def refuse_tokens(server: MediaServer) -> None:
    """Let a server refuse all tokens, until its faults are cleared."""
    for endpoint in ("security_token", "root"):
        server.faults.set(endpoint, Fault.status(401))


def signed_out_meanwhile(account: Account, device: AccountToken) -> Fault:
    """Return a fault that ends a device before plex.tv does what it is asked for."""

    async def play(exchange: Exchange) -> web.StreamResponse:
        account.revoke_token(device.client_identifier)
        return await exchange.respond()

    return Fault("signed out meanwhile", play)


def make_entry(
    simulator: PlexSimulator,
    account: Account,
    servers: Iterable[MediaServer | ConfigSubentryData] = (),
    *,
    origin: const.TokenOrigin = const.TokenOrigin.PASSWORD,
) -> MockConfigEntry:
    """Return the entry of an account that signed in, with some of its servers."""
    client_identifier = str(uuid4())
    return MockConfigEntry(
        domain=const.DOMAIN,
        title=account.title,
        unique_id=account.uuid,
        data={
            CONF_TOKEN: account.sign_in_token(client_identifier),
            const.CONF_CLIENT_IDENTIFIER: client_identifier,
            const.CONF_API_URL: simulator.api_url,
            const.CONF_TOKEN_ORIGIN: origin,
        },
        subentries_data=[
            server_data(server, account) if isinstance(server, MediaServer) else server
            for server in servers
        ],
    )


async def async_set_up(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Add an entry to Home Assistant and set it up."""
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await async_settle(hass)


async def async_add_account(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    account: Account,
    servers: Iterable[MediaServer | ConfigSubentryData] = (),
    *,
    origin: const.TokenOrigin = const.TokenOrigin.PASSWORD,
) -> MockConfigEntry:
    """Set up the entry of an account that signed in, with some of its servers."""
    entry = make_entry(simulator, account, servers, origin=origin)
    await async_set_up(hass, entry)
    return entry


async def async_use_api(
    hass: HomeAssistant, simulator: PlexSimulator, flow_id: str
) -> None:
    """Type the address of a simulated plex.tv into a dialog that is at its menu."""
    flows = hass.config_entries.flow
    await flows.async_configure(flow_id, {"next_step_id": "advanced"})
    await flows.async_configure(flow_id, {"api_url": simulator.api_url})


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Wait until a condition holds, also while a test holds the time.

    Fail if it does not in time.
    """
    end = clock_gettime(CLOCK_MONOTONIC) + seconds
    while not condition():
        if clock_gettime(CLOCK_MONOTONIC) > end:
            raise TimeoutError
        await asyncio.sleep(0)


async def async_settle(hass: HomeAssistant) -> None:
    """Wait until everything that was started is done."""
    await hass.async_block_till_done(wait_background_tasks=True)


async def async_arrival(simulator: PlexSimulator, endpoint: str) -> None:
    """Wait until a request has arrived; fail if none comes."""
    for _ in range(100_000):
        if simulator.requests_to(endpoint):
            return
        await asyncio.sleep(0)
    raise AssertionError(endpoint)


async def async_pass(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, step: timedelta
) -> None:
    """Let time pass, and wait for what is due by then."""
    freezer.tick(step)
    async_fire_time_changed(hass)
    await async_settle(hass)


def account_coordinator(entry: MockConfigEntry) -> AccountCoordinator:
    """Return the coordinator of a loaded entry's account."""
    coordinator: AccountCoordinator = entry.runtime_data.account
    return coordinator


def subentry_of(entry: MockConfigEntry, of: MediaServer | Account) -> ConfigSubentry:
    """Return the subentry of a server or a Home user."""
    unique_id = of.uuid if isinstance(of, Account) else of.machine_identifier
    subentries: Iterable[ConfigSubentry] = entry.subentries.values()
    return next(subentry for subentry in subentries if subentry.unique_id == unique_id)


def server_coordinator(
    entry: MockConfigEntry, server: MediaServer
) -> ServerCoordinator:
    """Return the coordinator of a server of a loaded entry."""
    coordinator: ServerCoordinator = entry.runtime_data.servers[
        subentry_of(entry, server).subentry_id
    ]
    return coordinator


def home_user_coordinator(entry: MockConfigEntry, user: Account) -> HomeUserCoordinator:
    """Return the coordinator of a Home user of a loaded entry."""
    coordinator: HomeUserCoordinator = entry.runtime_data.home_users[
        subentry_of(entry, user).subentry_id
    ]
    return coordinator


def entity_id_of(
    hass: HomeAssistant, name: str, account: Account, server: MediaServer | None = None
) -> str:
    """Return the entity that `name`, written platform.key, means."""
    platform, _, key = name.partition(".")
    parts = [account.uuid, server.machine_identifier if server else None, key]
    entity_id = er.async_get(hass).async_get_entity_id(
        platform, const.DOMAIN, "_".join(part for part in parts if part)
    )
    assert entity_id is not None, f"{name} does not exist"
    return entity_id


def entity_of(
    hass: HomeAssistant, name: str, account: Account, server: MediaServer | None = None
) -> State:
    """Return the state object of the entity that `name`, written platform.key, means."""
    state = hass.states.get(entity_id_of(hass, name, account, server))
    assert state is not None, f"{name} has no state"
    return state


def device_of(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    of: MediaServer | Account | None = None,
) -> dr.DeviceEntry:
    """Return the device of a server or a Home user, or of the account itself."""
    match of:
        case None:
            identifier = const.DOMAIN, str(entry.unique_id)
        case Account():
            identifier = const.DOMAIN, f"{entry.unique_id}_home_user_{of.uuid}"
        case MediaServer():
            identifier = const.DOMAIN, f"{entry.unique_id}_{of.machine_identifier}"
    return next(
        device
        for device in dr.async_entries_for_config_entry(
            dr.async_get(hass), entry.entry_id
        )
        if identifier in device.identifiers
    )


def reauth_flows(hass: HomeAssistant, entry: MockConfigEntry) -> int:
    """Return how many flows ask to sign in to the account again."""
    return len(list(entry.async_get_active_flows(hass, {SOURCE_REAUTH})))


async def async_get_transient_token(
    hass: HomeAssistant, entry: MockConfigEntry, server: MediaServer
) -> str:
    """Let the action get a transient token of a server."""
    response = await hass.services.async_call(
        const.DOMAIN,
        "get_transient_token",
        {"device_id": device_of(hass, entry, server).id},
        blocking=True,
        return_response=True,
    )
    assert response is not None
    return str(response["token"])


def yaml_examples(page: str) -> list[dict[str, Any]]:
    """Return the examples in YAML of a page of the documentation."""
    found = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    examples: list[dict[str, Any]] = []
    for example in map(parse_yaml, found):
        assert isinstance(example, dict)
        examples.append(example)
    return examples


def fields_of_action(description: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the fields that services.yaml describes, those of sections among them."""
    fields: dict[str, dict[str, Any]] = {}
    for name, field in description["fields"].items():
        fields |= field.get("fields", {name: field})
    return fields


def disabled_at_first(
    hass: HomeAssistant, entry: MockConfigEntry, platform: Platform
) -> set[str]:
    """Return the keys of the entities of a platform that nobody has enabled."""
    return {
        entity.unique_id.removeprefix(f"{entry.unique_id}_")
        for entity in er.async_entries_for_config_entry(
            er.async_get(hass), entry.entry_id
        )
        if entity.domain == platform
        and entity.disabled_by is er.RegistryEntryDisabler.INTEGRATION
    }
