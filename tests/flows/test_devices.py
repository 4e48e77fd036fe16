"""The options flow: the devices of an account are listed, and signed out."""

from datetime import timedelta
import json

from aiohttp import web
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)
import voluptuous as vol

from custom_components.plex_auth.const import CONF_API_URL
from homeassistant.core import Event, EventStateChangedData
from tests.conftest import Dns
from tests.fault_catalogue import PLEX_TV_CAUSES
from tests.harness import Harness
from tests.helpers import (
    account_coordinator,
    async_arrival,
    async_set_up,
    make_entry,
    signed_out_meanwhile,
)
from tests.plex_simulator import AccountToken, Client, Fault
from tests.plex_simulator.faults import Exchange
from tests.walks import ways
from tests.walks.dialog import Dialog, options_dialog
from tests.walks.markdown import words
from tests.walks.names import Field, Step
from tests.walks.texts import text, texts_of
from tests.walks.troubles import OPTIONS_TABLE

KITCHEN = Client(name="Kitchen", product="Plex Web", platform="Firefox")
PHONE = Client(name="Phone", product="Plex for Android", platform="Android")
DAY = timedelta(days=1)


async def async_open(harness: Harness, entry: MockConfigEntry) -> Dialog:
    """Open the dialog of an entry."""
    dialog = options_dialog(harness.hass, harness.simulator)
    await dialog.start(entry.entry_id)
    return dialog


def options(dialog: Dialog) -> dict[str, str]:
    """Return the labels of the devices that are offered, by their values."""
    ((marker, selector),) = dialog.result["data_schema"].schema.items()
    assert isinstance(marker, vol.Optional), (
        "pages preselect the first of a required one"
    )
    config = selector.config
    assert (config["multiple"], config["mode"]) == (True, "list")
    return {option["value"]: option["label"] for option in config["options"]}


def said(dialog: Dialog) -> str:
    """Return the words of the text that a dialog ends with."""
    markdown: str = texts_of(f"options.abort.{dialog.result['reason']}")
    return words(markdown.format(**dialog.result["description_placeholders"]))


def is_signed_in(harness: Harness, device: AccountToken) -> bool:
    """Return whether a device of Anna's is signed in."""
    return harness.anna.find_token(device.value) is not None


# What is offered, and what comes of it


