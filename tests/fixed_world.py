"""A world whose identifiers are always the same, and snapshots of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from unittest.mock import patch

from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant

from .helpers import async_add_account
from .plex_simulator import Account, MediaServer, PlexSimulator, Subscription

NOON = "2026-11-24 12:00:00+00:00"

type SnapshotPlatform = Callable[[Platform, str], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class FixedWorld:
    """Hold accounts and servers whose identifiers are always the same."""

    plex_pass: Account
    free: Account
    managed: Account
    attic: MediaServer
    cellar: MediaServer


async def async_fixed_world(simulator: PlexSimulator) -> FixedWorld:
    """Fill the simulator with a world that snapshots can show."""
    now = simulator.clock.now()
    plex_pass = simulator.add_account(
        "paula",
        id=1001,
        uuid="aaaaaaaaaaaaaaaa",
        title="Paula",
        totp_secret="JBSWY3DPEHPK3PXP",
        subscription=Subscription.yearly(
            now - timedelta(days=300), now + timedelta(days=65)
        ),
        home=True,
        home_size=3,
        home_admin=True,
    )
    free = simulator.add_account(
        "frank", id=1002, uuid="bbbbbbbbbbbbbbbb", title="Frank", confirmed=False
    )
    managed = simulator.add_account(
        "",
        id=1003,
        uuid="cccccccccccccccc",
        title="Mia",
        password=None,
        restricted=True,
        home=True,
        home_size=3,
    )
    attic = await simulator.add_server("Attic", plex_pass, shared_with=[free, managed])
    cellar = await simulator.add_server("Cellar", plex_pass)
    attic.machine_identifier = "a" * 40
    cellar.machine_identifier = "c" * 40
    return FixedWorld(
        plex_pass=plex_pass, free=free, managed=managed, attic=attic, cellar=cellar
    )


async def async_add_kind(
    hass: HomeAssistant, simulator: PlexSimulator, platform: Platform, kind: str
) -> MockConfigEntry:
    """Set up one kind of account, with the entities of one platform."""
    world = await async_fixed_world(simulator)
    servers = [world.attic, world.cellar] if kind == "plex_pass" else [world.attic]
    with patch("custom_components.plex_auth.PLATFORMS", [platform]):
        return await async_add_account(hass, simulator, getattr(world, kind), servers)
