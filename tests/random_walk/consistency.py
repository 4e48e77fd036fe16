"""What has to be true once everything has calmed down, and once an entry is removed."""

from asyncio import CancelledError

from pytest_homeassistant_custom_component.common import MockConfigEntry
from yarl import URL

from custom_components.plex_auth.const import (
    CONF_SOURCES,
    DOMAIN,
    SUBENTRY_TYPE_HOME_USER,
    SUBENTRY_TYPE_SERVER,
)
from custom_components.plex_auth.issues import Issue
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)
from tests.harness import Harness
from tests.helpers import account_coordinator, server_coordinator, subentry_of, until
from tests.plex_simulator import Account, MediaServer

_MOST_SECONDS = 10


def added(entry: MockConfigEntry, servers: list[MediaServer]) -> list[MediaServer]:
    """Return the servers that an entry has."""
    identifiers = {one.unique_id for one in entry.subentries.values()}
    return [one for one in servers if one.machine_identifier in identifiers]


def check_account(
    harness: Harness, entry: MockConfigEntry, *, is_rejected: bool
) -> None:
    """Check an account: it is polled, and asks to sign in exactly when it is rejected."""
    assert entry.state is ConfigEntryState.LOADED
    account = account_coordinator(entry)
    assert account._unsub_refresh is not None, "the account is polled no more"
    assert account.token_rejected is is_rejected
    assert harness.reauth_flows(entry) == is_rejected
    assert harness.state("binary_sensor.sign_in") == ("on" if is_rejected else "off")
    devices = dr.async_entries_for_config_entry(
        dr.async_get(harness.hass), entry.entry_id
    )
    assert len(devices) == 1 + len(entry.subentries)
    entities = er.async_entries_for_config_entry(
        er.async_get(harness.hass), entry.entry_id
    )
    owners = {entity.config_subentry_id for entity in entities}
    assert owners - {None} == set(entry.subentries)
    check_servers(entry)


def check_servers(entry: MockConfigEntry) -> None:
    """Check that what an entry has, as it is stored now, is what runs.

    No poll has ended with somebody who was cancelled.
    """
    account = account_coordinator(entry)
    assert not isinstance(account.last_exception, CancelledError)
    for running, subentry_type in (
        (entry.runtime_data.servers, SUBENTRY_TYPE_SERVER),
        (entry.runtime_data.home_users, SUBENTRY_TYPE_HOME_USER),
    ):
        stored = entry.get_subentries_of_type(subentry_type)
        assert running.keys() == {one.subentry_id for one in stored}
    for user in entry.runtime_data.home_users.values():
        assert user._followed == user.subentry.data[CONF_TOKEN]
        assert not isinstance(user.last_exception, CancelledError)
    for server in entry.runtime_data.servers.values():
        typed = server.subentry.data.get(CONF_URL)
        assert server.access.target.url == (URL(typed) if typed else None)
        assert server.sources._followed == server.sources.watched
        for poll in (server, server.sources):
            assert not isinstance(poll.last_exception, CancelledError)


def check_server(
    harness: Harness, entry: MockConfigEntry, server: MediaServer, token: str | None
) -> None:
    """Check a server: it is reached, with its sources, and its token is followed.

    `token` is the transient token that an action has given last, as far as that is known.
    """
    coordinator = server_coordinator(entry, server)
    assert coordinator._unsub_refresh is not None, "the server is polled no more"
    assert harness.state("binary_sensor.reachable", server) == "on"
    watched = subentry_of(entry, server).data[CONF_SOURCES]
    prefix = f"{harness.anna.uuid}_{server.machine_identifier}_source_"
    sources = {
        entity.unique_id.removeprefix(prefix)
        for entity in er.async_entries_for_config_entry(
            er.async_get(harness.hass), entry.entry_id
        )
        if entity.unique_id.startswith(prefix)
    }
    assert sources == set(watched)
    assert not watched or coordinator.sources._unsub_refresh is not None
    own = server.owner is harness.anna
    for source in watched:
        is_known = own and source in server.sources
        state = harness.state(f"sensor.source_{source}", server)
        assert (state != "unavailable") is is_known, source
    issued = coordinator.issued_token
    if token is not None and server.accepts_transient_token(token):
        assert issued.token is not None
        assert issued.token.token == token
    is_running = issued.token is not None
    assert not issued.token or server.accepts_transient_token(issued.token.token)
    assert (issued._cancel_expiry is not None) is is_running
    shown = harness.state("sensor.transient_token_expires", server)
    assert (shown != "unknown") is is_running


