"""The blueprints: loaded, and run as automations against the simulator."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
import logging
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiohttp
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockModule,
    MockPlatform,
    async_fire_time_changed,
    async_mock_service,
    mock_integration,
    mock_platform,
)
import voluptuous as vol
from yarl import URL

from custom_components.plex_auth.const import DOMAIN
from homeassistant.components.automation.config import AUTOMATION_BLUEPRINT_SCHEMA
from homeassistant.components.blueprint import models
from homeassistant.components.blueprint.errors import MissingInput
from homeassistant.components.blueprint.models import Blueprint
from homeassistant.components.trace.util import async_list_traces
from homeassistant.const import CONF_TOKEN, STATE_UNAVAILABLE
from homeassistant.core import Context, Event, HomeAssistant, ServiceCall, callback
from homeassistant.helpers import (
    config_validation as cv,
    device_registry as dr,
    template,
)
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import load_yaml_dict

from .harness import Harness
from .helpers import account_coordinator, async_settle, device_of, until
from .home_users import async_add_home_user, async_switch_again
from .plex_simulator import Account, Client, Fault, Subscription
from .walks.markdown import elements, words

FOLDER = Path(__file__).parent.parent / "blueprints" / "automation" / DOMAIN
ADDRESS = f"https://github.com/seed-6e2aef77/plex-auth/blob/main/blueprints/automation/{DOMAIN}"
NAMES = sorted(path.name for path in FOLDER.iterdir())
POLL = timedelta(minutes=30)
BROWSER = Client(name="Kitchen", product="Plex Web", platform="Firefox")
HOSTILE = "[a](http://e.example) ![b](c) <img src=d> www.e.example e\\ {{ 1 }} {{'x'}}"
TELL = {"action": "notify.phone", "data": {"message": "{{ message }}"}}


def load(name: str) -> Blueprint:
    """Load a blueprint of the repository with Home Assistant's own code."""
    return Blueprint(
        load_yaml_dict(str(FOLDER / name)),
        path=f"{DOMAIN}/{name}",
        expected_domain="automation",
        schema=AUTOMATION_BLUEPRINT_SCHEMA,
    )


@contextmanager
def imported() -> Iterator[None]:
    """Let Home Assistant find the blueprints of the repository as imported ones."""
    with patch.object(
        models.DomainBlueprints,
        "_load_blueprint",
        lambda self, path: load(Path(path).name),
    ):
        yield


async def async_use(hass: HomeAssistant, name: str, **inputs: Any) -> str:
    """Make an automation of a blueprint; return its entity."""
    configuration = {
        "id": "made_of_a_blueprint",
        "alias": "Made of a blueprint",
        "use_blueprint": {"path": f"{DOMAIN}/{name}", "input": inputs},
    }
    with imported():
        assert await async_setup_component(
            hass, "automation", {"automation": configuration}
        )
    await async_settle(hass)
    state = hass.states.get("automation.made_of_a_blueprint")
    assert state is not None
    assert state.state == "on"
    return state.entity_id


@pytest.fixture
def told(hass: HomeAssistant) -> list[ServiceCall]:
    """Return the calls of a notify action."""
    calls: list[ServiceCall] = async_mock_service(hass, "notify", "phone")
    return calls


def messages(calls: list[ServiceCall]) -> list[str]:
    """Return what was told."""
    return [call.data["message"] for call in calls]


@pytest.mark.parametrize("name", NAMES)
def test_loads(name: str) -> None:
    """A blueprint is valid, says where it comes from and what it needs."""
    blueprint = load(name)
    assert blueprint.validate() is None
    assert "Plex" in blueprint.name
    metadata = blueprint.metadata
    assert metadata["source_url"] == f"{ADDRESS}/{name}"
    assert metadata["homeassistant"]["min_version"] == "2026.10.0"
    assert metadata["description"]
    for description in blueprint.inputs.values():
        assert description["name"]
        assert description["selector"]


