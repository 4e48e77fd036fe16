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

from .helpers import async_set_up, known_server, make_entry, server_data, subentry_of
from .home import Home
from .plex_simulator import Fault

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
    home: Home,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    lacking: dict[str, Any],
) -> None:
    """What plex.tv leaves out for a while is kept, and works after a reload."""
    kept = subentry_of(entry, home.server).data[CONF_LAST_KNOWN]
    listed = home.server.connections
    row = {
        "name": home.server.name,
        "clientIdentifier": home.server.machine_identifier,
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
    home.simulator.faults.set("resources", Fault.body(json.dumps([row | lacking])))
    home.asked()
    await home.wait(freezer, HOUR)
    await home.wait(freezer, HOUR)
    assert home.asked()["resources"]
    assert subentry_of(entry, home.server).data[CONF_LAST_KNOWN] == kept
    await home.reload(entry)
    assert home.state("binary_sensor.reachable") == "on"
    assert home.server.accepts_transient_token(await home.transient_token())


async def test_downgrade(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    """Keys that a later version has stored are ignored."""
    known = known_server(home.server, home.anna) | {"later": 1}
    for connection in known["connections"]:
        connection["ipv6"] = False
    data = server_data(home.server, home.anna, last_known=known, later={"a": 1})
    entry = make_entry(home.simulator, home.anna, [data])
    await home.simulator.stop_plex_tv()
    await async_set_up(home.hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert home.state("binary_sensor.reachable") == "on"
    assert "TypeError" not in caplog.text


@pytest.mark.parametrize("key", [CONF_SOURCES, CONF_LAST_KNOWN])
async def test_key_that_is_missing(home: Home, key: str) -> None:
    """A subentry that lacks something harms neither its account nor other servers."""
    damaged = server_data(home.server, home.anna)
    damaged["data"] = {
        name: value for name, value in damaged["data"].items() if name != key
    }
    entry = await home.add(home.anna, damaged, home.world.basement)
    assert entry.state is ConfigEntryState.LOADED
    assert home.state("binary_sensor.sign_in") == "off"
    assert home.state("binary_sensor.reachable", home.world.basement) == "on"
    assert home.state("binary_sensor.reachable") == "on"


@pytest.mark.parametrize("key", ["token", "connections", "https_required", "name"])
async def test_stored_server_that_lacks_something(home: Home, key: str) -> None:
    """What is missing of a stored server is completed by plex.tv."""
    known = known_server(home.server, home.anna)
    del known[key]
    entry = await home.add(
        home.anna, server_data(home.server, home.anna, last_known=known)
    )
    assert home.state("binary_sensor.reachable") == "on"
    assert subentry_of(entry, home.server).data[CONF_LAST_KNOWN] == known_server(
        home.server, home.anna
    )


@pytest.mark.parametrize("key", ["api_url", "client_identifier", "token_origin"])
async def test_entry_that_lacks_something(home: Home, key: str) -> None:
    """A damaged entry harms no other account, and can be removed."""
    damaged = make_entry(home.simulator, home.ben, [home.server])
    damaged.add_to_hass(home.hass)
    data = {name: value for name, value in damaged.data.items() if name != key}
    home.hass.config_entries.async_update_entry(damaged, data=data)
    await home.hass.config_entries.async_setup(damaged.entry_id)
    entry = await home.add(home.anna, home.server)
    assert entry.state is ConfigEntryState.LOADED
    assert home.state("binary_sensor.reachable") == "on"
    assert (await home.call("get_servers", config_entry_id=entry.entry_id))["servers"]
    flows = home.hass.config_entries.flow
    result = await flows.async_init(DOMAIN, context={"source": SOURCE_USER})
    await flows.async_configure(result["flow_id"], {"next_step_id": "advanced"})
    result = await flows.async_configure(
        result["flow_id"], {"client_identifier": "another"}
    )
    assert result["step_id"] == "user"
    await home.remove(damaged)
    assert home.hass.config_entries.async_entries(DOMAIN) == [entry]
