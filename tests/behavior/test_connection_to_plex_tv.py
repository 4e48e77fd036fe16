"""A message about plex.tv names plex.tv, and what helps there: never the account."""

import pytest

from custom_components.plex_auth.const import CONF_API_URL, DOMAIN, SUBENTRY_TYPE_SERVER
from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER
from tests.conftest import Dns
from tests.fault_catalogue import PLEX_TV_CAUSES, Cause
from tests.harness import Harness
from tests.helpers import account_coordinator, make_entry
from tests.walks.dialog import config_dialog, server_dialog
from tests.walks.texts import text

CAUSES = {cause.name: cause for cause in PLEX_TV_CAUSES}
MESSAGES = {
    "TLS: expired": (
        "The certificate of plex.tv isn't valid. Check the date and time of Home Assistant"
    ),
    "slow headers": "plex.tv didn't respond in time",
    "DNS": (
        "The name plex.tv couldn't be resolved. "
        "Check the DNS settings of Home Assistant's network"
    ),
    "reset": "The connection to plex.tv failed",
}


@pytest.mark.parametrize(
    "cause", [CAUSES[name] for name in MESSAGES], ids=lambda cause: cause.name
)
@pytest.mark.usefixtures("plex_direct")
async def test_connection_to_plex_tv(harness: Harness, dns: Dns, cause: Cause) -> None:
    """An action, the poll, setup and dialogs tell of plex.tv, not of Anna."""
    message, hass = MESSAGES[cause.name], harness.hass
    entry = make_entry(harness.simulator, harness.anna)
    entry.add_to_hass(hass)
    api_url = harness.simulator.api_url.replace("http://127.0.0.1", "https://localhost")
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_API_URL: api_url}
    )
    async with cause.active(harness.simulator, dns, "user"):
        await hass.config_entries.async_setup(entry.entry_id)
    assert entry.reason == message
    await harness.reload(entry)
    async with cause.active(harness.simulator, dns, "user"):
        assert str(await harness.failure("get_token_details")) == message
    assert str(account_coordinator(entry).last_exception) == message
    first, _, advice = message.partition(". ")
    dialog = config_dialog(hass, harness.simulator)
    await dialog.start(DOMAIN, source=SOURCE_RECONFIGURE, entry_id=entry.entry_id)
    await dialog.choose("token")
    async with cause.active(harness.simulator, dns, "user"):
        await dialog.submit({"token": "anything"})
    told = text(f"config.error.{dialog.errors['base']}")
    assert told.startswith(f"{first}. {advice}")
    dialog = server_dialog(hass, harness.simulator)
    await dialog.start((entry.entry_id, SUBENTRY_TYPE_SERVER), source=SOURCE_USER)
    async with cause.active(harness.simulator, dns, "resources"):
        await dialog.choose("listed")
    assert text(f"config_subentries.server.error.{dialog.errors['base']}") == told


async def test_name_of_a_server(harness: Harness) -> None:
    """A message about a server names the server."""
    server = await harness.add_hidden_server()
    await harness.add(harness.world.three_servers, server)
    failure = await harness.failure("get_transient_token")
    assert str(failure) == "The host name of Bunker couldn't be resolved"