@pytest.mark.parametrize("name", NAMES)
def test_selectors_filter(name: str) -> None:
    """Whoever picks something of Plex gets only what is of this integration."""
    filters = [
        found
        for description in load(name).inputs.values()
        for kind, options in description["selector"].items()
        if kind in ("target", "entity", "device")
        for found in (options or {}).get("entity" if kind == "target" else "filter", [])
    ]
    assert any(found.get("integration") == DOMAIN for found in filters)
    assert all(
        found.get("integration") in (DOMAIN, "mobile_app")
        or found.get("domain") == ["media_player"]
        for found in filters
    )


@pytest.mark.parametrize("name", NAMES)
def test_documented(name: str) -> None:
    """Each blueprint has a chapter, with its name and a link that imports it."""
    page = (FOLDER.parents[2] / "docs" / "blueprints.md").read_text()
    title = load(name).name.removeprefix("Plex: ")
    assert f"## {title[0].upper()}{title[1:]}\n" in page
    quoted = f"{ADDRESS}/{name}".replace(":", "%3A").replace("/", "%2F")
    assert (
        f"https://my.home-assistant.io/redirect/blueprint_import/?blueprint_url={quoted}"
        in page
    )


def test_inputs_that_are_missing_are_named() -> None:
    """A blueprint without what it needs is refused."""
    blueprint = load("sign_in_stopped.yaml")
    inputs = models.BlueprintInputs(
        blueprint, {"use_blueprint": {"path": "x", "input": {}}}
    )
    with pytest.raises(MissingInput):
        inputs.validate()


async def test_sign_in_stopped(
    harness: Harness, freezer: FrozenDateTimeFactory, told: list[ServiceCall]
) -> None:
    """It tells which account is rejected, once, and that the sign-in works again."""
    entry = await harness.add(harness.world.yearly)
    await harness.add(harness.ben)
    await async_use(
        harness.hass,
        "sign_in_stopped.yaml",
        accounts={"device_id": device_of(harness.hass, entry).id},
        rejected_actions=[TELL],
        accepted_actions=[TELL],
    )
    harness.ben.revoke_tokens()
    await harness.wait(freezer, POLL)
    harness.simulator.faults.set("user", Fault.html(502))
    await harness.wait(freezer, POLL)
    assert (
        harness.state("binary_sensor.sign_in", harness.world.yearly)
        == STATE_UNAVAILABLE
    )
    assert told == []
    harness.world.yearly.revoke_tokens()
    harness.simulator.faults.clear()
    for _ in range(3):
        await harness.wait(freezer, POLL)
    assert messages(told) == [
        "Plex rejects the sign-in of Carla. Sign in again under Settings > Devices "
        "& services > Plex Auth."
    ]
    await async_sign_in_again(harness.hass, entry, harness.world.yearly)
    assert messages(told)[1:] == ["Plex accepts the sign-in of Carla again."]


async def test_sign_ins_that_stop_at_once(
    harness: Harness, freezer: FrozenDateTimeFactory, told: list[ServiceCall]
) -> None:
    """However many accounts are rejected at once, each is told of, whatever waits."""
    accounts = [
        harness.simulator.add_account(f"user-{number}", title=f"User {number}")
        for number in range(12)
    ]
    for account in accounts:
        await harness.add(account)
    sign_ins = [harness.entity_id("binary_sensor.sign_in", one) for one in accounts]
    await async_use(
        harness.hass,
        "sign_in_stopped.yaml",
        accounts={"entity_id": sign_ins},
        rejected_actions=[TELL, {"delay": "12:00:00"}],
    )
    for account in accounts:
        account.revoke_tokens()
    freezer.tick(POLL)
    async_fire_time_changed(harness.hass)
    await until(lambda: len(told) == len(accounts))
    assert {message.partition(".")[0] for message in messages(told)} == {
        f"Plex rejects the sign-in of {account.title}" for account in accounts
    }
    await harness.hass.services.async_call(
        "automation", "turn_off", {"entity_id": "all"}, blocking=True
    )


async def async_sign_in_again(
    hass: HomeAssistant, entry: MockConfigEntry, account: Account
) -> None:
    """Let an account sign in anew."""
    token = account.sign_in_token(entry.data["client_identifier"])
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_TOKEN: token}
    )
    await account_coordinator(entry).async_refresh()
    await async_settle(hass)


