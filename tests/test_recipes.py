"""The recipes: run in Home Assistant as they stand in the documentation."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from http import HTTPStatus
import logging
import re

import aiohttp
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_service,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from yarl import URL

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from .documentation import PAGES
from .harness import Harness
from .helpers import async_settle
from .home_users import async_add_home_user
from .plex_simulator import Fault, Subscription, Way
from .plex_simulator.media_server import PICTURE

PAGE = PAGES["docs/recipes.md"]
RECIPES = {
    name: examples
    for page in (PAGE, PAGES["docs/home-users.md"])
    for name, chapter in page.chapters().items()
    if (examples := chapter.examples())
}
type Cook = Callable[[str], Awaitable[None]]


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Accept the timers of triggers: Home Assistant ends without removing them."""
    return True


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the parts that run recipes have logged as a warning or an error."""
    parts = ("homeassistant.components.", "homeassistant.helpers.")
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith(parts)
    ]


@pytest.fixture
def afternoon(freezer: FrozenDateTimeFactory) -> None:
    """Let it be one o'clock, so that hours pass before a recipe runs at noon or midnight."""
    freezer.move_to("2026-12-01 21:00:00+00:00")  # in the tests' time zone, US/Pacific


@pytest.fixture
async def cook(hass: HomeAssistant) -> Cook:
    """Return a function that sets up what a recipe configures."""

    async def _async_cook(name: str) -> None:
        for example in RECIPES[name]:
            recipe = {"automation": [example]} if "actions" in example else example
            for component in recipe:
                assert await async_setup_component(hass, component, recipe), component
        await async_settle(hass)
        for state in hass.states.async_all("automation"):
            assert state.state == "on", state.attributes

    return _async_cook


async def test_cast(
    harness: Harness, freezer: FrozenDateTimeFactory, cook: Cook
) -> None:
    """The player gets an address that plays the film, with nothing but a token in it."""
    played = async_mock_service(harness.hass, "media_player", "play_media")
    freezer.move_to("2026-12-01 19:59:30+00:00")
    await harness.hass.config.async_set_time_zone("UTC")
    await harness.add(harness.anna, harness.server)
    await cook("Cast with a transient token")
    assert played == []
    await harness.wait(freezer, timedelta(minutes=1))
    [call] = played
    media = call.data["media"]
    assert media["media_content_type"] == "video"
    assert call.data["entity_id"] == ["media_player.tv"]
    async with (
        aiohttp.ClientSession() as player,
        player.get(media["media_content_id"]) as response,
    ):
        assert response.status == HTTPStatus.OK
        assert await response.read() == harness.world.film.versions[0][0].content


@pytest.mark.parametrize("videos", [0, 1])
async def test_rest_command(
    harness: Harness, freezer: FrozenDateTimeFactory, cook: Cook, videos: int
) -> None:
    """The server takes the token in the header, and what it says decides."""
    begun = async_mock_service(harness.hass, "script", "turn_on")
    harness.server.transcoding = videos
    freezer.move_to("2026-12-01 03:59:30+00:00")
    await harness.hass.config.async_set_time_zone("UTC")
    await harness.add(harness.anna, harness.server)
    await cook("Use a token in a REST command")
    await harness.wait(freezer, timedelta(minutes=1))
    [request] = harness.simulator.requests_to("root")
    assert request.status == HTTPStatus.OK
    assert len(begun) == (0 if videos else 1)


async def test_rest_command_without_the_server(
    harness: Harness, freezer: FrozenDateTimeFactory, cook: Cook
) -> None:
    """The work does not begin while the server cannot be reached."""
    begun = async_mock_service(harness.hass, "script", "turn_on")
    freezer.move_to("2026-12-01 03:59:30+00:00")
    await harness.hass.config.async_set_time_zone("UTC")
    await harness.add(harness.anna, harness.server)
    await cook("Use a token in a REST command")
    await harness.server.stop()
    await harness.wait(freezer, timedelta(minutes=1))
    automation = harness.hass.states.async_all("automation")[0]
    assert automation.attributes["last_triggered"] is not None
    assert begun == []


