"""The config flow: every way in, from every source, through every error."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pyotp

from custom_components.plex_auth.const import DOMAIN, TokenOrigin
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntryState,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from .conftest import Dns
from .flow_matrix import (
    CONFIG_TABLE,
    ERROR_KEYS,
    REQUESTS,
    SOURCES,
    SUBENTRY_TABLE,
    TRANSLATIONS,
    TROUBLES,
    Dialog,
    Scene,
    Trouble,
    async_claim,
    async_open,
)
from .helpers import async_settle
from .plex_simulator import Fault, PlexSimulator

type Group = tuple[Trouble, ...]


def groups() -> Iterator[tuple[str, Group]]:
    """Yield for each source, moment and error key all that leads to it."""
    for source in SOURCES:
        found: dict[tuple[str, str], list[Trouble]] = {}
        for trouble in TROUBLES:
            if source in trouble.sources:
                found.setdefault((trouble.moment, trouble.key), []).append(trouble)
        for group in found.values():
            yield source, tuple(group)


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at a link code more often."""
    monkeypatch.setattr("custom_components.plex_auth.link.POLL_SECONDS", 0.01)


@pytest.fixture
async def scene(
    hass: HomeAssistant, simulator: PlexSimulator, dns: Dns, plex_direct: None
) -> Scene:
    """Return a simulated Plex with four accounts and a server."""
    simulator.add_account("anna", title="Anna", totp_secret=pyotp.random_base32())
    simulator.add_account("carla", title="Carla")
    simulator.add_account("dora", title="Dora", email_only=True)
    ben = simulator.add_account("ben", title="Ben")
    await simulator.add_server("Living Room", ben, remote_access=False, relay=False)
    return Scene(hass=hass, simulator=simulator, dns=dns, account=ben)


async def async_reach(scene: Scene, dialog: Dialog, moment: str) -> None:
    """Go to a moment of the flow, where a first failure lets it stay."""
    way = {"code": "password", "servers": "password"}.get(moment, moment)
    await dialog.choose(way.partition("_")[0])
    if moment in ("code", "servers", "link_claimed"):
        endpoint, _ = REQUESTS[moment]
        if moment != "code":
            scene.simulator.faults.set(endpoint, Fault.status(503))
        await dialog.submit(scene.right(dialog.step))
        if moment == "link_claimed":
            await async_claim(scene)
            await dialog.look()
        scene.simulator.faults.clear()


async def async_meet(scene: Scene, dialog: Dialog, trouble: Trouble) -> None:
    """Meet a trouble: it is there while the moment's step is submitted."""
    typed = scene.right(trouble.moment)
    if trouble.typed is not None:
        typed |= trouble.typed(scene)
    if trouble.active is None:
        await dialog.submit(typed)
        return
    endpoint, _ = REQUESTS[trouble.moment]
    if trouble.moment == "link_wait":
        await dialog.submit(typed)
    async with trouble.active(scene.simulator, scene.dns, endpoint):
        if trouble.moment != "link_wait":
            await dialog.submit(typed)
        if dialog.type is FlowResultType.SHOW_PROGRESS:
            await async_settle(scene.hass)
            await dialog.look()


async def async_finish(scene: Scene, dialog: Dialog) -> None:
    """Type what is right until the dialog ends."""
    while dialog.type is not FlowResultType.ABORT:
        if dialog.type is FlowResultType.CREATE_ENTRY:
            break
        if dialog.type is FlowResultType.SHOW_PROGRESS:
            await async_claim(scene)
            await dialog.look()
            continue
        await dialog.submit(scene.right(dialog.step))
        assert dialog.type is not FlowResultType.FORM or not dialog.errors
    await async_settle(scene.hass)


@pytest.mark.parametrize(
    ("source", "group"),
    [
        pytest.param(source, group, id=f"{source}-{group[0].moment}-{group[0].key}")
        for source, group in groups()
    ],
)
async def test_trouble_then_success(scene: Scene, source: str, group: Group) -> None:
    """Every error has its message, keeps what was typed, and the next try succeeds."""
    moment, account = group[0].moment, group[0].account
    scene.account = scene.simulator.accounts[account]
    scene.source = source
    taken = scene.add_entry(scene.simulator.accounts["carla"])
    scene.hass.config_entries.async_update_entry(
        taken, data={**taken.data, "client_identifier": "taken"}
    )
    if source != SOURCE_USER:
        scene.entry = scene.add_entry()
        scene.account.revoke_tokens()

    dialog = await async_open(scene)
    await async_reach(scene, dialog, moment)
    for trouble in group:
        await async_meet(scene, dialog, trouble)
        assert dialog.type is FlowResultType.FORM, trouble.cause
        assert dialog.step == trouble.shown_at, trouble.cause
        assert dialog.errors == {trouble.field: trouble.key}, trouble.cause
    assert scene.hass.config_entries.async_entries(DOMAIN) == [taken] + (
        [scene.entry] if scene.entry is not None else []
    )

    await async_finish(scene, dialog)
    if source == SOURCE_USER:
        assert dialog.type is FlowResultType.CREATE_ENTRY
        entry = dialog.result["result"]
    else:
        assert dialog.type is FlowResultType.ABORT
        assert dialog.result["reason"] == f"{source}_successful"
        entry = scene.entry
    assert entry.state is ConfigEntryState.LOADED
    assert entry.unique_id == scene.account.uuid
    assert entry.data["token"] in scene.account.tokens.values()
    sent = len(scene.simulator.requests_to("signin"))
    assert sent <= dialog.submitted["password"] + dialog.submitted["code"]