async def test_sign_in_stopped_without_choices(
    harness: Harness, freezer: FrozenDateTimeFactory
) -> None:
    """Whoever chooses only the account gets a notification in Home Assistant."""
    calls = async_mock_service(harness.hass, "persistent_notification", "create")
    entry = await harness.add(harness.world.yearly)
    target = {
        "entity_id": harness.entity_id("binary_sensor.sign_in", harness.world.yearly)
    }
    await async_use(harness.hass, "sign_in_stopped.yaml", accounts=target)
    harness.world.yearly.revoke_tokens()
    await harness.wait(freezer, POLL)
    assert len(calls) == 1
    shown = words(calls[0].data["message"])
    assert shown.startswith("Plex rejects the sign-in of Carla.")
    await async_sign_in_again(harness.hass, entry, harness.world.yearly)
    assert len(calls) == 1


async def test_sign_in_of_home_user(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    told: list[ServiceCall],
) -> None:
    """It tells where to switch to a Home user again, and that this is done."""
    child = harness.world.home.child
    await async_add_home_user(harness, entry, child)
    await async_use(
        harness.hass,
        "sign_in_stopped.yaml",
        accounts={"entity_id": harness.entity_id("binary_sensor.sign_in", child)},
        rejected_actions=[TELL],
        accepted_actions=[TELL],
    )
    child.revoke_tokens()
    for _ in range(3):
        await harness.wait(freezer, timedelta(hours=1))
    assert messages(told) == [
        "Plex rejects the sign-in of Lina. Switch to the user again under Settings "
        "> System > Repairs."
    ]
    async_switch_again(harness.hass, entry, child)
    await harness.settle()
    assert messages(told)[1:] == ["Plex accepts the sign-in of Lina again."]


async def async_film_night(
    harness: Harness,
    entry: MockConfigEntry,
    path: str = "/library/metadata/1/thumb",
    **inputs: Any,
) -> Callable[[], Awaitable[list[ServiceCall]]]:
    """Play something of the server on film nights; return what lets one begin."""
    calls: list[ServiceCall] = async_mock_service(
        harness.hass, "media_player", "play_media"
    )
    await async_use(
        harness.hass,
        "play_with_transient_token.yaml",
        when=[{"trigger": "event", "event_type": "film_night"}],
        server=device_of(harness.hass, entry, harness.server).id,
        path=path,
        players={"entity_id": "media_player.tv"},
        **inputs,
    )
    assert calls == []

    async def _async_begin() -> list[ServiceCall]:
        harness.hass.bus.async_fire("film_night")
        await harness.settle()
        return calls

    return _async_begin


