"""The recipes: run in Home Assistant as they stand in the documentation."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
import re
from typing import Any

import aiohttp
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import async_mock_service
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from .helpers import (
    async_add_account,
    async_pass,
    async_settle,
    entity_id_of,
    state_of,
    yaml_examples,
)
from .plex_simulator import PlexSimulator, Subscription, Way
from .plex_simulator.media_server import PICTURE
from .plex_simulator.worlds import DemoWorld

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "recipes.md").read_text()
RECIPES: dict[str, Any] = {
    chapter.partition("\n")[0]: example
    for chapter in PAGE.split("\n## ")[1:]
    for example in yaml_examples(chapter)
}
type Cook = Callable[[str], Awaitable[None]]


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Accept the timers of triggers: Home Assistant ends without removing them."""
    return True


@pytest.fixture
async def cook(hass: HomeAssistant) -> Cook:
    """Return a function that sets up what a recipe configures."""

    async def _async_cook(name: str) -> None:
        recipe = RECIPES[name]
        for component in recipe:
            assert await async_setup_component(hass, component, recipe), component
        await async_settle(hass)
        for state in hass.states.async_all("automation"):
            assert state.state == "on", state.attributes

    return _async_cook


async def test_cast(
    hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld, cook: Cook
) -> None:
    """The player gets an address on the server with a token that it takes."""
    played = async_mock_service(hass, "media_player", "play_media")
    await async_add_account(hass, simulator, world.two_factor, [world.living_room])
    await cook("Cast with a transient token")
    hass.bus.async_fire("film_night")
    await async_settle(hass)
    [call] = played
    media = call.data["media"]
    path, _, token = media["media_content_id"].partition("?X-Plex-Token=")
    assert path.endswith("/library/parts/1/2/file.mp4")
    assert media["media_content_type"] == "video"
    assert call.data["entity_id"] == ["media_player.tv"]
    headers = {"X-Plex-Token": token}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(path.removesuffix("library/parts/1/2/file.mp4")) as response,
    ):
        assert response.status == HTTPStatus.OK


@pytest.mark.parametrize("videos", [0, 1])
async def test_rest_command(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    cook: Cook,
    freezer: FrozenDateTimeFactory,
    videos: int,
) -> None:
    """The server takes the token in the header, and what it says decides."""
    begun = async_mock_service(hass, "script", "turn_on")
    world.living_room.transcoding = videos
    freezer.move_to("2026-12-01 03:59:30+00:00")
    await hass.config.async_set_time_zone("UTC")
    await async_add_account(hass, simulator, world.two_factor, [world.living_room])
    await cook("A REST command with a token")
    await async_pass(hass, freezer, timedelta(minutes=1))
    [request] = simulator.requests_to("root")
    assert request.status == HTTPStatus.OK
    assert len(begun) == (0 if videos else 1)


async def test_picture(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    cook: Cook,
    freezer: FrozenDateTimeFactory,
    hass_client: ClientSessionGenerator,
) -> None:
    """Home Assistant shows the server's picture, and no address or token of it."""
    server = world.living_room
    await async_add_account(hass, simulator, world.two_factor, [server])
    await cook("A picture of something, like a camera")
    client = await hass_client()

    async def async_picture() -> bytes:
        shown = hass.states.get("image.film_of_the_week")
        assert shown is not None
        assert "transient" not in str(shown.as_dict())
        response = await client.get(shown.attributes["entity_picture"])
        return await response.read() if response.status == HTTPStatus.OK else b""

    hass.bus.async_fire("event_template_reloaded")
    await async_settle(hass)
    assert await async_picture() == PICTURE
    await server.restart()
    await async_pass(hass, freezer, timedelta(minutes=5))
    assert len(simulator.requests_to("security_token")) == 2
    assert await async_picture() == PICTURE
    assert [request.status for request in simulator.requests_to("media")] == [200, 200]


async def test_plex_pass_ends(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    cook: Cook,
    freezer: FrozenDateTimeFactory,
) -> None:
    """It tells once, a week before the end."""
    told = async_mock_service(hass, "notify", "mobile_app_phone")
    freezer.move_to("2026-12-01 12:00:00+00:00")
    await hass.config.async_set_time_zone("UTC")
    anna = world.two_factor
    anna.subscription = Subscription.cancelled(
        dt_util.utcnow() - timedelta(days=300), dt_util.utcnow() + timedelta(days=8)
    )
    await async_add_account(hass, simulator, anna)
    await cook("Tell me before a Plex Pass ends")
    await async_pass(hass, freezer, timedelta(hours=23))
    assert told == []
    for _ in range(4):
        await async_pass(hass, freezer, timedelta(hours=1))
    assert [call.data["message"] for call in told] == [
        "The Plex Pass of Anna ends on 2026-12-09."
    ]


@pytest.mark.parametrize("trouble", ["none", "server", "token"])
async def test_guard(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    cook: Cook,
    freezer: FrozenDateTimeFactory,
    trouble: str,
) -> None:
    """The scene begins only with a server that is reached, whatever plex.tv says."""
    begun = async_mock_service(hass, "scene", "turn_on")
    await async_add_account(hass, simulator, world.two_factor, [world.living_room])
    await cook("Guard an automation with a condition")
    if trouble == "server":
        await world.living_room.stop()
    elif trouble == "token":
        world.two_factor.revoke_tokens()
    await async_pass(hass, freezer, timedelta(minutes=30))
    hass.bus.async_fire("film_night")
    await async_settle(hass)
    assert len(begun) == (0 if trouble == "server" else 1)


async def test_relay(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    cook: Cook,
    freezer: FrozenDateTimeFactory,
    plex_direct: None,
) -> None:
    """It tells when a shared server is reached by Plex's relay for ten minutes."""
    told = async_mock_service(hass, "notify", "mobile_app_phone")
    anna, server = world.two_factor, world.shared
    await async_add_account(hass, simulator, anna, [server])
    connection = entity_id_of(hass, "sensor.connection", anna, server)
    assert connection == "sensor.carla_s_films_connection"
    await cook("See how a shared server is reached")
    await server.close_way(Way.LOCAL)
    await async_pass(hass, freezer, timedelta(minutes=15))
    assert state_of(hass, "sensor.connection", anna, server) == "remote"
    await server.close_way(Way.REMOTE)
    await async_pass(hass, freezer, timedelta(minutes=5))
    assert state_of(hass, "sensor.connection", anna, server) == "relay"
    assert told == []
    await async_pass(hass, freezer, timedelta(minutes=10))
    assert [call.data["message"] for call in told] == [
        "Carla's Films is reached by Plex's relay."
    ]


def test_readme() -> None:
    """The README shows the first recipe as it is, and names the others."""
    readme = (ROOT / "README.md").read_text()
    first, *others = PAGE.split("\n## ")[1:]
    assert first[first.index("```yaml") : first.rindex("```")] in readme
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
    assert len(RECIPES) == PAGE.count("\n## ") == 6
