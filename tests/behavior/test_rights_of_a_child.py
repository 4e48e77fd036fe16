"""A token that the action gives for a child, used by a client that others wrote."""

from collections.abc import Callable
from functools import partial
from typing import Any

from plexapi.exceptions import BadRequest, Unauthorized
from plexapi.server import PlexServer
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import requests

from tests.harness import Harness
from tests.home_users import async_add_home_user


class Player:
    """Let python-plexapi, which blocks, use a server with one token in other threads."""

    def __init__(self, harness: Harness, token: str) -> None:
        """Take the token; nothing else is known to it but the server's address."""
        self._hass = harness.hass
        self._url = harness.server.http_url
        self._token = token
        self._session = requests.Session()
        self._session.trust_env = False

    async def call(self, name: str, *arguments: object) -> Any:
        """Return what a method of the server returns, `library.sections` for example."""

        connect: Callable[..., Any] = PlexServer

        def call() -> Any:
            found = connect(self._url, self._token, session=self._session)
            for part in name.split("."):
                found = getattr(found, part)
            return found(*arguments)

        return await self._hass.async_add_executor_job(call)

    async def play(self, url: str) -> requests.Response:
        """Return the answer of an address that has its token in it."""
        play = partial(self._session.get, url, timeout=10)
        return await self._hass.async_add_executor_job(play)


@pytest.mark.parametrize(("status", "kind"), [(403, BadRequest), (401, Unauthorized)])
async def test_rights_of_a_child(
    harness: Harness, entry: MockConfigEntry, status: int, kind: type[Exception]
) -> None:
    """The child's token opens the child's section alone, the account's opens all."""
    world, film = harness.world.home, harness.world.film
    harness.server.section_refusal_status = status
    child = await async_add_home_user(harness, entry, world.child)
    issued = {
        "account": await harness.call("get_transient_token", path=film.path),
        "child": await harness.call(
            "get_transient_token", home_user=child, path=world.film.path
        ),
    }
    players = {name: Player(harness, one["token"]) for name, one in issued.items()}
    seen = {
        name: [section.title for section in await player.call("library.sections")]
        for name, player in players.items()
    }
    assert seen == {
        "account": ["Movies", "TV Shows", "Kids' Films"],
        "child": ["Kids' Films"],
    }
    for name, player in players.items():
        found = await player.call("fetchItem", world.film.path)
        assert found.title == world.film.title
        assert (await player.play(issued[name]["url"])).status_code == 200

    found = await players["account"].call("fetchItem", film.path)
    assert found.title == film.title
    forbidden = await players["account"].call("library.section", "Movies")
    for path in (film.path, f"/library/sections/{forbidden.key}/all"):
        with pytest.raises(kind):
            await players["child"].call("query", path)
    url = issued["account"]["url"]
    url = url.replace(issued["account"]["token"], issued["child"]["token"])
    assert (await players["child"].play(url)).status_code == status