async def test_play(harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
    """The player gets a URL that the server serves, until it restarts."""
    # With `pytest -v` the level is debug, at which the core logs each call.
    caplog.set_level(logging.INFO)
    entry = await harness.add(harness.anna, harness.server, harness.world.basement)
    begin = await async_film_night(harness, entry, media_type="image")
    [call] = await begin()
    assert call.data["entity_id"] == ["media_player.tv"]
    media = call.data["media"]
    assert media["media_content_type"] == "image"
    url = media["media_content_id"]
    assert entry.data[CONF_TOKEN] not in url
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as response:
            assert response.status == 200
            assert response.content_type == "image/png"
        await harness.server.restart()
        async with session.get(url) as response:
            assert response.status == 401
    assert url not in caplog.text
    assert await async_list_traces(harness.hass, "automation", None) == []


async def test_play_nothing_without_the_server(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """Nothing is played when there is no token."""
    begin = await async_film_night(harness, entry)
    await harness.server.stop()
    assert await begin() == []


@pytest.mark.parametrize(
    ("is_item", "is_shared", "status"),
    [
        (True, True, 200),
        (False, True, 200),
        (True, False, None),
        (False, False, 403),
    ],
)
async def test_play_as_home_user(
    harness: Harness,
    entry: MockConfigEntry,
    is_item: bool,
    is_shared: bool,
    status: int | None,
) -> None:
    """A child's URL plays what the child may see: what else is named is not played.

    The path of a file is taken as it is, and the server refuses it.
    """
    home = harness.world.home
    film = home.film if is_shared else harness.world.film
    file = film.versions[0][0]
    begin = await async_film_night(
        harness,
        entry,
        film.path if is_item else file.key,
        home_user=await async_add_home_user(harness, entry, home.child),
    )
    calls = await begin()
    assert len(calls) == (0 if status is None else 1)
    async with aiohttp.ClientSession() as session:
        for call in calls:
            url = call.data["media"]["media_content_id"]
            async with session.get(url) as response:
                assert response.status == status
                assert (await response.read() == file.content) is is_shared
    for issued in harness.server.transient_tokens.values():
        assert issued.account is home.child


async def test_play_what_is_quoted(harness: Harness, entry: MockConfigEntry) -> None:
    """Whatever a path has in it, the action gets it as it is."""
    path = """/library/metadata/1/thumb?title='{"a"}'\\n&b=\\"""
    begin = await async_film_night(harness, entry, path)
    [call] = await begin()
    shown = URL(call.data["media"]["media_content_id"])
    assert shown.query["title"] == """'{"a"}'\\n"""
    assert shown.query["b"] == "\\"


def cancelled(day: int, state: str = "active") -> Subscription:
    """Return a Plex Pass that ends on a day of December."""
    end = datetime(2026, 12, day, 15, tzinfo=UTC)
    return Subscription.cancelled(dt_util.utcnow() - timedelta(days=300), end, state)


def renewing() -> Subscription:
    """Return a Plex Pass that renews by itself."""
    now = dt_util.utcnow()
    return Subscription.yearly(now - timedelta(days=300), now + timedelta(days=2))


def lifetime() -> Subscription:
    """Return a Plex Pass that lasts for ever."""
    return Subscription.lifetime(dt_util.utcnow())


AWAY, BACK = Fault.html(502), None
ON_5, ON_10 = (
    f"The Plex subscription of Carla ends on 2026-12-{day}." for day in ("05", "10")
)

type Step = Callable[[], Subscription] | Fault | None
"""What becomes of the Plex Pass, or of plex.tv."""

# From noon of December 1: the inputs, the Plex Pass at first, and the steps: what
# happens, until which day and hour, and what has been told by then.
PLEX_PASSES: dict[str, tuple[dict[str, Any], Step, list[tuple[Any, ...]]]] = {
    "ends: told once, at the time of day, when it is as near as asked for": (
        {"days": 3},
        partial(cancelled, 10),
        [(BACK, 8, 6, []), (BACK, 8, 9, [ON_10]), (BACK, 12, 12, [ON_10])],
    ),
    "renews, or lasts for ever: nothing is told": (
        {},
        partial(cancelled, 30),
        [(renewing, 3, 12, []), (lifetime, 4, 12, [])],
    ),
    "cancelled late: told the next morning, by a sensor that comes with it": (
        {"days": 30, "at": "10:00:00"},
        renewing,
        [
            (BACK, 2, 12, []),
            (partial(cancelled, 10), 3, 9, []),
            (BACK, 5, 12, [ON_10]),
        ],
    ),
    "plex.tv is away: made up for, and told once": (
        {"days": 9},
        partial(cancelled, 10),
        [
            (AWAY, 2, 12, []),
            (BACK, 3, 12, [ON_10]),
            (AWAY, 3, 18, [ON_10]),
            (BACK, 5, 12, [ON_10]),
        ],
    ),
    "said to be canceled, and still runs: told once": (
        {"days": 3},
        partial(cancelled, 10, "canceled"),
        [(BACK, 8, 6, []), (BACK, 8, 9, [ON_10]), (BACK, 12, 12, [ON_10])],
    ),
    "its cancellation is pending: told once": (
        {"days": 3},
        partial(cancelled, 10, "pending_cancellation"),
        [(BACK, 8, 6, []), (BACK, 8, 9, [ON_10]), (BACK, 12, 12, [ON_10])],
    ),
    "renewed and cancelled anew: ends anew": (
        {"days": 3},
        partial(cancelled, 5),
        [(BACK, 4, 12, [ON_5]), (partial(cancelled, 10), 9, 12, [ON_5, ON_10])],
    ),
}


@pytest.mark.parametrize(
    ("inputs", "at_first", "steps"), PLEX_PASSES.values(), ids=PLEX_PASSES
)
async def test_plex_pass_ends(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    told: list[ServiceCall],
    inputs: dict[str, Any],
    at_first: Callable[[], Subscription],
    steps: list[tuple[Step, int, int, list[str]]],
) -> None:
    """It tells that a Plex Pass ends, as the table says."""
    freezer.move_to("2026-12-01 12:00:00+00:00")
    await harness.hass.config.async_set_time_zone("UTC")
    account, ends = harness.world.yearly, "sensor.carla_subscription_ends"
    account.subscription = at_first()
    await harness.add(account)
    await async_use(
        harness.hass, "plex_pass_ends.yaml", ends=ends, actions=[TELL], **inputs
    )
    for happens, day, hour, expected in steps:
        harness.simulator.faults.clear()
        if isinstance(happens, Fault):
            harness.simulator.faults.set("user", happens)
        elif happens is not None:
            account.subscription = happens()
        while dt_util.utcnow() < datetime(2026, 12, day, hour, tzinfo=UTC):
            await harness.wait(freezer, timedelta(hours=3))
        assert messages(told) == expected, (day, hour)
    await harness.hass.services.async_call(
        "automation", "turn_off", {"entity_id": "all"}, blocking=True
    )


async def async_use_to_tell_twice(
    hass: HomeAssistant, name: str, choice: str, **inputs: Any
) -> list[ServiceCall]:
    """Tell a phone and, as by default, a page; return what the page is to show."""
    default = load(name).inputs[choice]["default"]
    shown: list[ServiceCall] = async_mock_service(
        hass, "persistent_notification", "create"
    )
    await async_use(hass, name, **inputs, **{choice: [TELL, *default]})
    return shown


def check_told(told: list[ServiceCall], shown: list[ServiceCall], message: str) -> None:
    """Check that a phone got the message as it is, and that a page shows it so."""
    assert messages(told) == [message]
    [markdown] = messages(shown)
    assert words(markdown) == message
    assert elements(markdown) == []


async def test_name_of_an_account_that_is_rejected(
    harness: Harness, freezer: FrozenDateTimeFactory, told: list[ServiceCall]
) -> None:
    """A name stays a name in Home Assistant's notification, and plain on a phone."""
    harness.ben.title = HOSTILE
    entry = await harness.add(harness.ben)
    shown = await async_use_to_tell_twice(
        harness.hass,
        "sign_in_stopped.yaml",
        "rejected_actions",
        accounts={"device_id": device_of(harness.hass, entry).id},
    )
    harness.ben.revoke_tokens()
    await harness.wait(freezer, POLL)
    check_told(
        told,
        shown,
        f"Plex rejects the sign-in of {HOSTILE}. Sign in again under Settings > Devices "
        "& services > Plex Auth.",
    )


async def test_name_of_an_account_whose_plex_pass_ends(
    harness: Harness, freezer: FrozenDateTimeFactory, told: list[ServiceCall]
) -> None:
    """A name stays a name in Home Assistant's notification, and plain on a phone."""
    freezer.move_to("2026-12-01 12:00:00+00:00")
    harness.ben.title = HOSTILE
    harness.ben.subscription = cancelled(5)
    await harness.add(harness.ben)
    shown = await async_use_to_tell_twice(
        harness.hass,
        "plex_pass_ends.yaml",
        "actions",
        ends=harness.entity_id("sensor.subscription_ends", harness.ben),
    )
    while dt_util.utcnow() < datetime(2026, 12, 2, 18, tzinfo=UTC):
        await harness.wait(freezer, timedelta(hours=3))
    check_told(told, shown, f"The Plex subscription of {HOSTILE} ends on 2026-12-05.")
    await harness.hass.services.async_call(
        "automation", "turn_off", {"entity_id": "all"}, blocking=True
    )


@pytest.fixture
def phone(hass: HomeAssistant) -> tuple[str, list[dict[str, Any]]]:
    """Return the device of a phone, and the notifications that it gets.

    The integration of the Home Assistant app needs libraries that the tests do not
    have, so what its action takes is repeated here.
    """
    got: list[dict[str, Any]] = []
    entry = MockConfigEntry(domain="mobile_app")
    entry.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, identifiers={("mobile_app", "phone")}
    )

    async def notify(
        _: HomeAssistant,
        config: dict[str, Any],
        variables: dict[str, Any],
        context: Context | None,
    ) -> None:
        assert config["device_id"] == device.id
        texts = {
            key: config[key] for key in ("title", "message", "data") if key in config
        }
        got.append(template.render_complex(texts, variables))

    mock_integration(hass, MockModule("mobile_app"))
    action = MockPlatform()
    action.ACTION_SCHEMA = cv.DEVICE_ACTION_BASE_SCHEMA.extend(
        {
            vol.Required("type"): "notify",
            vol.Required("message"): cv.template,
            vol.Optional("title"): cv.template,
            vol.Optional("data"): cv.template_complex,
        }
    )
    action.async_call_action_from_config = notify
    mock_platform(hass, "mobile_app.device_action", action)
    return device.id, got


def press(
    harness: Harness, notification: dict[str, Any], name: str = "Kitchen"
) -> None:
    """Press the only button of a notification, which names the device."""
    (button,) = notification["data"]["actions"]
    assert button["title"] == f"Sign out {name}"
    harness.hass.bus.async_fire(
        "mobile_app_notification_action", {"action": button["action"]}
    )


async def async_watch_devices(harness: Harness, phone: str) -> None:
    """Tell a phone of new devices of Anna's account."""
    entry = await harness.add(harness.anna, harness.server)
    account = device_of(harness.hass, entry).id
    await async_use(harness.hass, "new_device.yaml", account=account, phone=phone)


async def async_get(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    step: timedelta,
    got: list[dict[str, Any]],
    number: int,
) -> None:
    """Let time pass, until a phone has got a number of notifications.

    An automation that waits is never done, so that there is nothing else to wait for.
    """
    freezer.tick(step)
    async_fire_time_changed(harness.hass)
    await until(lambda: len(got) == number)


async def test_new_device(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    phone: tuple[str, list[dict[str, Any]]],
) -> None:
    """A new device is told of within the hour; the button ends its token, and says so."""
    phone_id, got = phone
    old = harness.anna.add_device(BROWSER)
    await async_watch_devices(harness, phone_id)
    freezer.tick(timedelta(minutes=59))
    new = harness.anna.add_device(BROWSER)
    await async_get(harness, freezer, timedelta(minutes=1), got, 1)
    assert got[0]["message"] == (
        "New device on the Plex account of Anna: Kitchen, Plex Web, Firefox. If you "
        "don't recognize it, sign it out and change your password."
    )
    press(harness, got[0])
    await until(lambda: len(got) == 2)
    assert harness.anna.find_token(new.value) is None
    assert harness.anna.find_token(old.value) is not None
    assert got[1]["message"] == (
        "Signed out of the Plex account of Anna: Kitchen, Plex Web, Firefox."
    )
    await harness.settle()


async def test_new_device_with_a_hostile_name(
    harness: Harness, phone: tuple[str, list[dict[str, Any]]]
) -> None:
    """A name with a template in it is a name, in the button too."""
    phone_id, got = phone
    await async_watch_devices(harness, phone_id)
    new = harness.anna.add_device(Client(name=HOSTILE, product='Plex\'s "Web"'))
    (entry,) = harness.hass.config_entries.async_loaded_entries(DOMAIN)
    await entry.runtime_data.async_check_now()
    await until(lambda: len(got) == 1)
    assert f'Anna: {HOSTILE}, Plex\'s "Web".' in got[0]["message"]
    press(harness, got[0], HOSTILE)
    await until(lambda: len(got) == 2)
    assert harness.anna.find_token(new.value) is None
    assert HOSTILE in got[1]["message"]
    await harness.settle()


async def test_new_device_before_a_restart(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    phone: tuple[str, list[dict[str, Any]]],
) -> None:
    """The button works after a restart of Home Assistant: no run has to wait for it."""
    phone_id, got = phone
    await async_watch_devices(harness, phone_id)
    new = harness.anna.add_device(BROWSER)
    await async_get(harness, freezer, timedelta(hours=1), got, 1)
    for service in ("turn_off", "turn_on"):
        await harness.hass.services.async_call(
            "automation", service, {"entity_id": "all"}, blocking=True
        )
    (entry,) = harness.hass.config_entries.async_loaded_entries(DOMAIN)
    await harness.reload(entry)
    press(harness, got[0])
    await until(lambda: len(got) == 2)
    assert harness.anna.find_token(new.value) is None
    assert got[1]["message"].startswith(
        "Signed out of the Plex account of Anna: Kitchen"
    )
    await harness.settle()


@pytest.mark.parametrize(
    "change",
    [
        lambda action: action.replace("PLEX_", "OTHER_"),
        lambda action: action + "0_",
        lambda action: action.rpartition("_")[0],
        lambda action: action + "\n",
        lambda action: action.replace(action.split("_")[2], "ANOTHER1ACCOUNT"),
        lambda action: "PLEX_REMOVE_",
        lambda action: 17,
        lambda action: None,
    ],
)
async def test_button_of_something_else(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    phone: tuple[str, list[dict[str, Any]]],
    caplog: pytest.LogCaptureFixture,
    change: Callable[[str], object],
) -> None:
    """Buttons of other notifications do nothing, and nothing is logged."""
    phone_id, got = phone
    await async_watch_devices(harness, phone_id)
    new = harness.anna.add_device(BROWSER)
    await async_get(harness, freezer, timedelta(hours=1), got, 1)
    await harness.settle()
    ((button,),) = (one["data"]["actions"] for one in got)
    caplog.clear()
    harness.hass.bus.async_fire(
        "mobile_app_notification_action", {"action": change(button["action"])}
    )
    harness.hass.bus.async_fire("mobile_app_notification_action", {})
    await harness.settle()
    assert len(got) == 1
    assert harness.anna.find_token(new.value) is not None
    assert not [
        one
        for one in caplog.records
        if one.levelno >= logging.WARNING and one.name.startswith("homeassistant")
    ]


async def test_button_pressed_twice(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    phone: tuple[str, list[dict[str, Any]]],
) -> None:
    """Who presses a button again is told that nothing was removed, and nothing is."""
    phone_id, got = phone
    await async_watch_devices(harness, phone_id)
    harness.anna.add_device(BROWSER)
    await async_get(harness, freezer, timedelta(hours=1), got, 1)
    left = len(harness.anna.tokens) - 1
    for number in (2, 3):
        press(harness, got[0])
        await until(lambda: len(got) == number)  # noqa: B023
        assert len(harness.anna.tokens) == left
    assert got[2]["message"].startswith("Not signed out of the Plex account of Anna")
    await harness.settle()


async def test_button_for_a_server(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    phone: tuple[str, list[dict[str, Any]]],
) -> None:
    """A button that is made up removes neither a server nor Home Assistant itself."""
    phone_id, got = phone
    await async_watch_devices(harness, phone_id)
    harness.anna.add_device(BROWSER)
    await async_get(harness, freezer, timedelta(hours=1), got, 1)
    tokens = dict(harness.anna.tokens)
    listed = (await harness.call("get_devices"))["devices"]
    kept = [one["id"] for one in listed if one["server"] or one["this_device"]]
    assert len(kept) > 1
    ((button,),) = (one["data"]["actions"] for one in got)
    *parts, _, until_when = button["action"].split("_")
    for number, device_id in enumerate(kept, 2):
        action = "_".join([*parts, str(device_id), until_when])
        harness.hass.bus.async_fire(
            "mobile_app_notification_action", {"action": action}
        )
        await until(lambda: len(got) == number)  # noqa: B023
        assert got[-1]["message"].startswith(
            "Not signed out of the Plex account of Anna"
        )
    assert harness.anna.tokens == tokens
    await harness.settle()


async def test_many_new_devices(
    harness: Harness, phone: tuple[str, list[dict[str, Any]]]
) -> None:
    """However many devices sign in at once, the phone is told of each."""
    phone_id, got = phone
    await async_watch_devices(harness, phone_id)
    names = {f"Device {number}." for number in range(30)}
    for name in names:
        harness.anna.add_device(Client(name=name))
    (entry,) = harness.hass.config_entries.async_loaded_entries(DOMAIN)
    await entry.runtime_data.async_check_now()
    await until(lambda: len(got) == len(names))
    assert all(any(name in one["message"] for one in got) for name in names)
    await harness.settle()


async def test_new_device_that_stays(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    phone: tuple[str, list[dict[str, Any]]],
) -> None:
    """Without the button, or too late, nothing is removed; a failure is told."""
    phone_id, got = phone
    await async_watch_devices(harness, phone_id)
    first = harness.anna.add_device(BROWSER)
    await async_get(harness, freezer, timedelta(hours=1), got, 1)
    await async_get(harness, freezer, timedelta(hours=24, seconds=1), got, 1)
    await harness.settle()
    press(harness, got[0])
    await harness.settle()
    assert len(got) == 1
    assert harness.anna.find_token(first.value) is not None
    second = harness.anna.add_device(Client())
    await async_get(harness, freezer, timedelta(hours=1), got, 2)
    assert "Anna: a device without a name." in got[1]["message"]
    harness.simulator.faults.set("device_remove", Fault.status(503))
    press(harness, got[1], "the device")
    await until(lambda: len(got) == 3)
    assert got[2]["message"].startswith("Not signed out of the Plex account of Anna: a")
    assert harness.anna.find_token(second.value) is not None


@pytest.mark.parametrize("why", ["server", "plex.tv is away"])
async def test_new_device_without_a_button(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    phone: tuple[str, list[dict[str, Any]]],
    why: str,
) -> None:
    """A server is told of without a button, and so is a device that is not found."""
    phone_id, got = phone
    await async_watch_devices(harness, phone_id)
    if why == "server":
        await harness.simulator.add_server("Shed", harness.anna)
    else:
        harness.anna.add_device(Client(name="Shed"))

        @callback
        def async_go_down(_: Event) -> None:
            harness.simulator.faults.set("devices", Fault.status(503))

        harness.hass.bus.async_listen("state_changed", async_go_down)
    await harness.wait(freezer, timedelta(hours=1))
    (notification,) = got
    told, advice = notification["message"].split(". ", 1)
    assert told.startswith("New device on the Plex account of Anna: Shed")
    assert advice.startswith(
        "It claims to be a server, so Home Assistant can't sign it out."
        if why == "server"
        else "See Authorized Devices at plex.tv."
    )
    assert "data" not in notification


async def test_new_devices_of_one_name(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    phone: tuple[str, list[dict[str, Any]]],
) -> None:
    """Of two devices that look the same, each button removes its own."""
    phone_id, got = phone
    await async_watch_devices(harness, phone_id)
    twins = [harness.anna.add_device(BROWSER) for _ in range(2)]
    await async_get(harness, freezer, timedelta(hours=1), got, 2)
    for number, notification in enumerate(tuple(got), 1):
        press(harness, notification)
        await until(lambda: len(got) > len(twins))
        assert got.pop()["message"].startswith("Signed out of")
        left = [harness.anna.find_token(one.value) for one in twins]
        assert left.count(None) == number
        assert left[number - 1] is None
    await harness.settle()


async def test_new_devices_at_once(
    harness: Harness, phone: tuple[str, list[dict[str, Any]]]
) -> None:
    """Of several at once each has a button of its own."""
    phone_id, got = phone
    await async_watch_devices(harness, phone_id)
    devices = {name: harness.anna.add_device(Client(name=name)) for name in "ABC"}
    (entry,) = harness.hass.config_entries.async_loaded_entries(DOMAIN)
    await entry.runtime_data.async_check_now()
    await until(lambda: len(got) == 3)
    (of_b,) = [one for one in got if "Anna: B" in one["message"]]
    press(harness, of_b, "B")
    await until(lambda: len(got) == 4)
    assert {
        name for name, one in devices.items() if not harness.anna.find_token(one.value)
    } == {"B"}
