"""What is stored of servers is never lost, and harms nobody."""

from datetime import timedelta
import json
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import CONF_LAST_KNOWN, CONF_SOURCES, DOMAIN
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState
from homeassistant.const import CONF_TOKEN
from tests.harness import Harness
from tests.helpers import (
    async_set_up,
    known_server,
    make_entry,
    server_data,
    subentry_of,
)
from tests.plex_simulator import Fault

HOUR = timedelta(hours=1, seconds=1)


@pytest.mark.parametrize(
    "lacking",
    [
        {"connections": []},
        {"accessToken": None},
        {"connections": [], "accessToken": None},
        {"connections": None, "accessToken": ""},
    ],
    ids=["addresses", "token", "both", "null"],
)
async def test_row_that_lacks_something(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    lacking: dict[str, Any],
) -> None:
    """What plex.tv leaves out for a while is kept, and works after a reload."""
    kept = subentry_of(entry, harness.server).data[CONF_LAST_KNOWN]
    listed = harness.server.connections
    row = {
        "name": harness.server.name,
        "clientIdentifier": harness.server.machine_identifier,
        "provides": "server",
        "owned": True,
        "accessToken": kept[CONF_TOKEN],
        "connections": [
            {
                "protocol": one.protocol,
                "address": one.address,
                "port": one.port,
                "uri": one.uri,
                "local": one.local,
                "relay": one.relay,
            }
            for one in listed
        ],
    }
    harness.simulator.faults.set("resources", Fault.body(json.dumps([row | lacking])))
    harness.asked()
    await harness.wait(freezer, HOUR)
    await harness.wait(freezer, HOUR)
    assert harness.asked()["resources"]
    assert subentry_of(entry, harness.server).data[CONF_LAST_KNOWN] == kept
    await harness.reload(entry)
    assert harness.state("binary_sensor.reachable") == "on"
    assert harness.server.accepts_transient_token(await harness.transient_token())


async def test_downgrade(harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
    """Keys that a later version has stored are ignored."""
    known = known_server(harness.server, harness.anna) | {"later": 1}
    for connection in known["connections"]:
        connection["ipv6"] = False
    data = server_data(harness.server, harness.anna, last_known=known, later={"a": 1})
    entry = make_entry(harness.simulator, harness.anna, [data])
    await harness.simulator.stop_plex_tv()
    await async_set_up(harness.hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert harness.state("binary_sensor.reachable") == "on"
    assert "TypeError" not in caplog.text


@pytest.mark.parametrize("key", [CONF_SOURCES, CONF_LAST_KNOWN])
async def test_key_that_is_missing(harness: Harness, key: str) -> None:
    """A subentry that lacks something harms neither its account nor other servers."""
    damaged = server_data(harness.server, harness.anna)
    damaged["data"] = {
        name: value for name, value in damaged["data"].items() if name != key
    }
    entry = await harness.add(harness.anna, damaged, harness.world.basement)
    assert entry.state is ConfigEntryState.LOADED
    assert harness.state("binary_sensor.sign_in") == "off"
    assert harness.state("binary_sensor.reachable", harness.world.basement) == "on"
    assert harness.state("binary_sensor.reachable") == "on"


@pytest.mark.parametrize("key", ["token", "connections", "https_required", "name"])
async def test_stored_server_that_lacks_something(harness: Harness, key: str) -> None:
    """What is missing of a stored server is completed by plex.tv."""
    known = known_server(harness.server, harness.anna)
    del known[key]
    entry = await harness.add(
        harness.anna, server_data(harness.server, harness.anna, last_known=known)
    )
    assert harness.state("binary_sensor.reachable") == "on"
    assert subentry_of(entry, harness.server).data[CONF_LAST_KNOWN] == known_server(
        harness.server, harness.anna
    )


async def test_long_name(harness: Harness) -> None:
    """A name without end that an earlier version has stored and shown is shortened."""
    known = known_server(harness.server, harness.anna) | {"name": "N" * 100_000}
    data = server_data(harness.server, harness.anna, last_known=known)
    data["title"] = harness.server.name = "N" * 100_000
    entry = await harness.add(harness.anna, data)
    assert subentry_of(entry, harness.server).title == "N" * 128


@pytest.mark.parametrize("key", ["api_url", "client_identifier", "token_origin"])
async def test_entry_that_lacks_something(harness: Harness, key: str) -> None:
    """A damaged entry harms no other account, and can be removed."""
    damaged = make_entry(harness.simulator, harness.ben, [harness.server])
    damaged.add_to_hass(harness.hass)
    data = {name: value for name, value in damaged.data.items() if name != key}
    harness.hass.config_entries.async_update_entry(damaged, data=data)
    await harness.hass.config_entries.async_setup(damaged.entry_id)
    entry = await harness.add(harness.anna, harness.server)
    assert entry.state is ConfigEntryState.LOADED
    assert harness.state("binary_sensor.reachable") == "on"
    assert (await harness.call("get_servers", config_entry_id=entry.entry_id))[
        "servers"
    ]
    flows = harness.hass.config_entries.flow
    result = await flows.async_init(DOMAIN, context={"source": SOURCE_USER})
    await flows.async_configure(result["flow_id"], {"next_step_id": "advanced"})
    result = await flows.async_configure(
        result["flow_id"], {"client_identifier": "another"}
    )
    assert result["step_id"] == "user"
    await harness.remove(damaged)
    assert harness.hass.config_entries.async_entries(DOMAIN) == [entry]
