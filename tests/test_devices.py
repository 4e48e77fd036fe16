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

from custom_components.plex_auth.api.errors import NotPermittedError
from custom_components.plex_auth.api.transport import LARGEST_BODY
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

from .helpers import async_arrival, make_entry
from .home import Home
from .plex_simulator import Client, Fault

EVENT = "event.authorized_device"
COUNT = "sensor.authorized_devices"
HOUR = timedelta(hours=1)
PHONE = Client(
    name="Phone", product="Plex for Android", platform="Android", device="Pixel"
)


def last_event(home: Home) -> dict[str, Any]:
    """Return what the last event of the account's devices says."""
    attributes = home.entity(EVENT).attributes
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


def own_device(home: Home, entry: MockConfigEntry) -> int:
    """Return the id of the entry's own device."""
    return home.anna.token_details[entry.data["client_identifier"]].device_id


def stored_ids(hass_storage: dict[str, Any], entry: MockConfigEntry) -> list[int]:
    """Return the ids that are stored of an entry."""
    stored: dict[str, list[int]] = hass_storage[f"{DOMAIN}.{entry.entry_id}"]["data"]
    assert stored.keys() == {"ids"}
    return stored["ids"]


async def async_write(home: Home) -> None:
    """Let Home Assistant write what it has to."""
    home.hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await home.settle()


# What is told, and when


