"""Ending sign-ins at plex.tv."""

import logging

import pytest

from custom_components.plex_auth.const import (
    CONF_API_URL,
    CONF_CLIENT_IDENTIFIER,
    CONF_TOKEN_ORIGIN,
    TokenOrigin,
)
from custom_components.plex_auth.flows.sign_in import async_end_if_ours, async_sign_out
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant
from tests.helpers import async_add_account, async_settle
from tests.plex_simulator import Fault, PlexSimulator
from tests.plex_simulator.worlds import DemoWorld


@pytest.mark.parametrize("in_background", [False, True])
async def test_sign_out(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    in_background: bool,
) -> None:
    """A sign-in is ended under the client identifier that it was made with."""
    await async_add_account(hass, simulator, world.free)
    anna = world.two_factor
    data = {CONF_CLIENT_IDENTIFIER: "a client", CONF_API_URL: simulator.api_url}
    anna.sign_in_token("another client")
    token = anna.sign_in_token("a client")
    data |= {CONF_TOKEN: token, CONF_TOKEN_ORIGIN: TokenOrigin.PASSWORD}
    if in_background:
        async_end_if_ours(hass, data)
        await async_settle(hass)
    else:
        await async_sign_out(hass, data)
    assert list(anna.tokens) == ["another client"]
    (request,) = simulator.requests_to("signout")
    assert request.method == "DELETE"
    assert request.headers["X-Plex-Token"] == token
    assert request.headers["X-Plex-Client-Identifier"] == "a client"


@pytest.mark.parametrize(
    "fault", [Fault.status(500), Fault.reset(), Fault.plex_error(1001, 401)]
)
async def test_failure_is_told_in_the_log_only(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    world: DemoWorld,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
) -> None:
    """A sign-in that cannot be ended raises nothing and shows no token."""
    caplog.set_level(logging.DEBUG)
    await async_add_account(hass, simulator, world.free)
    simulator.faults.set("signout", fault)
    token = world.two_factor.sign_in_token("a client")
    data = {CONF_CLIENT_IDENTIFIER: "a client", CONF_API_URL: simulator.api_url}
    await async_sign_out(hass, data | {CONF_TOKEN: token})
    assert "The sign-in could not be ended at plex.tv" in caplog.text
    assert token not in caplog.text
