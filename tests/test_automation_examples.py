"""The automations on the page of triggers and conditions: run as they stand there."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from http import HTTPStatus

import aiohttp
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    async_mock_service,
)

from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import entity_registry as er, label_registry as lr
from homeassistant.setup import async_setup_component

from .documentation import PAGES
from .harness import Harness
from .helpers import account_coordinator, async_settle, until
from .home_users import async_add_home_user, async_switch_again
from .plex_simulator import Client, Fault
from .plex_simulator.media_server import PICTURE

EXAMPLES = {
    example["alias"]: example
    for example in PAGES["docs/automations.md"].examples()
    if "alias" in example
}
FILM = "/library/parts/1/2/file.mp4"
HALF_AN_HOUR = timedelta(minutes=30)
type Automate = Callable[[str], Awaitable[None]]


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Accept the timers of triggers: Home Assistant ends without removing them."""
    return True


@pytest.fixture
async def automate(hass: HomeAssistant) -> Automate:
    """Return a function that sets up the automation of an alias."""

    async def _async_automate(alias: str) -> None:
        automation = {"automation": [EXAMPLES[alias]]}
        assert await async_setup_component(hass, "automation", automation)
        await async_settle(hass)
        (state,) = hass.states.async_all("automation")
        assert state.state == "on", state.attributes

    return _async_automate


@pytest.fixture
def told(hass: HomeAssistant) -> list[ServiceCall]:
    """Return the calls that tell a phone something."""
    calls: list[ServiceCall] = async_mock_service(hass, "notify", "mobile_app_phone")
    return calls


@pytest.fixture
def played(hass: HomeAssistant) -> list[ServiceCall]:
    """Return the calls that let a player play."""
    calls: list[ServiceCall] = async_mock_service(hass, "media_player", "play_media")
    return calls


def messages(calls: list[ServiceCall]) -> list[str]:
    """Return what was told."""
    return [call.data["message"] for call in calls]


async def async_fetch(call: ServiceCall, player: str) -> tuple[int, bytes]:
    """Return the status and the body of what a player is to play."""
    assert call.data["entity_id"] == [player]
    url = call.data["media"]["media_content_id"]
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.read()


async def outage(harness: Harness, freezer: FrozenDateTimeFactory) -> None:
    """Let plex.tv be away for half an hour."""
    harness.simulator.faults.set("user", Fault.html(502))
    await harness.wait(freezer, HALF_AN_HOUR)
    harness.simulator.faults.clear()
    await harness.wait(freezer, HALF_AN_HOUR)


async def test_sign_in(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    automate: Automate,
    told: list[ServiceCall],
) -> None:
    """It tells once that an account has to sign in again; an outage is no rejection."""
    entry = await harness.add(harness.anna)
    await automate("Tell me when Plex rejects the sign-in")
    await outage(harness, freezer)
    assert told == []
    harness.anna.revoke_tokens()
    for _ in range(3):
        await harness.wait(freezer, HALF_AN_HOUR)
    await harness.reload(entry)
    assert messages(told) == ["Plex no longer accepts the sign-in of Anna."]


@pytest.mark.parametrize("is_reloaded", [False, True])
async def test_sign_in_of_home_user(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    told: list[ServiceCall],
    is_reloaded: bool,
) -> None:
    """The triggers and the condition take a Home user's Sign-in; an outage is nothing.

    What happens while Home Assistant is off triggers once, after the start.
    """
    child = harness.world.home.child
    await async_add_home_user(harness, entry, child)
    sign_in = {"entity_id": harness.entity_id("binary_sensor.sign_in", child)}
    is_valid = {"condition": "plex_auth.sign_in_is_valid", "target": sign_in}
    message = "{{ trigger.to_state.name }}: {{ trigger.to_state.state }}"
    tell = {"action": "notify.mobile_app_phone", "data": {"message": message}}
    automations = [
        {
            "triggers": {"trigger": "plex_auth.sign_in_rejected", "target": sign_in},
            "conditions": {"condition": "not", "conditions": [is_valid]},
            "actions": tell,
        },
        {
            "triggers": {"trigger": "plex_auth.sign_in_accepted", "target": sign_in},
            "conditions": is_valid,
            "actions": tell,
        },
    ]
    if is_reloaded:
        await harness.hass.config_entries.async_unload(entry.entry_id)
        harness.hass.states.async_remove(sign_in["entity_id"])
        child.revoke_tokens()
    assert await async_setup_component(
        harness.hass, "automation", {"automation": automations}
    )
    if is_reloaded:
        await harness.hass.config_entries.async_setup(entry.entry_id)
        await harness.wait(freezer, timedelta(hours=1))
        assert harness.state("binary_sensor.sign_in", child) == "on"
        assert messages(told) == ["Lina Sign-in: on"]
        return
    harness.simulator.faults.set("resources", Fault.html(502))
    await harness.wait(freezer, timedelta(hours=1))
    assert harness.state("binary_sensor.sign_in", child) == "unavailable"
    harness.simulator.faults.clear()
    await harness.wait(freezer, timedelta(hours=1))
    assert told == []
    child.revoke_tokens()
    for _ in range(2):
        await harness.wait(freezer, timedelta(hours=1))
    async_switch_again(harness.hass, entry, child)
    await harness.settle()
    assert messages(told) == ["Lina Sign-in: on", "Lina Sign-in: off"]