async def test_devices_are_signed_out(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """The selected devices are signed out and named; the entities tell it at once.

    Servers and this Home Assistant are not offered; the newest device is the first.
    """
    freezer.move_to("2027-11-24 12:00:00+00:00")
    kitchen = harness.anna.add_device(KITCHEN)
    freezer.tick(DAY)
    phone = harness.anna.add_device(PHONE)
    freezer.tick(DAY)
    other = harness.anna.add_device(Client(product="Plex HTPC"))
    changes: list[Event[EventStateChangedData]] = async_capture_events(
        harness.hass, "state_changed"
    )
    dialog = await async_open(harness, entry)
    assert dialog.step == "init"
    assert list(options(dialog).items()) == [
        (str(other.device_id), "Plex HTPC, last seen 2027-11-26"),
        (
            str(phone.device_id),
            "Phone, Plex for Android, Android, last seen 2027-11-25",
        ),
        (str(kitchen.device_id), "Kitchen, Plex Web, Firefox, last seen 2027-11-24"),
    ]
    assert dialog.shown == {}
    assert harness.state("sensor.newest_authorized_device") == "Plex HTPC"
    harness.asked()
    await dialog.walk(ways.sign_out_devices([other.device_id, kitchen.device_id]))
    assert said(dialog) == text(
        "options.abort.devices_signed_out",
        name="Anna",
        devices="Plex HTPC; Kitchen, Plex Web, Firefox",
    )
    asked = harness.asked()
    assert (asked["devices"], asked["device_remove"]) == (1, 2)
    assert [is_signed_in(harness, one) for one in (kitchen, phone, other)] == [
        False,
        True,
        False,
    ]
    assert harness.state("sensor.newest_authorized_device") == "Phone"
    event = harness.entity_id("event.authorized_device")
    removed = [
        state.attributes["name"]
        for change in changes
        if (state := change.data["new_state"]) is not None
        and state.entity_id == event
        and state.attributes["event_type"] == "removed"
    ]
    assert sorted(removed) == ["Kitchen", "Plex HTPC"]
    assert dict(entry.options) == {}


async def test_hundreds(harness: Harness, entry: MockConfigEntry) -> None:
    """300 devices that look the same can be told apart, and signed out."""
    devices = [harness.anna.add_device(KITCHEN) for _ in range(300)]
    left = harness.anna.add_device(PHONE)
    dialog = await async_open(harness, entry)
    offered = options(dialog)
    assert len(set(offered.values())) == len(offered) == 301
    assert offered[str(devices[0].device_id)].endswith(f" [{devices[0].device_id}]")
    await dialog.walk(ways.sign_out_devices(one.device_id for one in devices))
    assert not any(is_signed_in(harness, one) for one in devices)
    assert is_signed_in(harness, left)


async def test_labels(harness: Harness, entry: MockConfigEntry) -> None:
    """A label has what is known, but nothing twice; times that are unknown come last."""
    listed = [
        {"id": 7, "name": "Safari", "product": "Safari", "platform": "macOS"},
        {"id": 8},
        {"id": 9, "platform": "Roku", "createdAt": 10, "lastSeenAt": 1767225600},
        {"id": 10, "name": "Shed", "provides": "client,server"},
    ]
    harness.simulator.faults.set("devices", Fault.body(json.dumps(listed)))
    dialog = await async_open(harness, entry)
    assert list(options(dialog).items()) == [
        ("9", "Roku, last seen 2025-12-31"),
        ("8", "ID 8"),
        ("7", "Safari, macOS"),
    ]


async def test_hostile_names(harness: Harness, entry: MockConfigEntry) -> None:
    """A name is plain in the list, and words in the text at the end."""
    hostile = "[a](http://e.example) <img src=b> {name} `c`"
    device = harness.anna.add_device(Client(name=hostile))
    dialog = await async_open(harness, entry)
    assert options(dialog)[str(device.device_id)].startswith(f"{hostile}, ")
    await dialog.walk(ways.sign_out_devices([device.device_id]))
    assert hostile in said(dialog)


@pytest.mark.parametrize("typed", [{}, {Field.DEVICES: []}])
async def test_nothing_selected(
    harness: Harness, entry: MockConfigEntry, typed: dict[str, list[str]]
) -> None:
    """Without a selection nothing is signed out, and the list is a new one."""
    device = harness.anna.add_device(KITCHEN)
    dialog = await async_open(harness, entry)
    new = harness.anna.add_device(PHONE)
    await dialog.submit(typed)
    assert list(options(dialog)) == [str(new.device_id), str(device.device_id)]
    assert dialog.errors == {}
    assert not harness.asked()["device_remove"]


# What goes wrong

FAILURES = [
    (Fault.status(503), "unavailable"),
    (Fault.reset(), "cannot_connect"),
    (Fault.plex_error(1003, 429), "rate_limited"),
    (Fault.plex_error(1009, 403), "not_permitted"),
    (Fault.plex_error(1001, 401), "invalid_token"),
]
# What a list may meet: one that is not permitted ends the dialog, and one that is too
# large is asked for in another form.
CAUSES = [
    cause for cause in PLEX_TV_CAUSES if cause.name not in ("403 1009", "huge body")
]


@pytest.mark.usefixtures("plex_direct")
async def test_list_fails(harness: Harness, dns: Dns) -> None:
    """What befalls the list is told in the form, until plex.tv lists the devices."""
    entry = make_entry(harness.simulator, harness.anna)
    api_url = entry.data[CONF_API_URL].replace("http://127.0.0.1", "https://localhost")
    entry.add_to_hass(harness.hass)
    harness.hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_API_URL: api_url}
    )
    await async_set_up(harness.hass, entry)
    dialog = options_dialog(harness.hass, harness.simulator)
    for cause in CAUSES:
        async with cause.active(harness.simulator, dns, "devices"):
            if dialog.result:
                await dialog.submit()
            else:
                await dialog.start(entry.entry_id)
        assert dialog.errors == {"base": cause.key}, cause.name
    for endpoint in ("devices", "devices_xml"):
        harness.simulator.faults.set(endpoint, Fault.huge_body())
    await dialog.submit()
    assert dialog.errors == {"base": "too_many_devices"}
    harness.simulator.faults.clear()
    device = harness.anna.add_device(KITCHEN)
    await dialog.submit()
    assert list(options(dialog)) == [str(device.device_id)]


