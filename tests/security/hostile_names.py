"""What the audit walks through with an account all of whose names are hostile."""

from homeassistant.config_entries import SOURCE_REAUTH
from tests.helpers import (
    account_coordinator,
    async_settle,
    device_of,
    server_coordinator,
    source_of,
    subentry_of,
)
from tests.plex_simulator.hostile_names import OVERRIDE
from tests.walks import ways
from tests.walks.dialog import person
from tests.walks.names import DOMAIN, Action, Field, Issue, Step
from tests.walks.ways import REAUTH

from .audited_user import AuditedUser
from .leak_audit import Audit
from .leaks import Place

_OURS = f"custom_components.{DOMAIN}"


async def async_meet_hostile_names(user: AuditedUser) -> None:
    """Do everything once with hostile names, also what asks for a repair."""
    hass, hostile = user.hass, user.world.hostile
    account, own, shared = hostile.account, hostile.own, hostile.shared
    user.simulator.sign_in_guard.clear()
    mallory = person(user.simulator, account)
    both = [one.machine_identifier for one in (own, shared)]
    way = ways.add_account(mallory, Step.PASSWORD, both)
    await user.walk(await user.api.open_account(), way)
    entry = user.entry(account)
    dialog = await user.api.open_server(
        entry.entry_id, subentry_of(entry, own).subentry_id
    )
    await user.walk(dialog, ways.watch_sources([source_of(shared)]))
    calls = ways.calls(
        entry.entry_id,
        device_of(hass, entry, own).id,
        source_of(shared),
        ways.page_of_film(own.machine_identifier),
        account.add_device().device_id,
    )
    for action, fields in calls.items():
        assert await user.act(action, fields), action

    user.simulator.sign_out_devices(account)
    shared.shared_with.clear()
    assert not await user.act(Action.TOKEN_DETAILS, {Field.ENTRY: entry.entry_id})
    (flow,) = entry.async_get_active_flows(hass, {SOURCE_REAUTH})
    dialog = user.api.find_account(flow["flow_id"])
    await dialog.look()
    await user.walk(dialog, ways.renew(mallory, Step.PASSWORD, REAUTH))
    await server_coordinator(entry, own).async_refresh()
    await account_coordinator(entry).servers.renew(now=True)
    await async_settle(hass)
    user.audit.take_registries(hass)
    for issue, server, way in (
        (Issue.UNCLAIMED, own, ways.claim_server()),
        (Issue.NOT_LISTED, shared, ways.confirm_repair()),
    ):
        subentry_id = subentry_of(entry, server).subentry_id
        dialog = await user.api.open_repair(f"{issue}_{subentry_id}")
        await user.walk(dialog, way)

    # Its name is now what the server itself says.
    dialog = await user.api.open_server(entry.entry_id)
    token = shared.access_token_for(hostile.friend)
    await user.walk(dialog, ways.add_server_by_address(shared.http_url, token))
    await shared.stop()
    await server_coordinator(entry, shared).async_refresh()
    await shared.start()
    await server_coordinator(entry, shared).async_refresh()
    await async_settle(hass)


def broken_lines(audit: Audit) -> set[str]:
    """Return what we logged that a name has broken: into two lines, or backwards."""
    return {
        text.text
        for text in audit.texts
        if text.place is Place.LOG
        and text.where.startswith(_OURS)
        and not text.text.startswith("Traceback")
        and any(mark in text.text for mark in ("\n", "\r", OVERRIDE))
    }
