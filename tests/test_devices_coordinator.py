"""Authorized devices: who else is signed in to an account, and signing them out."""

import asyncio
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockUser,
    async_capture_events,
)

from custom_components.plex_auth.api.bodies import LARGEST_BODY
from custom_components.plex_auth.api.errors import NotPermittedError
from custom_components.plex_auth.const import CONF_CLIENT_IDENTIFIER, DOMAIN
from homeassistant.const import (
    CONF_TOKEN,
    EVENT_HOMEASSISTANT_FINAL_WRITE,
    EVENT_HOMEASSISTANT_STARTED,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
)
from homeassistant.core import Context, CoreState, Event, EventStateChangedData
from homeassistant.exceptions import ServiceValidationError, Unauthorized

from .harness import Harness
from .helpers import async_arrival, make_entry, signed_out_meanwhile
from .plex_simulator import Client, Fault

EVENT = "event.authorized_device"
COUNT = "sensor.authorized_devices"
HOUR = timedelta(hours=1)
PHONE = Client(
    name="Phone", product="Plex for Android", platform="Android", device="Pixel"
)


def last_event(harness: Harness) -> dict[str, Any]:
    """Return what the last event of the account's devices says."""
    attributes = harness.entity(EVENT).attributes
    names = ("event_type", "name", "product", "platform", "device")
    return {name: attributes.get(name) for name in names}


def told(name: str | None, event: str = "added") -> dict[str, Any]:
    """Return what an event says of a phone, or of a device of which nothing is known."""
    if name is None:
        return {"event_type": event} | dict.fromkeys(
            ("name", "product", "platform", "device")
        )
    return {
        "event_type": event,
        "name": name,
        "product": PHONE.product,
        "platform": PHONE.platform,
        "device": PHONE.device,
    }


def own_device(harness: Harness, entry: MockConfigEntry) -> int:
    """Return the id of the entry's own device."""
    return harness.anna.token_details[entry.data["client_identifier"]].device_id


def stored_ids(hass_storage: dict[str, Any], entry: MockConfigEntry) -> list[int]:
    """Return the ids that are stored of an entry."""
    stored: dict[str, Any] = hass_storage[f"{DOMAIN}.{entry.entry_id}"]["data"]
    assert stored.keys() == {"ids", "rejected"}
    ids: list[int] = stored["ids"]
    return ids


async def async_write(harness: Harness) -> None:
    """Let Home Assistant write what it has to."""
    harness.hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await harness.settle()


# What is told, and when