async def test_sign_in_of_all(
    harness: Harness, freezer: FrozenDateTimeFactory, told: list[ServiceCall]
) -> None:
    """The trigger for a label triggers once, when no account of the label works."""
    (triggers,) = (
        example
        for example in PAGES["docs/automations.md"].examples()
        if "alias" not in example
    )
    label = lr.async_get(harness.hass).async_create("Plex")
    assert label.label_id == "plex"
    for account in (harness.anna, harness.ben):
        await harness.add(account)
        er.async_get(harness.hass).async_update_entity(
            harness.entity_id("binary_sensor.sign_in", account), labels={"plex"}
        )
    tell = {"action": "notify.mobile_app_phone", "data": {"message": "All"}}
    assert await async_setup_component(
        harness.hass, "automation", {"automation": [{**triggers, "actions": [tell]}]}
    )
    harness.anna.revoke_tokens()
    await harness.wait(freezer, HALF_AN_HOUR)
    assert told == []
    harness.ben.revoke_tokens()
    for _ in range(3):
        await harness.wait(freezer, HALF_AN_HOUR)
    assert messages(told) == ["All"]


async def test_sign_in_that_works_again(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    automate: Automate,
    told: list[ServiceCall],
) -> None:
    """It tells that Plex accepts a sign-in again, not that plex.tv is back."""
    entry = await harness.add(harness.anna)
    await automate("Tell me that Plex works again")
    await outage(harness, freezer)
    harness.anna.revoke_tokens()
    await harness.wait(freezer, HALF_AN_HOUR)
    assert told == []
    token = harness.anna.sign_in_token(entry.data["client_identifier"])
    harness.hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_TOKEN: token}
    )
    await account_coordinator(entry).async_refresh()
    await harness.settle()
    assert messages(told) == ["Plex accepts the sign-in of Anna again."]


async def test_devices(
    harness: Harness, freezer: FrozenDateTimeFactory, automate: Automate
) -> None:
    """It tells of each new device, however many there are at once, and slow the phone."""
    told: list[ServiceCall] = []
    is_awake = asyncio.Event()

    async def async_notify(call: ServiceCall) -> None:
        await is_awake.wait()
        told.append(call)

    harness.hass.services.async_register("notify", "mobile_app_phone", async_notify)
    await harness.add(harness.anna)
    await automate("Tell me who signs in to Plex")
    names = [f"TV {number}" for number in range(15)]
    for name in names:
        harness.anna.add_device(Client(name=name, product="Plex for LG"))
    freezer.tick(timedelta(hours=1))
    async_fire_time_changed(harness.hass)
    event = "event.authorized_device"
    await until(lambda: harness.entity(event).attributes.get("name") == names[-1])
    is_awake.set()
    await harness.settle()
    assert messages(told) == [f"New device: {name}, Plex for LG." for name in names]


async def test_server_that_is_away(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    automate: Automate,
    told: list[ServiceCall],
) -> None:
    """It tells of an outage of 15 minutes once, and of a shorter one not at all."""
    await harness.add(harness.anna, harness.server)
    await automate("Tell me when the server is away")
    await harness.server.restart()
    await harness.wait(freezer, timedelta(minutes=20))
    assert told == []
    await harness.server.stop()
    await harness.lose(freezer)
    await harness.lose(freezer)
    assert messages(told) == ["Living Room has been away for 15 minutes."]


