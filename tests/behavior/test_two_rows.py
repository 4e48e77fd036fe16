"""Two servers of one identifier: anyone can give a server that of another one."""

from collections.abc import Callable
import json
from typing import Any

from aiohttp import ClientSession
import pytest

from custom_components.plex_auth.api.models import OWN_ACCOUNT
from custom_components.plex_auth.const import CONF_LAST_KNOWN, DOMAIN
from homeassistant.config_entries import SOURCE_USER
from homeassistant.const import CONF_TOKEN
from homeassistant.helpers import issue_registry as ir
from tests.harness import Harness
from tests.helpers import (
    account_coordinator,
    server_coordinator,
    subentry_of,
    with_typed_token,
)
from tests.plex_simulator import Account, Fault
from tests.repair_dialog import OpenRepair

ELSEWHERE = "http://127.0.0.1:9"

type Rows = list[dict[str, Any]]


async def async_list(
    harness: Harness, account: Account, change: Callable[[Rows], Rows]
) -> None:
    """Let plex.tv list something else for an account than it does."""
    harness.simulator.faults.clear()
    url = f"{harness.simulator.api_url}/resources?includeHttps=1&includeRelay=1"
    headers = {
        "X-Plex-Token": account.sign_in_token("another client"),
        "X-Plex-Client-Identifier": "another client",
        "Accept": "application/json",
    }
    async with ClientSession() as session, session.get(url, headers=headers) as answer:
        rows = await answer.json()
    body = json.dumps(change(rows))
    harness.simulator.faults.set("resources", Fault.body(body))


def mallorys(row: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a row of Mallory's that takes the identifier of another one."""
    connection = {"protocol": "http", "address": "127.0.0.1", "port": 9}
    return row | {
        "name": "Mallory's",
        "owned": False,
        "ownerId": 666,
        "sourceTitle": "Mallory",
        "accessToken": "token of Mallory",
        "connections": [connection | {"uri": ELSEWHERE, "local": True}],
        **changes,
    }


@pytest.mark.parametrize("who", ["anna", "ben"])
@pytest.mark.parametrize("order", [1, -1])
async def test_second_row(harness: Harness, who: str, order: int) -> None:
    """Own or shared, the server that was added stays the same."""
    account: Account = getattr(harness, who)
    entry = await harness.add(account, harness.server)
    kept = subentry_of(entry, harness.server).data[CONF_LAST_KNOWN]
    identifier = harness.server.machine_identifier

    def twice(rows: Rows) -> Rows:
        clones = [
            mallorys(row, accessToken=None)
            for row in rows
            if row["clientIdentifier"] == identifier
        ]
        assert clones
        return [*rows, *clones][::order]

    await async_list(harness, account, twice)
    await account_coordinator(entry).async_check_now()
    assert subentry_of(entry, harness.server).data[CONF_LAST_KNOWN] == kept
    assert await harness.transient_token(account=account)


@pytest.mark.parametrize("who", ["anna", "ben"])
async def test_only_a_row_of_another_owner(
    harness: Harness, open_repair: OpenRepair, who: str
) -> None:
    """A server that plex.tv lists for another owner only is no longer listed.

    It goes on with what was stored of it, and can be removed, and added anew.
    """
    account: Account = getattr(harness, who)
    entry = await harness.add(account, harness.server)
    kept = subentry_of(entry, harness.server).data[CONF_LAST_KNOWN]
    identifier = harness.server.machine_identifier

    await async_list(
        harness,
        account,
        lambda rows: [
            mallorys(row) if row["clientIdentifier"] == identifier else row
            for row in rows
        ],
    )
    await account_coordinator(entry).async_check_now()
    await harness.settle()
    subentry = subentry_of(entry, harness.server)
    assert (subentry.title, subentry.data[CONF_LAST_KNOWN]) == ("Living Room", kept)
    await harness.transient_token(account=account)
    tokens = {
        request.headers.get("X-Plex-Token") for request in harness.simulator.requests
    }
    assert kept[CONF_TOKEN] in tokens
    assert "token of Mallory" not in tokens
    dialog = await open_repair(entry, harness.server, "server_not_listed")
    await dialog.submit()
    assert dialog.result["type"] == "create_entry"
    await harness.settle()
    assert not entry.subentries


@pytest.mark.parametrize("has_typed_token", [False, True])
async def test_unclaimed_beside_a_row_of_another_owner(
    harness: Harness, open_repair: OpenRepair, has_typed_token: bool
) -> None:
    """Nobody can hide that an own server is unclaimed by listing one like it.

    It is not claimed from here, since plex.tv lists that identifier for another owner.
    """
    server = with_typed_token(harness.server) if has_typed_token else harness.server
    entry = await harness.add(harness.anna, server)
    if has_typed_token:
        harness.change_server(entry, harness.server, last_known={})
    identifier = harness.server.machine_identifier
    await async_list(
        harness,
        harness.anna,
        lambda rows: [
            mallorys(row) if row["clientIdentifier"] == identifier else row
            for row in rows
        ],
    )
    harness.server.unclaim()
    await account_coordinator(entry).async_check_now()
    await server_coordinator(entry, harness.server).async_check_now()
    await harness.settle()
    assert server_coordinator(entry, harness.server).access.is_unclaimed
    keys = {
        issue.translation_key
        for issue in ir.async_get(harness.hass).issues.values()
        if issue.domain == DOMAIN
    }
    assert keys == {"server_unclaimed"}
    dialog = await open_repair(entry, harness.server, "server_unclaimed")
    assert dialog.result["reason"] == "not_owner"
    assert not harness.simulator.claim_tokens.given


async def test_signing_in(harness: Harness) -> None:
    """A server is offered once, and it is the own one."""
    await async_list(harness, harness.anna, lambda rows: [*map(mallorys, rows), *rows])
    flows = harness.hass.config_entries.flow
    result = await flows.async_init(DOMAIN, context={"source": SOURCE_USER})
    flow_id = result["flow_id"]
    await flows.async_configure(flow_id, {"next_step_id": "advanced"})
    await flows.async_configure(flow_id, {"api_url": harness.simulator.api_url})
    await flows.async_configure(flow_id, {"next_step_id": "token"})
    token = harness.anna.sign_in_token("another client")
    result = await flows.async_configure(flow_id, {"token": token})
    assert result["step_id"] == "servers"
    schema = result["data_schema"]
    assert schema is not None
    options = schema.schema["servers"].config["options"]
    identifier = harness.server.machine_identifier
    offered = [one["label"] for one in options if one["value"] == identifier]
    assert offered == ["Living Room"]
    result = await flows.async_configure(flow_id, {"servers": [identifier]})
    await harness.settle()
    assert harness.state("binary_sensor.reachable") == "on"
    subentry = subentry_of(result["result"], harness.server)
    assert subentry.data[CONF_LAST_KNOWN]["owner"] == OWN_ACCOUNT
