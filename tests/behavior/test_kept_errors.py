"""An error that is kept keeps no frames: their variables hold tokens."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
import gc
import logging
from traceback import walk_tb

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.api.errors import PlexError
from custom_components.plex_auth.const import DOMAIN
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState
from homeassistant.exceptions import HomeAssistantError
from tests.harness import Harness
from tests.helpers import (
    async_set_up,
    make_entry,
    server_coordinator,
    server_data,
    source_of,
    until,
)
from tests.plex_simulator import Fault

FAULTS = {
    "unavailable": Fault.status(503),
    "not permitted": Fault.status(401),
    "rejected": Fault.plex_error(1001, 401),
    "left alone": Fault.status(429, headers={"Retry-After": "3600"}),
    "closed": Fault.reset(),
    "page": Fault.body("<html>"),
}
DAY = timedelta(hours=25)


@pytest.fixture(autouse=True)
def no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Log nothing: pytest keeps what is logged, and with it the errors in it."""
    for name in ("custom_components.plex_auth", "homeassistant.config_entries"):
        caplog.set_level(logging.CRITICAL, name)


def check_kept() -> None:
    """Check that there are errors anywhere, and that none of them keeps a frame."""
    gc.collect()
    errors = [
        one
        for one in gc.get_objects()
        if isinstance(one, PlexError | HomeAssistantError)
    ]
    assert errors
    assert not [
        f"{type(error).__name__}: {frame.f_code.co_qualname}"
        for error in errors
        for frame, _ in walk_tb(error.__traceback__)
    ]


@pytest.fixture
async def watching(harness: Harness) -> MockConfigEntry:
    """Return Anna's entry, whose server watches a source."""
    source = source_of(harness.world.basement)
    return await harness.add(
        harness.anna, server_data(harness.server, harness.anna, sources=[source])
    )


def break_plex_tv(harness: Harness, fault: Fault) -> None:
    """Let plex.tv answer all requests in this way."""
    harness.simulator.faults.set("*", fault)


def break_lists(harness: Harness, fault: Fault) -> None:
    """Let plex.tv answer in this way when it is asked for servers and devices."""
    for endpoint in ("resources", "devices"):
        harness.simulator.faults.set(endpoint, fault)


def break_server(harness: Harness, fault: Fault) -> None:
    """Let the server answer all requests in this way."""
    harness.server.faults.set("*", fault)


def break_calls(harness: Harness, fault: Fault) -> None:
    """Let the server answer in this way what needs a token."""
    for endpoint in ("root", "security_token", "security_resources"):
        harness.server.faults.set(endpoint, fault)


def break_both(harness: Harness, fault: Fault) -> None:
    """Let plex.tv and the server answer all requests in this way."""
    break_plex_tv(harness, fault)
    break_calls(harness, fault)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    "fail", [break_plex_tv, break_lists, break_server, break_calls, break_both]
)
async def test_polls_and_actions(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    watching: MockConfigEntry,
    fail: Callable[[Harness, Fault], None],
    fault: str,
) -> None:
    """Whatever fails, in a poll or in an action, leaves no frame behind."""
    await harness.transient_token()
    fail(harness, FAULTS[fault])
    await harness.wait(freezer, DAY)
    for action in (
        lambda: harness.call("get_token_details"),
        lambda: harness.call("get_servers"),
        lambda: harness.call("get_devices"),
        lambda: harness.call("get_transient_token"),
        lambda: harness.call(
            "get_source_connection_information", source=source_of(harness.server)
        ),
    ):
        await failing(action)
        await harness.settle()
        check_kept()
    await harness.wait(freezer, DAY)
    await server_coordinator(watching, harness.server).async_check_now()
    check_kept()


async def failing(action: Callable[[], Awaitable[object]]) -> None:
    """Call an action that may fail, and forget how."""
    with suppress(HomeAssistantError):
        await action()


@pytest.mark.parametrize("fault", ["unavailable", "left alone"])
async def test_setup(
    harness: Harness,
    freezer: FrozenDateTimeFactory,
    fault: str,
) -> None:
    """An entry that is not ready, and is tried again, keeps none."""
    harness.simulator.faults.set("*", FAULTS[fault])
    entry = make_entry(harness.simulator, harness.anna)
    await async_set_up(harness.hass, entry)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    await harness.wait(freezer, timedelta(minutes=5))
    check_kept()


@pytest.mark.parametrize("fault", ["unavailable", "left alone", "rejected"])
async def test_link(
    harness: Harness,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    """A dialog that shows why a link failed keeps none."""
    monkeypatch.setattr("custom_components.plex_auth.flows.link.POLL_SECONDS", 0.01)
    flows = harness.hass.config_entries.flow
    result = await flows.async_init(DOMAIN, context={"source": SOURCE_USER})
    flow_id = result["flow_id"]
    await flows.async_configure(flow_id, {"next_step_id": "advanced"})
    await flows.async_configure(flow_id, {"api_url": harness.simulator.api_url})
    result = await flows.async_configure(flow_id, {"next_step_id": "link"})
    assert result["type"] == "progress"
    harness.simulator.faults.set("user", FAULTS[fault])
    placeholders = result["description_placeholders"]
    assert placeholders is not None
    harness.simulator.pins.link(placeholders["code"], harness.ben)
    await until(lambda: harness.simulator.requests_to("user"))
    await harness.settle()
    result = await flows.async_configure(flow_id)
    assert result["step_id"] == "link_failed"
    check_kept()
