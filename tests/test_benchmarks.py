"""What the benchmarks measure with; what they measure is not tested."""

import asyncio
from dataclasses import FrozenInstanceError
from datetime import timedelta

from aiohttp import ClientSession
import pytest
import requests

from benchmarks.clients.base import NoCookies
from benchmarks.imports import TimedDataclass
from benchmarks.passing import passing_time
from benchmarks.spread import Spread, difference, ratio, spread
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .plex_simulator import PlexSimulator


def test_spread_is_median_and_quartiles() -> None:
    """A series becomes its median and quartiles, a single value all three."""
    assert spread([5.0, 1.0, 3.0, 2.0, 4.0]) == Spread(3.0, 2.0, 4.0)
    assert spread([7.0]) == Spread(7.0, 7.0, 7.0)


def test_ratio_and_difference_go_round_by_round() -> None:
    """A round that was slow for both counts as any other."""
    ours, theirs = [1.0, 10.0, 2.0], [2.0, 20.0, 4.0]
    assert ratio(ours, theirs) == Spread(0.5, 0.5, 0.5)
    assert difference(ours, theirs) == Spread(-2.0, -6.0, -1.5)


def test_rounds_must_match() -> None:
    """Series of different lengths have no rounds in common."""
    with pytest.raises(ValueError, match="zip"):
        ratio([1.0], [1.0, 2.0])


def test_spread_is_shown_with_three_digits() -> None:
    """Figures of all sizes have about three digits, and units are scaled."""
    assert str(Spread(0.00123, 0.001, 0.002).scaled(1000)) == "1.23 (1.00–2.00)"
    assert str(Spread(1234.5, 12.34, 0.0123)) == "1234 (12.3–0.012)"
    assert str(Spread(0.0, -0.5, 0.5)) == "0 (-0.50–0.50)"


async def test_peers_keep_no_cookies(
    hass: HomeAssistant, simulator: PlexSimulator
) -> None:
    """The session of a blocking peer forgets plex.tv's cookie and sends none back."""
    address = f"{simulator.api_url}/user"

    def _ask_by_requests() -> None:
        with requests.Session() as session:
            session.cookies = NoCookies()  # type: ignore[assignment]
            assert "Set-Cookie" in session.get(address).headers
            session.get(address)
            assert not list(session.cookies)

    await hass.async_add_executor_job(_ask_by_requests)
    assert len(simulator.requests) == 2
    assert all("Cookie" not in record.headers for record in simulator.requests)


def test_dataclasses_are_timed() -> None:
    """Each dataclass counts, with options and without, and is made as usual."""
    timed_dataclass = TimedDataclass()

    class Plain:
        number: int

    class Frozen:
        number: int

    plain, frozen = timed_dataclass(Plain), timed_dataclass(frozen=True)(Frozen)
    assert plain(1) == plain(1)
    with pytest.raises(FrozenInstanceError):
        frozen(1).number = 2
    assert timed_dataclass.count == 2
    assert timed_dataclass.cpu > 0


@pytest.mark.xdist_group("time")
async def test_time_passes_from_timer_to_timer() -> None:
    """What is due in a day is done at once, each at its time, and time stays real."""
    loop = asyncio.get_running_loop()
    start, due = loop.time(), []

    async def _each_hour() -> None:
        while True:
            await asyncio.sleep(3600)
            due.append(round(loop.time() - start))

    lasting = asyncio.create_task(_each_hour())
    await asyncio.sleep(0)
    now = dt_util.utcnow()
    with passing_time() as passing:
        await passing.let_pass(86400 + 1)
        assert dt_util.utcnow() - now >= timedelta(days=1)
    lasting.cancel()
    assert due == [3600 * hour for hour in range(1, 25)]
    assert loop.time() - start < 10


async def test_time_waits_for_the_answers_to_heartbeats(
    simulator: PlexSimulator,
) -> None:
    """A leap from timer to timer does not take the answer's time away."""
    account = simulator.add_account("anna")
    server = await simulator.add_server("Living Room", account, notifications=True)
    url = f"{server.http_url}/:/websockets/notifications"
    headers = {"X-Plex-Token": server.access_token_for(account)}
    with passing_time() as passing:
        async with (
            ClientSession() as session,
            session.ws_connect(url, headers=headers, heartbeat=30) as socket,
        ):
            listening = asyncio.create_task(socket.receive())
            await passing.let_pass(86400)
            assert not listening.done()
            await server.stop()
            await listening
            assert socket.exception() is None
