"""The request to sign in is there for as long as plex.tv rejects the token."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import DOMAIN
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_USER,
    ConfigEntryState,
    ConfigFlowResult,
)
from homeassistant.data_entry_flow import FlowResultType

from .helpers import async_set_up, async_use_api, make_entry
from .home import Home
from .plex_simulator import Account, Fault

ACCOUNT_POLL = timedelta(minutes=31)
HOUR = timedelta(hours=1, seconds=1)


@pytest.fixture
async def ben_s(home: Home) -> MockConfigEntry:
    """Return the entry of Ben, who signs in with a password alone."""
    return await home.add(home.ben, home.server)


async def reject(home: Home, entry: MockConfigEntry) -> None:
    """Let plex.tv reject an account's token, and the account hear of it."""
    home.ben.revoke_tokens()
    await home.failure("get_token_details", config_entry_id=entry.entry_id)
    await home.settle()


def request_of(home: Home, entry: MockConfigEntry) -> str:
    """Return the dialog that asks to sign in again, of which there is one."""
    (flow,) = entry.async_get_active_flows(home.hass, {SOURCE_REAUTH})
    return str(flow["flow_id"])


async def choose_password(home: Home, flow_id: str) -> ConfigFlowResult:
    """Choose the way with a password."""
    flows = home.hass.config_entries.flow
    return await flows.async_configure(flow_id, {"next_step_id": "password"})


async def type_password(home: Home, flow_id: str, account: Account) -> ConfigFlowResult:
    """Sign in with an account's password."""
    credentials = {"username": account.username, "password": account.password}
    flows = home.hass.config_entries.flow
    return await flows.async_configure(flow_id, credentials)


async def test_reconfigure_dialog_that_is_left_open(
    home: Home, freezer: FrozenDateTimeFactory, ben_s: MockConfigEntry
) -> None:
    """A dialog that waits at its menu does not keep the request away."""
    await ben_s.start_reconfigure_flow(home.hass)
    home.ben.revoke_tokens()
    await home.wait(freezer, ACCOUNT_POLL)
    assert home.state("binary_sensor.sign_in", home.ben) == "on"
    assert home.reauth_flows(ben_s) == 1


@pytest.mark.parametrize("is_closed", [True, False])
async def test_reconfigure_dialog_that_has_begun(
    home: Home, freezer: FrozenDateTimeFactory, ben_s: MockConfigEntry, is_closed: bool
) -> None:
    """One in which somebody signs in is left for an hour; closed, the request comes."""
    result = await ben_s.start_reconfigure_flow(home.hass)
    await choose_password(home, result["flow_id"])
    home.ben.revoke_tokens()
    await home.wait(freezer, ACCOUNT_POLL)
    assert home.state("binary_sensor.sign_in", home.ben) == "on"
    if is_closed:
        home.hass.config_entries.flow.async_abort(result["flow_id"])
        await home.settle()
    else:
        await home.wait(freezer, HOUR)
    assert home.reauth_flows(ben_s) == 1


async def test_closed_dialog_is_there_again(home: Home, ben_s: MockConfigEntry) -> None:
    """A request whose dialog is ended comes again at once, while it is needed."""
    await reject(home, ben_s)
    flow_id = request_of(home, ben_s)
    home.hass.config_entries.flow.async_abort(flow_id)
    await home.settle()
    assert request_of(home, ben_s) != flow_id


async def test_wrong_account_then_the_right_one(
    home: Home, ben_s: MockConfigEntry
) -> None:
    """Another account is an error in the form, which names both; the request stays."""
    await reject(home, ben_s)
    flow_id = request_of(home, ben_s)
    await choose_password(home, flow_id)
    result = await type_password(home, flow_id, home.world.yearly)
    assert result["step_id"] == "password"
    assert "wrong_account" in (result["errors"] or {}).values()
    placeholders = result["description_placeholders"] or {}
    assert (placeholders["other"], placeholders["name"]) == ("Carla", "Ben")
    await home.settle()
    assert request_of(home, ben_s) == flow_id
    result = await type_password(home, flow_id, home.ben)
    assert result["reason"] == "reauth_successful"
    await home.settle()
    assert home.state("binary_sensor.sign_in", home.ben) == "off"
    assert not home.reauth_flows(ben_s)