async def test_picture(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    afternoon: None,
    entry: MockConfigEntry,
    cook: Cook,
    hass_client: ClientSessionGenerator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Home Assistant shows the server's picture, and no address or token of it.

    A restart of the server makes one new address, and no line in the log.
    """
    await cook("Show a film poster as an image entity")
    client = await hass_client()

    async def async_picture() -> bytes:
        shown = harness.hass.states.get("image.film_of_the_week")
        assert shown is not None
        assert "transient" not in str(shown.as_dict())
        response = await client.get(shown.attributes["entity_picture"])
        return await response.read() if response.status == HTTPStatus.OK else b""

    harness.hass.bus.async_fire("event_template_reloaded")
    await harness.settle()
    assert await async_picture() == PICTURE
    await harness.server.restart()
    await harness.wait(freezer, timedelta(minutes=5))
    assert len(harness.simulator.requests_to("security_token")) == 2
    assert await async_picture() == PICTURE
    assert [request.status for request in harness.simulator.requests_to("media")] == [
        200,
        200,
    ]
    assert complaints(caplog) == []


async def test_picture_of_a_server_that_comes_later(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    afternoon: None,
    entry: MockConfigEntry,
    cook: Cook,
    hass_client: ClientSessionGenerator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server that is away when Home Assistant starts shows its picture once it is back.

    An outage without a restart makes no new address.
    """
    await harness.server.stop()
    await harness.lose(freezer)
    await cook("Show a film poster as an image entity")
    caplog.clear()
    await harness.server.start()
    await harness.wait(freezer, timedelta(minutes=5))
    shown = harness.hass.states.get("image.film_of_the_week")
    assert shown is not None
    response = await (await hass_client()).get(shown.attributes["entity_picture"])
    assert response.status == HTTPStatus.OK
    assert await response.read() == PICTURE
    issued = len(harness.simulator.requests_to("security_token"))
    assert issued == 1
    harness.server.faults.set("identity", Fault.reset())
    await harness.lose(freezer)
    assert harness.state("binary_sensor.reachable") == "off"
    harness.server.faults.clear()
    await harness.wait(freezer, timedelta(minutes=5))
    assert harness.state("binary_sensor.reachable") == "on"
    assert len(harness.simulator.requests_to("security_token")) == issued
    assert complaints(caplog) == []


async def test_poster_of_a_server_that_is_away(
    harness: Harness,
    entry: MockConfigEntry,
    cook: Cook,
    hass_client: ClientSessionGenerator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The address of the picture, which has the token in it, stays out of the log."""
    await cook("Show a film poster as an image entity")
    client = await hass_client()
    harness.hass.bus.async_fire("event_template_reloaded")
    await harness.settle()
    token = harness.simulator.requests_to("security_token")[-1]
    assert token.status == HTTPStatus.OK
    shown = harness.hass.states.get("image.film_of_the_week")
    assert shown is not None
    await harness.server.stop()
    response = await client.get(shown.attributes["entity_picture"])
    assert response.status == HTTPStatus.INTERNAL_SERVER_ERROR
    assert "transient-" not in caplog.text
    logging.getLogger("homeassistant.components.image").filters.clear()
    await client.get(shown.attributes["entity_picture"])
    assert "transient-" in caplog.text  # what the filter is for


async def test_plex_pass_ends(
    harness: Harness, freezer: FrozenDateTimeFactory, cook: Cook
) -> None:
    """It tells once, a week before the end."""
    told = async_mock_service(harness.hass, "notify", "mobile_app_phone")
    freezer.move_to("2026-12-01 12:00:00+00:00")
    await harness.hass.config.async_set_time_zone("UTC")
    harness.anna.subscription = Subscription.cancelled(
        dt_util.utcnow() - timedelta(days=300), dt_util.utcnow() + timedelta(days=8)
    )
    await harness.add(harness.anna)
    await cook("Get notified before a Plex Pass ends")
    await harness.wait(freezer, timedelta(hours=23))
    assert told == []
    for _ in range(4):
        await harness.wait(freezer, timedelta(hours=1))
    assert [call.data["message"] for call in told] == [
        "The Plex subscription of Anna ends on 2026-12-09."
    ]


@pytest.mark.parametrize("hours", [1, 30])
async def test_plex_pass_ends_while_plex_tv_is_away(
    harness: Harness, freezer: FrozenDateTimeFactory, cook: Cook, hours: int
) -> None:
    """An outage before the moment changes nothing; at that moment it is not told."""
    told = async_mock_service(harness.hass, "notify", "mobile_app_phone")
    freezer.move_to("2026-12-01 12:00:00+00:00")
    await harness.hass.config.async_set_time_zone("UTC")
    harness.anna.subscription = Subscription.cancelled(
        dt_util.utcnow() - timedelta(days=300), dt_util.utcnow() + timedelta(days=8)
    )
    await harness.add(harness.anna)
    await cook("Get notified before a Plex Pass ends")
    harness.simulator.faults.set("user", Fault.html(502))
    for _ in range(hours):
        await harness.wait(freezer, timedelta(hours=1))
    harness.simulator.faults.clear()
    for _ in range(32 - hours):
        await harness.wait(freezer, timedelta(hours=1))
    assert len(told) == (1 if hours == 1 else 0)


@pytest.mark.parametrize("trouble", ["none", "server", "token"])
async def test_guard(
    harness: Harness, freezer: FrozenDateTimeFactory, cook: Cook, trouble: str
) -> None:
    """The scene begins only with a server that is reached, whatever plex.tv says."""
    begun = async_mock_service(harness.hass, "scene", "turn_on")
    freezer.move_to("2026-12-01 19:27:30+00:00")
    await harness.hass.config.async_set_time_zone("UTC")
    await harness.add(harness.anna, harness.server)
    await cook("Guard an automation with a condition")
    if trouble == "server":
        await harness.server.stop()
    elif trouble == "token":
        harness.anna.revoke_tokens()
    await harness.wait(freezer, timedelta(minutes=30))
    assert begun == []
    await harness.wait(freezer, timedelta(minutes=3))
    assert len(begun) == (0 if trouble == "server" else 1)


async def test_relay(
    harness: Harness, freezer: FrozenDateTimeFactory, plex_direct: None, cook: Cook
) -> None:
    """It tells when a shared server is reached by Plex's relay for ten minutes."""
    told = async_mock_service(harness.hass, "notify", "mobile_app_phone")
    anna, server = harness.anna, harness.world.shared
    await harness.add(anna, server)
    connection = harness.entity_id("sensor.connection", anna, server)
    assert connection == "sensor.carla_s_films_connection"
    await cook("See how a shared server is reached")
    await server.close_way(Way.LOCAL)
    await harness.wait(freezer, timedelta(minutes=15))
    assert harness.state("sensor.connection", anna, server) == "remote"
    await server.close_way(Way.REMOTE)
    await harness.wait(freezer, timedelta(minutes=5))
    assert harness.state("sensor.connection", anna, server) == "relay"
    assert told == []
    await harness.wait(freezer, timedelta(minutes=10))
    assert [call.data["message"] for call in told] == [
        "Carla's Films is reached only through Plex's relay."
    ]


@pytest.mark.parametrize(
    ("trouble", "count"),
    [
        ("none", 1),
        ("plex.tv is away", 1),
        ("plex.tv rejects the user", 1),
        ("server is away", 0),
        ("film is not shared", 0),
        ("server is not shared", 0),
    ],
)
async def test_childrens_tablet(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    cook: Cook,
    trouble: str,
    count: int,
) -> None:
    """On Saturdays the tablet gets an address that plays what the child may see alone."""
    played = async_mock_service(harness.hass, "media_player", "play_media")
    freezer.move_to("2026-12-04 15:59:30+00:00")
    await harness.hass.config.async_set_time_zone("UTC")
    home, server = harness.world.home, harness.server
    entry = await harness.add(harness.anna, server)
    await async_add_home_user(harness, entry, home.child)
    await cook("A film for the children's tablet")
    if trouble == "plex.tv is away":
        for endpoint in ("user", "resources", "home_users", "home_switch"):
            harness.simulator.faults.set(endpoint, Fault.html(502))
    elif trouble == "plex.tv rejects the user":
        home.child.revoke_tokens()
    elif trouble == "server is away":
        await server.stop()
    elif trouble == "film is not shared":
        server.restrict(home.child)
    elif trouble == "server is not shared":
        server.shared_with.remove(home.child)
    await harness.wait(freezer, timedelta(minutes=1))
    await harness.wait(freezer, timedelta(hours=23, minutes=58))
    assert played == []
    await harness.wait(freezer, timedelta(minutes=2))
    assert len(played) == count
    for call in played:
        assert call.data["entity_id"] == ["media_player.tablet"]
        assert call.data["media"]["media_content_type"] == "video"
        url = URL(call.data["media"]["media_content_id"])
        paths = {one: one.versions[0][0].key for one in (home.film, harness.world.film)}
        async with aiohttp.ClientSession() as player:
            for film, path in paths.items():
                async with player.get(url.with_path(path, keep_query=True)) as response:
                    is_shared = film is home.film
                    assert (response.status == HTTPStatus.OK) == is_shared
        assert url.path == paths[home.film]


def test_readme() -> None:
    """The README makes the first recipe, and names the others."""
    readme = PAGES["README.md"]
    first, *others = PAGE.split("\n## ")[1:]
    [recipe] = RECIPES[first.partition("\n")[0]]
    action, trace = readme.chapters()["Example: your first automation"].examples()
    assert action == recipe["actions"][-1]
    assert trace == {"trace": recipe["trace"]}
    [line] = re.findall(
        r"^\[More recipes\]\(docs/recipes\.md\): (.+?)\.\n\n",
        readme,
        re.MULTILINE | re.DOTALL,
    )
    named = [name.casefold() for name in line.replace("\n", " ").split(", ")]
    titles = [other.partition("\n")[0].replace(",", "").casefold() for other in others]
    assert named == titles


def test_each_recipe_is_tested() -> None:
    """No recipe is added without its test."""
    assert set(PAGE.chapters()) < set(RECIPES)
    assert len(RECIPES) == 7
