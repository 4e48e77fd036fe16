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
from tests.harness import Harness
from tests.helpers import async_set_up, async_use_api, make_entry
from tests.plex_simulator import Account, Fault

ACCOUNT_POLL = timedelta(minutes=31)
HOUR = timedelta(hours=1, seconds=1)


@pytest.fixture
async def ben_s(harness: Harness) -> MockConfigEntry:
    """Return the entry of Ben, who signs in with a password alone."""
    return await harness.add(harness.ben, harness.server)


async def reject(harness: Harness, entry: MockConfigEntry) -> None:
    """Let plex.tv reject an account's token, and the account hear of it."""
    harness.ben.revoke_tokens()
    await harness.failure("get_token_details", config_entry_id=entry.entry_id)
    await harness.settle()


def request_of(harness: Harness, entry: MockConfigEntry) -> str:
    """Return the dialog that asks to sign in again, of which there is one."""
    (flow,) = entry.async_get_active_flows(harness.hass, {SOURCE_REAUTH})
    return str(flow["flow_id"])


async def choose_password(harness: Harness, flow_id: str) -> ConfigFlowResult:
    """Choose the way with a password."""
    flows = harness.hass.config_entries.flow
    return await flows.async_configure(flow_id, {"next_step_id": "password"})


async def type_password(
    harness: Harness, flow_id: str, account: Account
) -> ConfigFlowResult:
    """Sign in with an account's password."""
    credentials = {"username": account.username, "password": account.password}
    flows = harness.hass.config_entries.flow
    return await flows.async_configure(flow_id, credentials)


async def test_reconfigure_dialog_that_is_left_open(
    harness: Harness, freezer: FrozenDateTimeFactory, ben_s: MockConfigEntry
) -> None:
    """A dialog that waits at its menu does not keep the request away."""
    await ben_s.start_reconfigure_flow(harness.hass)
    harness.ben.revoke_tokens()
    await harness.wait(freezer, ACCOUNT_POLL)
    assert harness.state("binary_sensor.sign_in", harness.ben) == "on"
    assert harness.reauth_flows(ben_s) == 1


@pytest.mark.parametrize("is_closed", [True, False])
async def test_reconfigure_dialog_that_has_begun(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    ben_s: MockConfigEntry,
    is_closed: bool,
) -> None:
    """One in which somebody signs in is left for an hour; closed, the request comes."""
    result = await ben_s.start_reconfigure_flow(harness.hass)
    await choose_password(harness, result["flow_id"])
    harness.ben.revoke_tokens()
    await harness.wait(freezer, ACCOUNT_POLL)
    assert harness.state("binary_sensor.sign_in", harness.ben) == "on"
    if is_closed:
        harness.hass.config_entries.flow.async_abort(result["flow_id"])
        await harness.settle()
    else:
        await harness.wait(freezer, HOUR)
    assert harness.reauth_flows(ben_s) == 1


async def test_closed_dialog_is_there_again(
    harness: Harness, ben_s: MockConfigEntry
) -> None:
    """A request whose dialog is ended comes again at once, while it is needed."""
    await reject(harness, ben_s)
    flow_id = request_of(harness, ben_s)
    harness.hass.config_entries.flow.async_abort(flow_id)
    await harness.settle()
    assert request_of(harness, ben_s) != flow_id


async def test_wrong_account_then_the_right_one(
    harness: Harness, ben_s: MockConfigEntry
) -> None:
    """Another account is an error in the form, which names both; the request stays."""
    await reject(harness, ben_s)
    flow_id = request_of(harness, ben_s)
    await choose_password(harness, flow_id)
    result = await type_password(harness, flow_id, harness.world.yearly)
    assert result["step_id"] == "password"
    assert "wrong_account" in (result["errors"] or {}).values()
    placeholders = result["description_placeholders"] or {}
    assert (placeholders["other"], placeholders["name"]) == ("Carla", "Ben")
    await harness.settle()
    assert request_of(harness, ben_s) == flow_id
    result = await type_password(harness, flow_id, harness.ben)
    assert result["reason"] == "reauth_successful"
    await harness.settle()
    assert harness.state("binary_sensor.sign_in", harness.ben) == "off"
    assert not harness.reauth_flows(ben_s)


async def test_wrong_account_then_closed(
    harness: Harness, ben_s: MockConfigEntry
) -> None:
    """A dialog that is given up after a wrong account leaves the request."""
    await reject(harness, ben_s)
    flow_id = request_of(harness, ben_s)
    await choose_password(harness, flow_id)
    await type_password(harness, flow_id, harness.world.yearly)
    harness.hass.config_entries.flow.async_abort(flow_id)
    await harness.settle()
    assert harness.reauth_flows(ben_s) == 1


@pytest.mark.parametrize("way", ["password", "token"])
async def test_opened_again(harness: Harness, ben_s: MockConfigEntry, way: str) -> None:
    """A dialog that is closed and opened again starts at its menu.

    For the link see test_config_flow.py::test_link_dialog_opened_again.
    """
    await reject(harness, ben_s)
    flow_id = request_of(harness, ben_s)
    flows = harness.hass.config_entries.flow
    result = await flows.async_configure(flow_id, {"next_step_id": way})
    assert result["step_id"] == way
    result = await flows.async_configure(flow_id)
    assert result["type"] is FlowResultType.MENU
    assert result["step_id"] == "reauth_confirm"
    await choose_password(harness, flow_id)
    result = await type_password(harness, flow_id, harness.ben)
    assert result["reason"] == "reauth_successful"


async def test_user_name_is_filled_in(harness: Harness, ben_s: MockConfigEntry) -> None:
    """Nobody types the user name of an account that is known."""
    await reject(harness, ben_s)
    result = await choose_password(harness, request_of(harness, ben_s))
    schema = result["data_schema"]
    assert schema is not None
    suggested = {
        str(key): (key.description or {}).get("suggested_value")
        for key in schema.schema
    }
    assert suggested["username"] == "ben"


async def test_page_loaded_again_at_the_form_of_servers(harness: Harness) -> None:
    """A dialog whose page is gone keeps nobody from adding the account."""
    carla = harness.world.yearly
    flows = harness.hass.config_entries.flow
    for _ in range(2):
        result = await flows.async_init(DOMAIN, context={"source": SOURCE_USER})
        await async_use_api(harness.hass, harness.simulator, result["flow_id"])
        await choose_password(harness, result["flow_id"])
        result = await type_password(harness, result["flow_id"], carla)
        assert result["step_id"] == "servers"
    result = await flows.async_configure(result["flow_id"], {"servers": []})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await harness.settle()
    assert not flows.async_progress_by_handler(DOMAIN)


async def test_account_without_servers_that_is_rejected_at_start(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """Such an account is loaded, says so, and heals when plex.tv accepts it again."""
    gina = harness.world.without_servers
    entry = make_entry(harness.simulator, gina)
    harness.simulator.faults.set("user", Fault.plex_error(1001, 401))
    await async_set_up(harness.hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert harness.reauth_flows(entry) == 1
    assert harness.state("binary_sensor.sign_in", gina) == "on"
    harness.simulator.faults.clear()
    await harness.wait(freezer, HOUR)
    assert harness.state("binary_sensor.sign_in", gina) == "off"
    assert not harness.reauth_flows(entry)