async def test_added_and_removed(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """Nothing is told at the first look; then within the hour what comes and goes."""
    assert home.state(EVENT) == STATE_UNKNOWN
    await home.wait(freezer, HOUR)
    assert home.state(EVENT) == STATE_UNKNOWN
    device = home.anna.add_device(PHONE)
    await home.wait(freezer, HOUR)
    assert last_event(home) == told("Phone")
    added = home.state(EVENT)
    await home.wait(freezer, HOUR)
    assert home.state(EVENT) == added
    home.anna.revoke_token(device.client_identifier)
    await home.wait(freezer, HOUR)
    assert last_event(home) == told("Phone", "removed")


async def test_event_says_little(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """An event has no token and no identifier."""
    device = home.anna.add_device(PHONE)
    await home.wait(freezer, HOUR)
    state = home.entity(EVENT)
    assert set(state.attributes) == {
        *("event_type", "event_types", "friendly_name"),
        *("name", "product", "platform", "device"),
    }
    for secret in (device.value, device.client_identifier, str(device.device_id)):
        assert secret not in str(state.as_dict())


async def test_empty_answer(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """An answer without a device is none: nothing is told to be removed."""
    home.simulator.faults.set("devices", Fault.body("[]"))
    await home.wait(freezer, HOUR)
    home.simulator.faults.clear()
    await home.wait(freezer, HOUR)
    assert home.state(EVENT) == STATE_UNKNOWN


async def test_own_device(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """This Home Assistant is not told of, though a new sign-in makes it a new device."""
    client_identifier = entry.data[CONF_CLIENT_IDENTIFIER]
    before = own_device(home, entry)
    home.anna.revoke_token(client_identifier)
    token = home.anna.sign_in_token(client_identifier)
    home.hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_TOKEN: token}
    )
    await home.wait(freezer, HOUR)
    assert own_device(home, entry) != before
    assert home.state(EVENT) == STATE_UNKNOWN


async def test_several_at_once(home: Home, entry: MockConfigEntry) -> None:
    """Several at once are told one by one, each at a time of its own."""
    changes: list[Event[EventStateChangedData]] = async_capture_events(
        home.hass, "state_changed"
    )
    for _ in range(20):
        home.anna.add_device(PHONE)
    await entry.runtime_data.async_check_now()
    entity_id = home.entity_id(EVENT)
    states = [
        event.data["new_state"].state
        for event in changes
        if event.data["entity_id"] == entity_id and event.data["new_state"] is not None
    ]
    assert len(states) == len(set(states)) == 20
    assert states == sorted(states)


@pytest.mark.usefixtures("all_enabled")
async def test_count(home: Home, freezer: FrozenDateTimeFactory) -> None:
    """The sensor counts devices, servers and this Home Assistant among them."""
    await home.add(home.anna, home.server)
    assert home.state(COUNT) == "3"
    home.anna.add_device(PHONE)
    await home.wait(freezer, HOUR)
    assert home.state(COUNT) == "4"


async def test_button(home: Home, entry: MockConfigEntry) -> None:
    """The button Check now asks for devices, too."""
    home.anna.add_device(PHONE)
    await home.hass.services.async_call(
        "button",
        "press",
        {"entity_id": home.entity_id("button.check_now")},
        blocking=True,
    )
    assert last_event(home) == told("Phone")


# Over reloads, restarts and removal


async def test_reload(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A reload forgets nothing and tells nothing twice."""
    device = home.anna.add_device(PHONE)
    await home.wait(freezer, HOUR)
    before = home.state(EVENT)
    freezer.tick(1)
    await home.reload(entry)
    assert home.state(EVENT) == before
    await home.hass.config_entries.async_unload(entry.entry_id)
    home.anna.revoke_token(device.client_identifier)
    freezer.tick(1)
    await home.hass.config_entries.async_setup(entry.entry_id)
    await home.settle()
    assert last_event(home) == told("Phone", "removed")


async def test_restart(home: Home, hass_storage: dict[str, Any]) -> None:
    """What was added while Home Assistant was off is told once it has started."""
    entry = make_entry(home.simulator, home.anna, [home.server])
    hass_storage[f"{DOMAIN}.{entry.entry_id}"] = {
        "version": 1,
        "minor_version": 1,
        "key": f"{DOMAIN}.{entry.entry_id}",
        "data": {
            "ids": [
                own_device(home, entry),
                home.server.device_id,
                home.world.basement.device_id,
            ]
        },
    }
    home.anna.add_device(PHONE)
    home.hass.set_state(CoreState.starting)
    entry.add_to_hass(home.hass)
    await home.hass.config_entries.async_setup(entry.entry_id)
    await home.settle()
    assert not home.simulator.requests_to("devices")
    assert home.state(EVENT) == STATE_UNKNOWN
    home.hass.set_state(CoreState.running)
    home.hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    await home.settle()
    assert len(home.simulator.requests_to("devices")) == 1
    assert last_event(home) == told("Phone")


@pytest.mark.parametrize("ids", [[1], [1, "nonsense", None], None])
async def test_stored_ids(
    home: Home, hass_storage: dict[str, Any], ids: list[object] | None
) -> None:
    """Of a device that went meanwhile nothing but that is known; nonsense is no id."""
    entry = make_entry(home.simulator, home.ben)
    own = home.ben.token_details[entry.data["client_identifier"]].device_id
    data = {} if ids is None else {"ids": [own, *ids]}
    hass_storage[f"{DOMAIN}.{entry.entry_id}"] = {"version": 1, "data": data}
    entry.add_to_hass(home.hass)
    await home.hass.config_entries.async_setup(entry.entry_id)
    await home.settle()
    state = home.entity(EVENT, home.ben)
    expected = None if ids is None else "removed"
    assert state.attributes["event_type"] == expected
    await async_write(home)
    assert stored_ids(hass_storage, entry) == [own]


async def test_stored(
    home: Home,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
    entry: MockConfigEntry,
) -> None:
    """Ids alone are stored, and removed with the entry."""
    device = home.anna.add_device(PHONE)
    await home.wait(freezer, HOUR)
    await async_write(home)
    ids = [home.server.device_id, home.world.basement.device_id]
    assert stored_ids(hass_storage, entry) == sorted(
        [*ids, own_device(home, entry), device.device_id]
    )
    await home.remove(entry)
    await async_write(home)
    assert f"{DOMAIN}.{entry.entry_id}" not in hass_storage


async def test_unloaded_while_it_tells(
    home: Home, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an unload leaves untold is told afterwards, and nothing twice."""
    unload = home.hass.config_entries.async_unload_platforms

    async def unload_slowly(*arguments: Any) -> bool:
        is_unloaded = await unload(*arguments)
        await asyncio.sleep(0.02)
        return is_unloaded

    monkeypatch.setattr(
        home.hass.config_entries, "async_unload_platforms", unload_slowly
    )
    changes: list[Event[EventStateChangedData]] = async_capture_events(
        home.hass, "state_changed"
    )
    entity_id = home.entity_id(EVENT)
    for number in range(20):
        home.anna.add_device(Client(name=f"Browser {number}"))
    poll = home.hass.async_create_task(entry.runtime_data.async_check_now())
    while home.state(EVENT) == STATE_UNKNOWN:
        await asyncio.sleep(0)
    await home.reload(entry)
    await asyncio.wait([poll])
    await home.settle()
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
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A rejection here counts as one of the account; then nobody asks until it is over."""
    home.simulator.faults.set("devices", Fault.plex_error(1001, 401))
    home.anna.revoke_tokens()
    failure = await home.failure("get_devices")
    assert failure.translation_key == "invalid_token"
    await home.settle()
    assert home.state("binary_sensor.sign_in") == "on"
    assert home.reauth_flows(entry) == 1
    home.simulator.faults.clear()
    home.asked()
    for _ in range(3):
        await home.wait(freezer, HOUR)
    asked = home.asked()
    assert asked["user"]
    assert not asked["devices"]
    token = home.anna.sign_in_token(entry.data["client_identifier"])
    home.hass.config_entries.async_update_entry(
        entry, data={**entry.data, "token": token}
    )
    await entry.runtime_data.account.async_refresh()
    await home.settle()
    assert home.asked()["devices"] == 1


@pytest.mark.usefixtures("all_enabled")
async def test_plex_tv_away(home: Home, freezer: FrozenDateTimeFactory) -> None:
    """Without plex.tv the count is not known; it is as soon as plex.tv is back."""
    entry = await home.add(home.anna, home.server)
    device = home.anna.add_device(PHONE)
    await home.simulator.stop_plex_tv()
    await home.wait(freezer, HOUR)
    assert home.state(COUNT) == STATE_UNAVAILABLE
    assert home.state(EVENT) == STATE_UNKNOWN
    await home.simulator.start_plex_tv()
    await entry.runtime_data.account.async_refresh()
    await home.settle()
    assert home.state(COUNT) == "4"
    assert last_event(home) == told("Phone")
    assert device.value not in str(home.hass.states.async_all())


@pytest.mark.parametrize(
    ("faults", "key"),
    [
        ({"devices": Fault.plex_error(1009, 403)}, "devices_not_permitted"),
        (
            dict.fromkeys(
                ("devices", "devices_xml"), Fault.huge_body(LARGEST_BODY + 1)
            ),
            "devices_too_many",
        ),
    ],
    ids=["not permitted", "too large"],
)
@pytest.mark.usefixtures("all_enabled")
async def test_not_told(
    home: Home, freezer: FrozenDateTimeFactory, faults: dict[str, Fault], key: str
) -> None:
    """Where plex.tv does not tell there is no count, a text, and a question a day."""
    await home.add(home.anna, home.server)
    for endpoint, fault in faults.items():
        home.simulator.faults.set(endpoint, fault)
    await home.wait(freezer, HOUR)
    assert home.state(COUNT) == STATE_UNAVAILABLE
    home.asked()
    for _ in range(22):
        await home.wait(freezer, HOUR)
    assert not home.asked()["devices"]
    for _ in range(2):
        await home.wait(freezer, HOUR)
    assert home.asked()["devices"] == 1
    for action, data in (("get_devices", {}), ("remove_device", {"id": 1})):
        failure = await home.failure(action, **data)
        assert failure.translation_key == key
        assert failure.translation_placeholders == {"name": "Anna"}
    home.simulator.faults.clear()
    await home.call("get_devices")
    assert home.state(COUNT) == "3"
    home.asked()
    await home.wait(freezer, HOUR)
    assert home.asked()["devices"] == 1


async def test_told_again_when_one_is_removed(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """Once an action sees that plex.tv tells again, it is asked each hour again."""
    phone = home.anna.add_device(PHONE)
    home.simulator.faults.set("devices", Fault.plex_error(1009, 403))
    await home.wait(freezer, HOUR)
    failure = entry.runtime_data.devices.failure
    assert isinstance(failure, NotPermittedError)
    # The frames hold the request, with the account token.
    assert failure.__traceback__ is None
    home.simulator.faults.clear()
    await home.call("remove_device", id=phone.device_id)
    home.asked()
    await home.wait(freezer, HOUR)
    assert home.asked()["devices"] == 1


@pytest.mark.usefixtures("all_enabled")
async def test_managed_user(home: Home) -> None:
    """A managed user has no devices, and no error is logged."""
    await home.add(home.world.managed)
    assert home.state(COUNT, home.world.managed) == STATE_UNAVAILABLE
    assert home.state(EVENT, home.world.managed) == STATE_UNKNOWN


async def test_large_account(home: Home) -> None:
    """An account with 2,000 devices is told, by the shorter list."""
    for number in range(2000):
        home.anna.add_device(
            Client(
                name=f"Firefox number {number} of the household",
                product="Plex Web",
                version="4.145.1",
                platform="Firefox",
                platform_version="140.0",
                device="Linux",
            )
        )
    await home.add(home.anna)
    assert home.asked()["devices_xml"] == 1
    assert len((await home.call("get_devices"))["devices"]) == 2003
    asked = home.asked()
    assert (asked["devices"], asked["devices_xml"]) == (0, 1)


async def test_idle_day(
    home: Home, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """A day without anything costs plex.tv 100 requests at most, 24 of them for devices."""
    home.asked()
    for _ in range(48):
        await home.wait(freezer, timedelta(minutes=30))
    asked = home.asked()
    of_plex_tv = {name: asked[name] for name in ("user", "resources", "devices")}
    assert asked["devices"] == 24
    assert sum(of_plex_tv.values()) == 96
    assert not asked["devices_xml"]


async def test_cancelled(home: Home, entry: MockConfigEntry) -> None:
    """A caller that is cancelled spoils nothing for the others."""
    home.asked()
    home.simulator.faults.set("devices", Fault.delay(0.2))
    first = home.hass.async_create_task(home.call("get_devices"))
    await async_arrival(home.simulator, "devices")
    first.cancel()
    await asyncio.wait([first])
    home.simulator.faults.clear()
    home.anna.add_device(PHONE)
    await home.call("get_devices")
    assert entry.runtime_data.devices.last_update_success
    assert last_event(home) == told("Phone")


# The actions


async def test_get_devices(home: Home, entry: MockConfigEntry) -> None:
    """All devices are listed, with this Home Assistant and servers marked, no token."""
    device = home.anna.add_device(PHONE)
    response = await home.call("get_devices")
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
    assert own == own_device(home, entry)
    assert not any(secret in str(response) for secret in home.simulator.secrets())


@pytest.mark.usefixtures("all_enabled")
async def test_remove_device(home: Home) -> None:
    """A device is removed, returned and told of; its token ends."""
    await home.add(home.anna, home.server)
    device = home.anna.add_device(PHONE)
    home.asked()
    response = await home.call("remove_device", id=device.device_id)
    assert response["device"]["id"] == device.device_id
    assert response["device"]["name"] == "Phone"
    asked = home.asked()
    assert (asked["devices"], asked["device_remove"]) == (1, 1)
    assert home.anna.find_token(device.value) is None
    assert last_event(home) == told("Phone", "removed")
    assert home.state(COUNT) == "3"
    failure = await home.failure("remove_device", id=device.device_id)
    assert failure.translation_key == "device_not_found"
    assert not home.asked()["device_remove"]


async def test_device_that_was_removed_meanwhile(
    home: Home, entry: MockConfigEntry
) -> None:
    """A device that somebody else removes at that moment is told to be gone."""
    device = home.anna.add_device(PHONE)
    for endpoint in ("device_remove", "device_remove_v2"):
        home.simulator.faults.set(endpoint, Fault.plex_error(1002, 404))
    failure = await home.failure("remove_device", id=device.device_id)
    assert failure.translation_key == "device_not_found"


@pytest.mark.parametrize("what", ["this", "server", "not_found"])
async def test_refused(home: Home, entry: MockConfigEntry, what: str) -> None:
    """This Home Assistant, servers and unknown devices are refused; nothing is removed."""
    device_id, placeholders = {
        "this": (own_device(home, entry), {"name": "Anna"}),
        "server": (home.server.device_id, {"device": "Living Room"}),
        "not_found": (1, {"name": "Anna"}),
    }[what]
    key = f"device_{what}" if what == "not_found" else f"device_is_{what}"
    failure = await home.failure("remove_device", id=device_id)
    assert isinstance(failure, ServiceValidationError)
    assert failure.translation_key == key
    assert failure.translation_placeholders == placeholders
    asked = home.asked()
    assert not asked["device_remove"]
    assert not asked["device_remove_v2"]


@pytest.mark.parametrize(
    ("fault", "key"),
    [
        (Fault.status(500), "unavailable"),
        (Fault.plex_error(1003, 429), "rate_limited"),
        (Fault.reset(), "cannot_connect"),
        (Fault.redirect("http://evil.example/"), "unknown"),
    ],
    ids=["500", "rate limit", "cut", "redirect"],
)
@pytest.mark.parametrize("endpoint", ["devices", "device_remove"])
async def test_failures(
    home: Home, entry: MockConfigEntry, endpoint: str, fault: Fault, key: str
) -> None:
    """What plex.tv does not do is raised in words, with the account's name."""
    device = home.anna.add_device(PHONE)
    home.simulator.faults.set(endpoint, fault)
    failure = await home.failure("remove_device", id=device.device_id)
    assert not isinstance(failure, ServiceValidationError)
    assert failure.translation_key == key
    assert failure.translation_placeholders == {"name": "Anna"}
    home.simulator.faults.clear()
    await home.call("remove_device", id=device.device_id)


async def test_poll_while_a_device_is_removed(
    home: Home, entry: MockConfigEntry
) -> None:
    """A poll that began before a removal does not bring the device back."""
    changes: list[Event[EventStateChangedData]] = async_capture_events(
        home.hass, "state_changed"
    )
    device = home.anna.add_device(PHONE)
    home.asked()
    home.simulator.faults.set("devices", Fault.slow_body(0.2), times=1)
    poll = home.hass.async_create_task(entry.runtime_data.async_check_now())
    await async_arrival(home.simulator, "devices")
    await home.call("remove_device", id=device.device_id)
    await asyncio.wait([poll])
    events = [
        state.attributes["event_type"]
        for event in changes
        if (state := event.data["new_state"]) is not None
        and state.entity_id == home.entity_id(EVENT)
    ]
    assert events == ["added", "removed"]


async def test_who_may_remove(
    home: Home,
    entry: MockConfigEntry,
    hass_read_only_user: MockUser,
    hass_admin_user: MockUser,
) -> None:
    """Admins and automations may remove devices; other users may not."""
    device = home.anna.add_device(PHONE)
    home.asked()
    with pytest.raises(Unauthorized):
        await home.call(
            "remove_device",
            Context(user_id=hass_read_only_user.id),
            id=device.device_id,
        )
    assert not home.asked()
    for context in (Context(user_id=hass_admin_user.id), Context()):
        device = home.anna.add_device(PHONE)
        await home.call("remove_device", context, id=device.device_id)
        assert home.anna.find_token(device.value) is None
