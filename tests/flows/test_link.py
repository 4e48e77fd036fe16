"""Waiting for a link code, against plex.tv as the simulator plays it."""

import asyncio
from dataclasses import replace
from time import monotonic
from unittest.mock import AsyncMock, patch

import pytest

from custom_components.plex_auth.api.errors import (
    LinkExpiredError,
    RateLimitedError,
    UnavailableError,
    UnexpectedAnswerError,
)
from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.clients import async_create_transport
from custom_components.plex_auth.const import CONF_API_URL, CONF_CLIENT_IDENTIFIER
from custom_components.plex_auth.flows.link import LinkSignIn, wait_for_link
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from tests.plex_simulator import Fault, PlexSimulator


@pytest.fixture(autouse=True)
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at a code more often."""
    monkeypatch.setattr("custom_components.plex_auth.flows.link.POLL_SECONDS", 0.01)


@pytest.fixture
async def plex(hass: HomeAssistant, simulator: PlexSimulator) -> PlexTv:
    """Return plex.tv's calls under the integration's own session."""
    assert await async_setup_component(hass, "plex_auth", {})
    return PlexTv(async_create_transport(hass, "client-1"), simulator.api_url)


@pytest.fixture
def closed() -> asyncio.Event:
    """Return what says that the dialog was closed."""
    return asyncio.Event()


async def test_failures_now_and_then(
    simulator: PlexSimulator, plex: PlexTv, closed: asyncio.Event
) -> None:
    """Four failures in a row are waited out, as often as they come."""
    ben = simulator.add_account("ben")
    pin = await plex.create_pin()
    simulator.faults.set("pins_check", Fault.status(503), times=4)
    waiting = asyncio.create_task(wait_for_link(plex, pin, closed))
    while len(simulator.requests_to("pins_check")) < 6:
        await asyncio.sleep(0.01)
    simulator.faults.set("pins_check", Fault.reset(), times=4)
    simulator.pins.link(pin.code, ben)
    assert await waiting == ben.tokens["client-1"]


@pytest.mark.parametrize(
    ("fault", "error", "looks"),
    [
        (Fault.status(503), UnavailableError, 5),
        (Fault.plex_error(1003, retry_after=0), RateLimitedError, 5),
        (Fault.body("[]"), UnexpectedAnswerError, 1),
        (Fault.plex_error(1020), LinkExpiredError, 1),
    ],
)
async def test_persistent_trouble(
    simulator: PlexSimulator,
    plex: PlexTv,
    closed: asyncio.Event,
    fault: Fault,
    error: type[Exception],
    looks: int,
) -> None:
    """What stays is told: an outage after the fifth time, the rest at once."""
    pin = await plex.create_pin()
    simulator.faults.set("pins_check", fault)
    with pytest.raises(error):
        await wait_for_link(plex, pin, closed)
    assert len(simulator.requests_to("pins_check")) == looks


@pytest.mark.xdist_group("time")
async def test_own_end(
    simulator: PlexSimulator, plex: PlexTv, closed: asyncio.Event
) -> None:
    """The waiting ends with the code's time even if plex.tv asks for more patience."""
    pin = await plex.create_pin()
    simulator.faults.set("pins_check", Fault.plex_error(1003, retry_after=3600))
    begin = monotonic()
    with pytest.raises(LinkExpiredError):
        await wait_for_link(plex, replace(pin, expires_in=1), closed)
    assert 0.9 < monotonic() - begin < 5


@pytest.mark.parametrize("expires_in", [None, 10**9])
async def test_no_time_or_too_much(
    simulator: PlexSimulator,
    plex: PlexTv,
    closed: asyncio.Event,
    expires_in: int | None,
) -> None:
    """A code without a time of its own, or a mad one, has an end all the same."""
    pin = await plex.create_pin()
    timeless = replace(pin, expires_in=expires_in)
    with (
        patch("custom_components.plex_auth.flows.link._LIFETIME_SECONDS", 0.05),
        patch("custom_components.plex_auth.flows.link._LONGEST_SECONDS", 0.05),
        pytest.raises(LinkExpiredError),
    ):
        await wait_for_link(plex, timeless, closed)
    assert simulator.requests_to("pins_check")


async def test_closed(
    simulator: PlexSimulator, plex: PlexTv, closed: asyncio.Event
) -> None:
    """A closed dialog ends the waiting with one last look."""
    pin = await plex.create_pin()
    closed.set()
    with pytest.raises(LinkExpiredError):
        await wait_for_link(plex, pin, closed)
    simulator.faults.set("pins_check", Fault.status(503))
    with pytest.raises(UnavailableError):
        await wait_for_link(plex, pin, closed)
    assert len(simulator.requests_to("pins_check")) == 2


async def test_nothing_to_end(hass: HomeAssistant, simulator: PlexSimulator) -> None:
    """A link that has brought no token has no sign-in to end."""
    assert await async_setup_component(hass, "plex_auth", {})
    client = {CONF_CLIENT_IDENTIFIER: "client-1", CONF_API_URL: simulator.api_url}
    LinkSignIn(hass, client, AsyncMock()).discard()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not simulator.requests
