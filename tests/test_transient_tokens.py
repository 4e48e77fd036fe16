"""The life of a transient token, over reloads."""

from datetime import timedelta
import json
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.plex_auth.api.errors import NotPermittedError, UnavailableError
from custom_components.plex_auth.api.models import TransientToken
from custom_components.plex_auth.transient_tokens import (
    IssuedToken,
    TransientTokenEvent,
    async_forget_tokens,
    async_issued_token,
)
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .helpers import async_add_account, async_pass, async_settle
from .plex_simulator import PlexSimulator
from .plex_simulator.worlds import DemoWorld

LIFETIME = timedelta(hours=48, seconds=1)


def token(text: str) -> TransientToken:
    """Return a transient token that is issued now."""
    return TransientToken(
        token=text, type="delegation", scope="all", issued_at=dt_util.utcnow()
    )


def text_of(issued: IssuedToken) -> str | None:
    """Return the token that is known."""
    return issued.token.token if issued.token else None


@pytest.fixture
def issued(hass: HomeAssistant) -> IssuedToken:
    """Return what is known of the token of a server that has issued none."""
    return async_issued_token(hass, "1")


def hear(issued: IssuedToken) -> list[TransientTokenEvent]:
    """Return what a listener is told from now on."""
    told: list[TransientTokenEvent] = []
    issued.listen(lambda event, _: told.append(event))
    return told


@pytest.fixture
def events(issued: IssuedToken) -> list[TransientTokenEvent]:
    """Return the events that a listener is told."""
    return hear(issued)


async def test_last_token_counts(hass: HomeAssistant) -> None:
    """Each server has one token, the last one issued."""
    first, second = (async_issued_token(hass, key) for key in "12")
    assert text_of(first) is None
    for text in ("a", "b"):
        first.issue(token(text))
    second.issue(token("c"))
    assert async_issued_token(hass, "1") is first
    assert text_of(first) == "b"
    async_forget_tokens(hass, {"2", "3"})
    assert text_of(first) is None
    assert async_issued_token(hass, "1").token is None
    assert text_of(second) == "c"


def test_nothing_is_kept_for_a_removed_server(
    hass: HomeAssistant, issued: IssuedToken, events: list[TransientTokenEvent]
) -> None:
    """A token that comes after the removal of its server is nobody's."""
    async_forget_tokens(hass, set())
    issued.issue(token("late"))
    assert issued.token is None
    assert events == []


async def test_what_nobody_heard_is_told_later(issued: IssuedToken) -> None:
    """The last event while nobody listened is told once, to the next listener."""
    for text in ("a", "b"):
        issued.issue(token(text))
    assert hear(issued) == [TransientTokenEvent.ISSUED]
    assert hear(issued) == []


async def test_listener_that_stops(
    issued: IssuedToken, events: list[TransientTokenEvent]
) -> None:
    """A listener that has stopped is told nothing more."""
    told: list[TransientTokenEvent] = []
    issued.listen(lambda event, _: told.append(event))()
    issued.issue(token("a"))
    assert told == []
    assert events == [TransientTokenEvent.ISSUED]


async def test_expiry_while_loaded_and_not(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    issued: IssuedToken,
    events: list[TransientTokenEvent],
) -> None:
    """A token expires after 48 hours: at once while loaded, else with the next load."""
    changes: list[TransientTokenEvent] = []
    stop = issued.watch(lambda: changes.append(events[-1]))
    issued.issue(token("a"))
    await async_pass(hass, freezer, LIFETIME)
    assert (
        events == changes == [TransientTokenEvent.ISSUED, TransientTokenEvent.EXPIRED]
    )
    assert text_of(issued) is None
    issued.issue(token("b"))
    stop()
    await async_pass(hass, freezer, LIFETIME)
    assert text_of(issued) == "b"
    issued.watch(lambda: None)
    await async_pass(hass, freezer, timedelta(seconds=1))
    assert events[2:] == [TransientTokenEvent.ISSUED, TransientTokenEvent.EXPIRED]


@pytest.mark.parametrize(
    ("age", "error", "expected"),
    [
        (timedelta(0), None, []),
        (timedelta(0), UnavailableError, []),
        (timedelta(0), NotPermittedError, [TransientTokenEvent.DESTROYED]),
        (LIFETIME, NotPermittedError, [TransientTokenEvent.EXPIRED]),
    ],
)
async def test_check(
    freezer: FrozenDateTimeFactory,
    issued: IssuedToken,
    events: list[TransientTokenEvent],
    age: timedelta,
    error: type[Exception] | None,
    expected: list[TransientTokenEvent],
) -> None:
    """A refusal ends the token, whatever else the server says does not."""
    asked: list[str] = []

    async def ask(text: str) -> None:
        asked.append(text)
        if error is not None:
            raise error

    await issued.check(ask)
    assert asked == []
    issued.issue(token("a"))
    freezer.tick(age)
    await issued.check(ask)
    assert asked == ["a"]
    assert events[1:] == expected
    assert (issued.token is None) is bool(expected)


async def test_newer_token_outlives_the_check_of_the_old_one(
    issued: IssuedToken, events: list[TransientTokenEvent]
) -> None:
    """The end of a token that a newer one has replaced is not the newer one's."""

    async def replace_meanwhile(text: str) -> None:
        issued.issue(token("b"))
        raise NotPermittedError

    issued.issue(token("a"))
    await issued.check(replace_meanwhile)
    assert text_of(issued) == "b"
    assert TransientTokenEvent.DESTROYED not in events


async def test_never_on_disk(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    simulator: PlexSimulator,
    world: DemoWorld,
) -> None:
    """A transient token is in nothing that Home Assistant stores."""
    entry = await async_add_account(
        hass, simulator, world.two_factor, [world.living_room]
    )
    response = await hass.services.async_call(
        "plex_auth", "get_transient_token", blocking=True, return_response=True
    )
    assert response is not None
    await async_settle(hass)
    await hass.async_stop(force=True)
    stored = json.dumps(hass_storage, default=str)
    assert entry.entry_id in stored
    assert str(response["token"]) not in stored
