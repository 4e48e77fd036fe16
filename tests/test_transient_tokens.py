"""The memory for transient tokens."""

from datetime import UTC, datetime
import json
from typing import Any

from custom_components.plex_auth.api.models import TransientToken
from custom_components.plex_auth.transient_tokens import (
    async_forget_token,
    async_get_token,
    async_remember_token,
)
from homeassistant.core import HomeAssistant

from .helpers import async_add_account, async_settle
from .plex_simulator import PlexSimulator
from .plex_simulator.worlds import DemoWorld


def token(text: str) -> TransientToken:
    """Return a transient token."""
    return TransientToken(
        token=text,
        type="delegation",
        scope="all",
        issued_at=datetime(2026, 11, 24, tzinfo=UTC),
    )


def test_last_token_counts(hass: HomeAssistant) -> None:
    """Each server has one token, the last one issued."""
    assert async_get_token(hass, "1") is None
    async_forget_token(hass, "1")
    for text in ("a", "b"):
        async_remember_token(hass, "1", token(text))
    async_remember_token(hass, "2", token("c"))
    assert async_get_token(hass, "1") == token("b")
    async_forget_token(hass, "1")
    assert async_get_token(hass, "1") is None
    assert async_get_token(hass, "2") == token("c")


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