def test_table() -> None:
    """Every error that the table has is met here."""
    met = {cause.key for cause in CAUSES} | {key for _, key in FAILURES}
    assert {Step.INIT: met | {"too_many_devices"}} == OPTIONS_TABLE


async def test_known_devices_are_shown(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """While plex.tv does not answer, the devices of the last poll are shown."""
    device = harness.anna.add_device(KITCHEN)
    await entry.runtime_data.async_check_now()
    harness.simulator.faults.set("devices", Fault.status(503))
    dialog = await async_open(harness, entry)
    assert dialog.errors == {"base": "unavailable"}
    assert list(options(dialog)) == [str(device.device_id)]
    await dialog.submit({Field.DEVICES: [str(device.device_id)]})
    assert dialog.errors == {"base": "unavailable"}
    assert is_signed_in(harness, device)
    harness.simulator.faults.clear()
    await dialog.walk(ways.sign_out_devices([device.device_id]))
    assert not is_signed_in(harness, device)


def after_one(fault: Fault) -> Fault:
    """Return a fault that lets one request through."""
    let_through = iter([True])

    async def play(exchange: Exchange) -> web.StreamResponse:
        if next(let_through, False):
            return await exchange.respond()
        return await fault.play(exchange)

    return Fault(fault.kind, play)


@pytest.mark.parametrize(("fault", "key"), FAILURES)
async def test_some_fail(
    harness: Harness, entry: MockConfigEntry, fault: Fault, key: str
) -> None:
    """Those that could not be signed out are there again, selected; then all are named."""
    first, second, third, kept = (
        harness.anna.add_device(Client(name=name)) for name in "ABCD"
    )
    ids = [str(one.device_id) for one in (first, second, third)]
    dialog = await async_open(harness, entry)
    harness.simulator.faults.set("device_remove", after_one(fault))
    harness.asked()
    flows, flow_id = harness.hass.config_entries.options, dialog.result["flow_id"]
    dialog.result = await flows.async_configure(flow_id, {Field.DEVICES: ids})
    assert dialog.errors == {"base": key}
    # The first failure ends it: plex.tv may want to be left alone.
    removals = harness.simulator.requests_to("device_remove")
    assert {request.path for request in removals} == {
        f"/devices/{device_id}.xml" for device_id in ids[:2]
    }
    assert not is_signed_in(harness, first)
    assert list(options(dialog)) == [str(kept.device_id), ids[2], ids[1]]
    assert dialog.shown == {Field.DEVICES: ids[1:]}
    event = harness.entity("event.authorized_device").attributes
    assert (event["event_type"], event["name"]) == ("removed", "A")
    harness.simulator.faults.clear()
    await dialog.walk(ways.sign_out_devices([second.device_id, third.device_id]))
    assert said(dialog).startswith("Signed out of Anna: A; B; C.")
    assert is_signed_in(harness, kept)


async def test_signed_out_elsewhere(harness: Harness, entry: MockConfigEntry) -> None:
    """A device that is signed out elsewhere meanwhile is no failure."""
    devices = [harness.anna.add_device(Client(name=name)) for name in "ABC"]
    dialog = await async_open(harness, entry)
    harness.anna.revoke_token(devices[0].client_identifier)
    gone = signed_out_meanwhile(harness.anna, devices[1])
    harness.simulator.faults.set("device_remove", gone, times=1)
    await dialog.walk(ways.sign_out_devices(one.device_id for one in devices))
    assert said(dialog).startswith("Signed out of Anna: A; B; C.")
    assert not is_signed_in(harness, devices[2])


async def test_proxy_that_knows_no_removal(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """A 404 about a device that plex.tv still lists has signed nothing out."""
    device = harness.anna.add_device(KITCHEN)
    dialog = await async_open(harness, entry)
    for endpoint in ("device_remove", "device_remove_v2"):
        harness.simulator.faults.set(endpoint, Fault.html(404))
    selected: ways.Typed = {Field.DEVICES: [str(device.device_id)]}
    await dialog.submit(selected)
    assert dialog.errors == {"base": "unavailable"}
    assert dialog.shown == selected
    failure = await harness.failure("remove_device", id=device.device_id)
    assert failure.translation_key == "unavailable"
    event = harness.entity("event.authorized_device").attributes
    assert event["event_type"] != "removed"


async def test_removal_that_plex_tv_delays(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """A pause that plex.tv wants after a removal is respected."""
    device = harness.anna.add_device(KITCHEN)
    limited = Fault.plex_error(1003, retry_after=3000)
    harness.simulator.faults.set("device_remove", limited)
    await harness.failure("remove_device", id=device.device_id)
    assert account_coordinator(entry).is_paused


async def test_removal_with_a_rejected_token(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """A rejection that a removal meets asks to sign in at once."""
    device = harness.anna.add_device(KITCHEN)
    dialog = await async_open(harness, entry)

    async def reject(exchange: Exchange) -> web.StreamResponse:
        harness.anna.revoke_tokens()
        return await exchange.respond()

    harness.simulator.faults.set("device_remove", Fault("rejection", reject))
    await dialog.submit({Field.DEVICES: [str(device.device_id)]})
    assert dialog.errors == {"base": "invalid_token"}
    await harness.settle()
    assert harness.reauth_flows(entry) == 1


async def test_reloaded_meanwhile(harness: Harness, entry: MockConfigEntry) -> None:
    """What is not known after a reload does not count as signed out."""
    device = harness.anna.add_device(KITCHEN)
    dialog = await async_open(harness, entry)
    harness.simulator.faults.set("devices", Fault.status(503))
    await harness.reload(entry)
    await dialog.submit({Field.DEVICES: [str(device.device_id)]})
    assert dialog.errors == {"base": "unavailable"}
    harness.simulator.faults.clear()
    await dialog.submit()
    assert list(options(dialog)) == [str(device.device_id)]
    assert is_signed_in(harness, device)


async def test_server_meanwhile(harness: Harness, entry: MockConfigEntry) -> None:
    """A device that says meanwhile that it is a server is not signed out."""
    device = harness.anna.add_device(KITCHEN)
    dialog = await async_open(harness, entry)
    listed = [{"id": device.device_id, "product": "Plex Media Server"}]
    harness.simulator.faults.set("devices", Fault.body(json.dumps(listed)))
    harness.asked()
    await dialog.submit({Field.DEVICES: [str(device.device_id)]})
    assert dialog.result["reason"] == "no_devices"
    assert not harness.asked()["device_remove"]
    assert is_signed_in(harness, device)


# How it ends


async def test_no_devices(harness: Harness, entry: MockConfigEntry) -> None:
    """Where only servers and this Home Assistant are signed in there is nothing to do."""
    dialog = await async_open(harness, entry)
    assert dialog.result["reason"] == "no_devices"
    assert said(dialog).startswith("No device can be signed out of Anna.")


async def test_not_permitted(harness: Harness) -> None:
    """A managed user has no list of devices."""
    entry = await harness.add(harness.world.managed)
    dialog = await async_open(harness, entry)
    assert dialog.result["reason"] == "devices_not_permitted"


async def test_not_loaded(harness: Harness, entry: MockConfigEntry) -> None:
    """An account that is not loaded, or was removed meanwhile, ends the dialog."""
    device = harness.anna.add_device(KITCHEN)
    dialogs = [await async_open(harness, entry) for _ in range(2)]
    selected: ways.Typed = {Field.DEVICES: [str(device.device_id)]}
    await harness.hass.config_entries.async_unload(entry.entry_id)
    await dialogs[0].submit(selected)
    assert dialogs[0].result["reason"] == "entry_not_loaded"
    dialog = await async_open(harness, entry)
    assert dialog.result["reason"] == "entry_not_loaded"
    await harness.remove(entry)
    await dialogs[1].submit(selected)
    assert dialogs[1].result["reason"] == "entry_not_loaded"
    assert is_signed_in(harness, device)


async def test_removed_while_signing_out(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """An account that is removed while devices are signed out is still named."""
    device = harness.anna.add_device(KITCHEN)
    dialog = await async_open(harness, entry)
    harness.simulator.faults.set("device_remove", Fault.slow_body(0.2))
    way = ways.sign_out_devices([device.device_id])
    walk = harness.hass.async_create_task(dialog.walk(way))
    await async_arrival(harness.simulator, "device_remove")
    await harness.hass.config_entries.async_remove(entry.entry_id)
    await walk
    assert said(dialog).startswith("Signed out of Anna: Kitchen, Plex Web, Firefox.")