def check_home_user(
    harness: Harness, entry: MockConfigEntry, user: Account, servers: list[MediaServer]
) -> None:
    """Check a Home user: polled, with the tokens that plex.tv lists for the user.

    A repair asks to switch again exactly when plex.tv rejects the user, but not the
    account.
    """
    (coordinator,) = (
        one
        for one in entry.runtime_data.home_users.values()
        if one.subentry.unique_id == user.uuid
    )
    assert coordinator._unsub_refresh is not None, "the Home user is polled no more"
    is_rejected = user.find_token(coordinator.subentry.data[CONF_TOKEN]) is None
    assert coordinator.is_rejected is is_rejected
    shown = harness.state("binary_sensor.sign_in", user)
    assert shown == ("on" if is_rejected else "off")
    issue_id = f"{Issue.HOME_USER_SIGN_IN}_{coordinator.subentry.subentry_id}"
    issue = ir.async_get(harness.hass).async_get_issue(DOMAIN, issue_id)
    needs_switch = is_rejected and not account_coordinator(entry).needs_sign_in
    assert (issue is not None) is needs_switch
    if not is_rejected:
        listed = [one for one in servers if one.has_access(user)]
        assert coordinator.tokens == {
            one.machine_identifier: one.access_token_for(user) for one in listed
        }
        assert harness.state("sensor.servers", user) == str(len(listed))


async def check_sockets(
    harness: Harness,
    entry: MockConfigEntry,
    servers: list[MediaServer],
    seconds: float = _MOST_SECONDS,
) -> None:
    """Check that each own server is listened to by one socket, and no other by any.

    A server that is only shared refuses it.
    Raises TimeoutError otherwise.
    """
    heard = [one for one in added(entry, servers) if one.owner is harness.anna]

    def are_open() -> bool:
        # A socket that is being replaced is still open at the server.
        return (
            all(len(one.notifications) == (one in heard) for one in servers)
            and entry.state is ConfigEntryState.LOADED
            and all(
                server_coordinator(entry, one).notifications.is_open for one in heard
            )
        )

    await until(are_open, seconds)


def check_issues(harness: Harness, entry: MockConfigEntry) -> None:
    """Check that no issue is left of a server that is gone, nor of one that works."""
    found = [
        one for domain, one in ir.async_get(harness.hass).issues if domain == DOMAIN
    ]
    assert all(issue.endswith(tuple(entry.subentries)) for issue in found), found


def accepts_token(harness: Harness, entry: MockConfigEntry) -> bool:
    """Return whether Plex knows the token that an entry has."""
    return harness.anna.find_token(entry.data[CONF_TOKEN]) is not None


async def check_nothing_is_left(harness: Harness) -> None:
    """Check that nothing is left of entries that were removed.

    Raises TimeoutError where a connection is.
    """
    hass = harness.hass
    assert not hass.config_entries.async_entries(DOMAIN)
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert not hass.config_entries.subentries.async_progress()
    assert not hass.config_entries.options.async_progress()
    assert not [one for one in ir.async_get(hass).issues if one[0] == DOMAIN]
    registry = er.async_get(hass)
    assert not [one for one in registry.entities.values() if one.platform == DOMAIN]
    assert not hass.data[f"{DOMAIN}_transient_tokens"]
    await until(lambda: not harness.simulator.connection_count, _MOST_SECONDS)