@pytest.mark.parametrize(("frame", "count"), [("playing", 1), ("idle", 1), ("off", 0)])
async def test_picture_again(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    automate: Automate,
    played: list[ServiceCall],
    frame: str,
    count: int,
) -> None:
    """A frame that is on shows the picture again once the server is back."""
    harness.hass.states.async_set("media_player.frame", frame)
    await harness.add(harness.anna, harness.server)
    await automate("Show the film's picture again when the server is back")
    await harness.server.stop()
    await harness.lose(freezer)
    assert played == []
    await harness.server.start()
    await harness.wait(freezer, timedelta(minutes=5))
    assert len(played) == count
    for call in played:
        assert await async_fetch(call, "media_player.frame") == (HTTPStatus.OK, PICTURE)


@pytest.mark.parametrize(
    ("state", "content", "minutes", "count"),
    [
        ("playing", f"http://server{FILM}?X-Plex-Token=", 60, 1),
        ("playing", "netflix", 60, 0),
        ("playing", None, 60, 0),
        ("idle", None, 5, 1),
        ("idle", None, 60, 0),
        ("off", None, 5, 0),
        (None, None, 5, 0),
    ],
)
async def test_play_on(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    automate: Automate,
    played: list[ServiceCall],
    state: str | None,
    content: str | None,
    minutes: int,
    count: int,
) -> None:
    """A restart of the server lets a TV play on that has played, and turns none on."""
    await harness.add(harness.anna, harness.server)
    await automate("Play on after a restart of the server")
    await harness.transient_token()
    if state is not None:
        attributes = {} if content is None else {"media_content_id": content}
        harness.hass.states.async_set("media_player.tv", state, attributes)
    await harness.wait(freezer, timedelta(minutes=minutes - 2))
    await harness.server.restart()
    await harness.wait(freezer, timedelta(minutes=1))
    assert harness.state("event.transient_token") != "unknown"
    await harness.wait(freezer, timedelta(minutes=5))
    assert len(played) == count
    for call in played:
        url = call.data["media"]["media_content_id"]
        assert url.startswith(harness.server.http_url + FILM)
        assert call.data["entity_id"] == ["media_player.tv"]


@pytest.mark.parametrize(("is_valid", "count"), [(True, 1), (False, 0)])
async def test_picture_in_the_evening(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    automate: Automate,
    played: list[ServiceCall],
    is_valid: bool,
    count: int,
) -> None:
    """The picture is shown at eight if Plex accepts the sign-in."""
    freezer.move_to("2026-12-01 19:27:30+00:00")
    await harness.hass.config.async_set_time_zone("UTC")
    await harness.add(harness.anna, harness.server)
    await automate(
        "Show the film's picture in the evening, if Plex accepts the sign-in"
    )
    if not is_valid:
        harness.anna.revoke_tokens()
    await harness.wait(freezer, HALF_AN_HOUR)
    assert played == []
    await harness.wait(freezer, timedelta(minutes=3))
    assert len(played) == count
    for call in played:
        assert await async_fetch(call, "media_player.frame") == (HTTPStatus.OK, PICTURE)


@pytest.mark.parametrize("trouble", ["none", "away", "back for a minute"])
async def test_film_night(
    harness: Harness, freezer: FrozenDateTimeFactory, automate: Automate, trouble: str
) -> None:
    """The film night begins only if the server has been reached for five minutes."""
    begun = async_mock_service(harness.hass, "scene", "turn_on")
    freezer.move_to("2026-12-01 19:24:00+00:00")
    await harness.hass.config.async_set_time_zone("UTC")
    await harness.add(harness.anna, harness.server)
    await automate("Start the film night only if the server is reachable")
    if trouble != "none":
        await harness.server.stop()
        await harness.lose(freezer)
    if trouble == "back for a minute":
        freezer.move_to("2026-12-01 19:58:50+00:00")
        await harness.server.start()
        await harness.wait(freezer, timedelta(seconds=10))
        assert harness.state("binary_sensor.reachable") == "on"
    freezer.move_to("2026-12-01 19:59:50+00:00")
    await harness.wait(freezer, timedelta(seconds=1))
    assert begun == []
    await harness.wait(freezer, timedelta(seconds=15))
    assert len(begun) == (1 if trouble == "none" else 0)


def test_each_example_is_tested() -> None:
    """No automation is added to the page without its test."""
    assert len(EXAMPLES) == 8
