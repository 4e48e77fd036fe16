"""Servers that are offered: those that have been away for long are told from others."""

from datetime import UTC, datetime

import pytest

from custom_components.plex_auth.const import DOMAIN, SUBENTRY_TYPE_SERVER
from homeassistant.config_entries import SOURCE_USER
from homeassistant.data_entry_flow import FlowResultType
from tests.harness import Harness
from tests.plex_simulator import MediaServer
from tests.walks.dialog import Dialog, config_dialog, person, server_dialog
from tests.walks.ways import use_api


@pytest.fixture
async def stale(harness: Harness) -> MediaServer:
    """Return Anna's server of before its machine was set up anew, with the same name."""
    old = await harness.simulator.add_server(harness.server.name, harness.anna)
    old.presence, old.last_seen_at = False, datetime(2026, 2, 1, 9, tzinfo=UTC)
    harness.hass.config.language = "de"
    return old


def labels(dialog: Dialog) -> dict[str, str]:
    """Return the labels of the servers that a form offers, by their identifiers."""
    (selector,) = dialog.result["data_schema"].schema.values()
    return {one["value"]: one["label"] for one in selector.config["options"]}


async def test_new_account(harness: Harness, stale: MediaServer) -> None:
    """Of two servers of one name the living one is chosen, and the label says why."""
    dialog = config_dialog(harness.hass, harness.simulator)
    await dialog.start(DOMAIN, source=SOURCE_USER)
    await dialog.walk(use_api(person(harness.simulator, harness.anna)))
    await dialog.choose("token")
    await dialog.submit({"token": harness.anna.sign_in_token("mine")})
    assert dialog.step == "servers"
    offered = labels(dialog)
    assert offered[stale.machine_identifier] == (
        "Living Room, zuletzt gesehen am 2026-02-01"
    )
    assert offered[harness.server.machine_identifier] == "Living Room"
    assert harness.server.machine_identifier in dialog.shown["servers"]
    assert stale.machine_identifier not in dialog.shown["servers"]


async def test_added_later(harness: Harness, stale: MediaServer) -> None:
    """A server is added from the account by the same labels."""
    entry = await harness.add(harness.anna)
    dialog = server_dialog(harness.hass, harness.simulator)
    await dialog.start((entry.entry_id, SUBENTRY_TYPE_SERVER), source=SOURCE_USER)
    await dialog.choose("listed")
    offered = labels(dialog)
    assert offered[stale.machine_identifier] == (
        "Living Room, zuletzt gesehen am 2026-02-01"
    )
    assert offered[harness.server.machine_identifier] == "Living Room"
    await dialog.submit({"server": stale.machine_identifier})
    assert dialog.type is FlowResultType.CREATE_ENTRY
    assert dialog.result["title"] == "Living Room"