async def test_added_and_removed(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """Nothing is told at the first look; then within the hour what comes and goes."""
    assert harness.state(EVENT) == STATE_UNKNOWN
    await harness.wait(freezer, HOUR)
    assert harness.state(EVENT) == STATE_UNKNOWN
    device = harness.anna.add_device(PHONE)
    await harness.wait(freezer, HOUR)
    assert last_event(harness) == told("Phone")
    added = harness.state(EVENT)
    await harness.wait(freezer, HOUR)
    assert harness.state(EVENT) == added
    harness.anna.revoke_token(device.client_identifier)
    await harness.wait(freezer, HOUR)
    assert last_event(harness) == told("Phone", "removed")


async def test_event_says_little(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """An event has the number of the device, but no token and no identifier."""
    device = harness.anna.add_device(PHONE)
    await harness.wait(freezer, HOUR)
    state = harness.entity(EVENT)
    assert set(state.attributes) == {
        *("event_type", "event_types", "friendly_name"),
        *("id", "name", "product", "platform", "device"),
    }
    assert state.attributes["id"] == device.device_id
    for secret in (device.value, device.client_identifier):
        assert secret not in str(state.as_dict())


async def test_empty_answer(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """An answer without a device is none: nothing is told to be removed."""
    harness.simulator.faults.set("devices", Fault.body("[]"))
    await harness.wait(freezer, HOUR)
    harness.simulator.faults.clear()
    await harness.wait(freezer, HOUR)
    assert harness.state(EVENT) == STATE_UNKNOWN


async def test_own_device(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """This Home Assistant is not told of, though a new sign-in makes it a new device."""
    client_identifier = entry.data[CONF_CLIENT_IDENTIFIER]
    before = own_device(harness, entry)
    harness.anna.revoke_token(client_identifier)
    token = harness.anna.sign_in_token(client_identifier)
    harness.hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_TOKEN: token}
    )
    await harness.wait(freezer, HOUR)
    assert own_device(harness, entry) != before
    assert harness.state(EVENT) == STATE_UNKNOWN


async def test_several_at_once(harness: Harness, entry: MockConfigEntry) -> None:
    """Several at once are told one by one, each at a time of its own."""
    changes: list[Event[EventStateChangedData]] = async_capture_events(
        harness.hass, "state_changed"
    )
    for _ in range(20):
        harness.anna.add_device(PHONE)
    await entry.runtime_data.async_check_now()
    entity_id = harness.entity_id(EVENT)
    states = [
        event.data["new_state"].state
        for event in changes
        if event.data["entity_id"] == entity_id and event.data["new_state"] is not None
    ]
    assert len(states) == len(set(states)) == 20
    assert states == sorted(states)


@pytest.mark.usefixtures("all_enabled")
async def test_count(harness: Harness, freezer: FrozenDateTimeFactory) -> None:
    """The sensor counts devices, servers and this Home Assistant among them."""
    await harness.add(harness.anna, harness.server)
    assert harness.state(COUNT) == "3"
    harness.anna.add_device(PHONE)
    await harness.wait(freezer, HOUR)
    assert harness.state(COUNT) == "4"


async def test_button(harness: Harness, entry: MockConfigEntry) -> None:
    """The button Check now asks for devices, too."""
    harness.anna.add_device(PHONE)
    await harness.hass.services.async_call(
        "button",
        "press",
        {"entity_id": harness.entity_id("button.check_now")},
        blocking=True,
    )
    assert last_event(harness) == told("Phone")


# Over reloads, restarts and removal


async def test_reload(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A reload forgets nothing and tells nothing twice."""
    device = harness.anna.add_device(PHONE)
    await harness.wait(freezer, HOUR)
    before = harness.state(EVENT)
    freezer.tick(1)
    await harness.reload(entry)
    assert harness.state(EVENT) == before
    await harness.hass.config_entries.async_unload(entry.entry_id)
    harness.anna.revoke_token(device.client_identifier)
    freezer.tick(1)
    await harness.hass.config_entries.async_setup(entry.entry_id)
    await harness.settle()
    assert last_event(harness) == told("Phone", "removed")


async def test_restart(harness: Harness, hass_storage: dict[str, Any]) -> None:
    """What was added while Home Assistant was off is told once it has started."""
    entry = make_entry(harness.simulator, harness.anna, [harness.server])
    hass_storage[f"{DOMAIN}.{entry.entry_id}"] = {
        "version": 1,
        "minor_version": 1,
        "key": f"{DOMAIN}.{entry.entry_id}",
        "data": {
            "ids": [
                own_device(harness, entry),
                harness.server.device_id,
                harness.world.basement.device_id,
            ]
        },
    }
    harness.anna.add_device(PHONE)
    harness.hass.set_state(CoreState.starting)
    entry.add_to_hass(harness.hass)
    await harness.hass.config_entries.async_setup(entry.entry_id)
    await harness.settle()
    assert not harness.simulator.requests_to("devices")
    assert harness.state(EVENT) == STATE_UNKNOWN
    harness.hass.set_state(CoreState.running)
    harness.hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    await harness.settle()
    assert len(harness.simulator.requests_to("devices")) == 1
    assert last_event(harness) == told("Phone")


@pytest.mark.parametrize("ids", [[1], [1, "nonsense", None], None])
async def test_stored_ids(
    harness: Harness, hass_storage: dict[str, Any], ids: list[object] | None
) -> None:
    """Of a device that went meanwhile only the number is known; nonsense is no id.

    The own device, which an earlier version stored, is forgotten.
    """
    entry = make_entry(harness.simulator, harness.ben)
    own = harness.ben.token_details[entry.data["client_identifier"]].device_id
    data = {} if ids is None else {"ids": [own, *ids]}
    hass_storage[f"{DOMAIN}.{entry.entry_id}"] = {"version": 1, "data": data}
    entry.add_to_hass(harness.hass)
    await harness.hass.config_entries.async_setup(entry.entry_id)
    await harness.settle()
    state = harness.entity(EVENT, harness.ben)
    shown = [state.attributes.get(name) for name in ("event_type", "id", "name")]
    assert shown == [None if ids is None else "removed", ids and ids[0], None]
    await async_write(harness)
    assert stored_ids(hass_storage, entry) == []


async def test_stored(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
    entry: MockConfigEntry,
) -> None:
    """Ids alone of other devices are stored, and removed with the entry."""
    device = harness.anna.add_device(PHONE)
    await harness.wait(freezer, HOUR)
    await async_write(harness)
    ids = [harness.server.device_id, harness.world.basement.device_id]
    assert stored_ids(hass_storage, entry) == sorted([*ids, device.device_id])
    await harness.remove(entry)
    await async_write(harness)
    assert f"{DOMAIN}.{entry.entry_id}" not in hass_storage


async def test_unloaded_while_it_tells(
    harness: Harness, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an unload leaves untold is told afterwards, and nothing twice."""
    unload = harness.hass.config_entries.async_unload_platforms

    async def unload_slowly(*arguments: Any) -> bool:
        is_unloaded = await unload(*arguments)
        await asyncio.sleep(0.02)
        return is_unloaded

    monkeypatch.setattr(
        harness.hass.config_entries, "async_unload_platforms", unload_slowly
    )
    changes: list[Event[EventStateChangedData]] = async_capture_events(
        harness.hass, "state_changed"
    )
    entity_id = harness.entity_id(EVENT)
    for number in range(20):
        harness.anna.add_device(Client(name=f"Browser {number}"))
    poll = harness.hass.async_create_task(entry.runtime_data.async_check_now())
    while harness.state(EVENT) == STATE_UNKNOWN:
        await asyncio.sleep(0)
    await harness.reload(entry)
    await asyncio.wait([poll])
    await harness.settle()
    # The state is the moment of an event, which the reload restores.
    names = {
        state.state: state.attributes["name"]
        for event in changes
        if event.data["entity_id"] == entity_id
        and (state := event.data["new_state"]) is not None
        and "name" in state.attributes
    }
    assert sorted(names.values()) == sorted(f"Browser {number}" for number in range(20))


# Where plex.tv does not tell


async def test_rejected(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A rejection here counts as one of the account; then nobody asks until it is over."""
    harness.simulator.faults.set("devices", Fault.plex_error(1001, 401))
    harness.anna.revoke_tokens()
    failure = await harness.failure("get_devices")
    assert failure.translation_key == "invalid_token"
    await harness.settle()
    assert harness.state("binary_sensor.sign_in") == "on"
    assert harness.reauth_flows(entry) == 1
    harness.simulator.faults.clear()
    harness.asked()
    for _ in range(3):
        await harness.wait(freezer, HOUR)
    asked = harness.asked()
    assert asked["user"]
    assert not asked["devices"]
    token = harness.anna.sign_in_token(entry.data["client_identifier"])
    harness.hass.config_entries.async_update_entry(
        entry, data={**entry.data, "token": token}
    )
    await entry.runtime_data.account.async_refresh()
    await harness.settle()
    assert harness.asked()["devices"] == 1


@pytest.mark.usefixtures("all_enabled")
@pytest.mark.parametrize("order", [["account", "devices"], ["devices", "account"]])
async def test_plex_tv_away(harness: Harness, order: list[str]) -> None:
    """Without plex.tv the count is not known; it is as soon as plex.tv is back."""
    entry = await harness.add(harness.anna, harness.server)
    device = harness.anna.add_device(PHONE)
    await harness.simulator.stop_plex_tv()
    for polled in order:
        await getattr(entry.runtime_data, polled).async_poll()
    assert harness.state(COUNT) == STATE_UNAVAILABLE
    assert harness.state(EVENT) == STATE_UNKNOWN
    await harness.simulator.start_plex_tv()
    await entry.runtime_data.account.async_refresh()
    await harness.settle()
    assert harness.state(COUNT) == "4"
    assert last_event(harness) == told("Phone")
    assert device.value not in str(harness.hass.states.async_all())


@pytest.mark.parametrize(
    ("faults", "key"),
    [
        ({"devices": Fault.plex_error(1009, 403)}, "devices_not_permitted"),
        (
            dict.fromkeys(
                ("devices", "devices_xml"), Fault.huge_body(LARGEST_BODY + 1)
            ),
            "too_many_devices",
        ),
    ],
    ids=["not permitted", "too large"],
)
@pytest.mark.usefixtures("all_enabled")
async def test_not_told(
    harness: Harness, freezer: FrozenDateTimeFactory, faults: dict[str, Fault], key: str
) -> None:
    """Where plex.tv does not tell there is no count, a text, and a question a day."""
    await harness.add(harness.anna, harness.server)
    for endpoint, fault in faults.items():
        harness.simulator.faults.set(endpoint, fault)
    await harness.wait(freezer, HOUR)
    assert harness.state(COUNT) == STATE_UNAVAILABLE
    harness.asked()
    for _ in range(22):
        await harness.wait(freezer, HOUR)
    assert not harness.asked()["devices"]
    for _ in range(2):
        await harness.wait(freezer, HOUR)
    assert harness.asked()["devices"] == 1
    for action, data in (("get_devices", {}), ("remove_device", {"id": 1})):
        failure = await harness.failure(action, **data)
        assert failure.translation_key == key
        assert "Anna" in str(failure)
    harness.simulator.faults.clear()
    await harness.call("get_devices")
    assert harness.state(COUNT) == "3"
    harness.asked()
    await harness.wait(freezer, HOUR)
    assert harness.asked()["devices"] == 1


async def test_told_again_when_one_is_removed(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """Once an action sees that plex.tv tells again, it is asked each hour again."""
    phone = harness.anna.add_device(PHONE)
    harness.simulator.faults.set("devices", Fault.plex_error(1009, 403))
    await harness.wait(freezer, HOUR)
    failure = entry.runtime_data.devices.failure
    assert isinstance(failure, NotPermittedError)
    # The frames hold the request, with the account token.
    assert failure.__traceback__ is None
    harness.simulator.faults.clear()
    await harness.call("remove_device", id=phone.device_id)
    harness.asked()
    await harness.wait(freezer, HOUR)
    assert harness.asked()["devices"] == 1


@pytest.mark.usefixtures("all_enabled")
async def test_managed_user(harness: Harness) -> None:
    """A managed user has no devices, and no error is logged."""
    await harness.add(harness.world.managed)
    assert harness.state(COUNT, harness.world.managed) == STATE_UNAVAILABLE
    assert harness.state(EVENT, harness.world.managed) == STATE_UNKNOWN


async def test_idle_day(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A day without anything costs plex.tv 100 requests at most, 24 of them for devices."""
    harness.asked()
    for _ in range(48):
        await harness.wait(freezer, timedelta(minutes=30))
    asked = harness.asked()
    of_plex_tv = {name: asked[name] for name in ("user", "resources", "devices")}
    assert asked["devices"] == 24
    assert sum(of_plex_tv.values()) == 96
    assert not asked["devices_xml"]


async def test_cancelled(harness: Harness, entry: MockConfigEntry) -> None:
    """A caller that is cancelled spoils nothing for the others."""
    harness.asked()
    harness.simulator.faults.set("devices", Fault.delay(0.2))
    first = harness.hass.async_create_task(harness.call("get_devices"))
    await async_arrival(harness.simulator, "devices")
    first.cancel()
    await asyncio.wait([first])
    harness.simulator.faults.clear()
    harness.anna.add_device(PHONE)
    await harness.call("get_devices")
    assert entry.runtime_data.devices.last_update_success
    assert last_event(harness) == told("Phone")


# The actions


async def test_get_devices(harness: Harness, entry: MockConfigEntry) -> None:
    """All devices are listed, with this Home Assistant and servers marked, no token."""
    device = harness.anna.add_device(PHONE)
    response = await harness.call("get_devices")
    listed = {one["id"]: one for one in response["devices"]}
    phone = listed[device.device_id]
    assert phone["created_at"] == phone["last_seen_at"]
    assert phone == {
        "id": device.device_id,
        "name": "Phone",
        "product": "Plex for Android",
        "platform": "Android",
        "device": "Pixel",
        "version": None,
        "created_at": f"{device.issued_at:%Y-%m-%dT%H:%M:%S+00:00}",
        "last_seen_at": f"{device.issued_at:%Y-%m-%dT%H:%M:%S+00:00}",
        "server": False,
        "this_device": False,
    }
    assert {one["name"] for one in listed.values() if one["server"]} == {
        "Living Room",
        "Basement",
    }
    (own,) = [one["id"] for one in listed.values() if one["this_device"]]
    assert own == own_device(harness, entry)
    assert not any(secret in str(response) for secret in harness.simulator.secrets())


@pytest.mark.usefixtures("all_enabled")
async def test_remove_device(harness: Harness) -> None:
    """A device is removed, returned and told of; its token ends."""
    await harness.add(harness.anna, harness.server)
    device = harness.anna.add_device(PHONE)
    harness.asked()
    response = await harness.call("remove_device", id=device.device_id)
    assert response["device"]["id"] == device.device_id
    assert response["device"]["name"] == "Phone"
    asked = harness.asked()
    assert (asked["devices"], asked["device_remove"]) == (1, 1)
    assert harness.anna.find_token(device.value) is None
    assert last_event(harness) == told("Phone", "removed")
    assert harness.state(COUNT) == "3"
    failure = await harness.failure("remove_device", id=device.device_id)
    assert failure.translation_key == "device_not_found"
    assert not harness.asked()["device_remove"]


async def test_device_that_was_removed_meanwhile(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """A device that somebody else removes at that moment is told to be gone."""
    device = harness.anna.add_device(PHONE)
    gone = signed_out_meanwhile(harness.anna, device)
    harness.simulator.faults.set("device_remove", gone)
    failure = await harness.failure("remove_device", id=device.device_id)
    assert failure.translation_key == "device_not_found"


@pytest.mark.parametrize("what", ["this", "server", "not_found"])
async def test_refused(harness: Harness, entry: MockConfigEntry, what: str) -> None:
    """This Home Assistant, servers and unknown devices are refused; nothing is removed."""
    device_id, placeholders = {
        "this": (own_device(harness, entry), {"name": "Anna"}),
        "server": (harness.server.device_id, {"device": "Living Room"}),
        "not_found": (1, {"name": "Anna"}),
    }[what]
    key = f"device_{what}" if what == "not_found" else f"device_is_{what}"
    failure = await harness.failure("remove_device", id=device_id)
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == key
    assert failure.translation_placeholders == placeholders
    asked = harness.asked()
    assert not asked["device_remove"]
    assert not asked["device_remove_v2"]


@pytest.mark.parametrize("endpoint", ["devices", "device_remove"])
async def test_failures(
    harness: Harness, entry: MockConfigEntry, endpoint: str
) -> None:
    """What plex.tv does not do is raised in words that name plex.tv."""
    device = harness.anna.add_device(PHONE)
    for fault, key in (
        (Fault.status(500), "unavailable"),
        (Fault.plex_error(1003, 429), "rate_limited"),
        (Fault.reset(), "plex_tv_cannot_connect"),
        (Fault.redirect("http://evil.example/"), "unknown"),
    ):
        harness.simulator.faults.set(endpoint, fault)
        failure = await harness.failure("remove_device", id=device.device_id)
        assert not isinstance(failure, ServiceValidationError)
        assert failure.translation_key == key
        assert failure.translation_placeholders == {
            "account": "Anna",
            "name": "plex.tv",
        }
    harness.simulator.faults.clear()
    await harness.call("remove_device", id=device.device_id)


async def test_poll_while_a_device_is_removed(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """A poll that began before a removal does not bring the device back."""
    changes: list[Event[EventStateChangedData]] = async_capture_events(
        harness.hass, "state_changed"
    )
    device = harness.anna.add_device(PHONE)
    harness.asked()
    harness.simulator.faults.set("devices", Fault.slow_body(0.2), times=1)
    poll = harness.hass.async_create_task(entry.runtime_data.async_check_now())
    await async_arrival(harness.simulator, "devices")
    await harness.call("remove_device", id=device.device_id)
    await asyncio.wait([poll])
    events = [
        state.attributes["event_type"]
        for event in changes
        if (state := event.data["new_state"]) is not None
        and state.entity_id == harness.entity_id(EVENT)
    ]
    assert events == ["added", "removed"]


async def test_who_may_remove(
    harness: Harness,
    entry: MockConfigEntry,
    hass_read_only_user: MockUser,
    hass_admin_user: MockUser,
) -> None:
    """Admins and automations may list and remove devices; other users may not."""
    device = harness.anna.add_device(PHONE)
    harness.asked()
    refused = Context(user_id=hass_read_only_user.id)
    with pytest.raises(Unauthorized):
        await harness.call("get_devices", refused)
    with pytest.raises(Unauthorized):
        await harness.call("remove_device", refused, id=device.device_id)
    assert not harness.asked()
    for context in (Context(user_id=hass_admin_user.id), Context()):
        device = harness.anna.add_device(PHONE)
        await harness.call("remove_device", context, id=device.device_id)
        assert harness.anna.find_token(device.value) is None