async def test_wrong_account_then_closed(home: Home, ben_s: MockConfigEntry) -> None:
    """A dialog that is given up after a wrong account leaves the request."""
    await reject(home, ben_s)
    flow_id = request_of(home, ben_s)
    await choose_password(home, flow_id)
    await type_password(home, flow_id, home.world.yearly)
    home.hass.config_entries.flow.async_abort(flow_id)
    await home.settle()
    assert home.reauth_flows(ben_s) == 1


@pytest.mark.parametrize("way", ["password", "token"])
async def test_opened_again(home: Home, ben_s: MockConfigEntry, way: str) -> None:
    """A dialog that is closed and opened again starts at its menu.

    For the link see test_config_flow.py::test_link_dialog_opened_again.
    """
    await reject(home, ben_s)
    flow_id = request_of(home, ben_s)
    flows = home.hass.config_entries.flow
    result = await flows.async_configure(flow_id, {"next_step_id": way})
    assert result["step_id"] == way
    result = await flows.async_configure(flow_id)
    assert result["type"] is FlowResultType.MENU
    assert result["step_id"] == "reauth_confirm"
    await choose_password(home, flow_id)
    result = await type_password(home, flow_id, home.ben)
    assert result["reason"] == "reauth_successful"


async def test_user_name_is_filled_in(home: Home, ben_s: MockConfigEntry) -> None:
    """Nobody types the user name of an account that is known."""
    await reject(home, ben_s)
    result = await choose_password(home, request_of(home, ben_s))
    schema = result["data_schema"]
    assert schema is not None
    suggested = {
        str(key): (key.description or {}).get("suggested_value")
        for key in schema.schema
    }
    assert suggested["username"] == "ben"


async def test_page_loaded_again_at_the_form_of_servers(home: Home) -> None:
    """A dialog whose page is gone keeps nobody from adding the account."""
    carla = home.world.yearly
    flows = home.hass.config_entries.flow
    for _ in range(2):
        result = await flows.async_init(DOMAIN, context={"source": SOURCE_USER})
        await async_use_api(home.hass, home.simulator, result["flow_id"])
        await choose_password(home, result["flow_id"])
        result = await type_password(home, result["flow_id"], carla)
        assert result["step_id"] == "servers"
    assert len(flows.async_progress_by_handler(DOMAIN)) == 1
    result = await flows.async_configure(result["flow_id"], {"servers": []})
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_hourly_while_rejected(
    home: Home, freezer: FrozenDateTimeFactory, ben_s: MockConfigEntry
) -> None:
    """plex.tv is asked hourly, and the request goes when it accepts the token again."""
    home.simulator.faults.set("user", Fault.plex_error(1001, 401))
    await home.wait(freezer, ACCOUNT_POLL)
    assert home.reauth_flows(ben_s) == 1
    home.asked()
    for _ in range(3):
        await home.wait(freezer, timedelta(minutes=30, seconds=1))
        await home.wait(freezer, timedelta(minutes=30, seconds=1))
        assert home.asked()["user"] == 1
        assert home.reauth_flows(ben_s) == 1
    home.simulator.faults.clear()
    await home.wait(freezer, HOUR)
    assert home.state("binary_sensor.sign_in", home.ben) == "off"
    assert not home.reauth_flows(ben_s)


async def test_account_without_servers_that_is_rejected_at_start(
    home: Home, freezer: FrozenDateTimeFactory
) -> None:
    """Such an account is loaded, says so, and heals when plex.tv accepts it again."""
    gina = home.world.without_servers
    entry = make_entry(home.simulator, gina)
    home.simulator.faults.set("user", Fault.plex_error(1001, 401))
    await async_set_up(home.hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert home.reauth_flows(entry) == 1
    assert home.state("binary_sensor.sign_in", gina) == "on"
    home.simulator.faults.clear()
    await home.wait(freezer, HOUR)
    assert home.state("binary_sensor.sign_in", gina) == "off"
    assert not home.reauth_flows(entry)
