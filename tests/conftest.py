"""What the tests share: a simulated Plex, and Home Assistant with this integration."""

from collections.abc import AsyncIterator, Iterator
import os
import re
import socket
import ssl
from typing import Any
from unittest.mock import patch

import aiohappyeyeballs
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component import common
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from syrupy.assertion import SnapshotAssertion
from syrupy.types import PropertyPath, SerializableData

# Home Assistant finds the integration only when it was imported before it starts.
from custom_components.plex_auth import devices_coordinator
from custom_components.plex_auth.const import DOMAIN
from custom_components.plex_auth.sensor import ATTR_URI
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.setup import async_setup_component

from .api.fault_matrix import REPORT_PROPERTY, render_table
from .fault_catalogue import FAULTS
from .harness import NOON, Harness, SnapshotPlatform, async_add_kind
from .helpers import everything_enabled, subentry_of
from .plex_simulator import Account, MediaServer, PlexDirectResolver, PlexSimulator
from .plex_simulator.worlds import DemoWorld, demo
from .repair_dialog import OpenRepair, RepairDialog

_PLEX_DIRECT = "*.plex.direct"

type Network = dict[tuple[str, int], int]
"""Where addresses lead: an IP address and a port, to a port of this machine."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options for the long runs and for the table of faults."""
    parser.addoption(
        "--full",
        action="store_true",
        help="run endurance and fuzzing at their full length",
    )
    parser.addoption(
        "--fault-matrix",
        action="store_true",
        help="print which error each call ends in at each fault",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Let fuzzing run at its full length, before its modules are imported."""
    if config.getoption("--full"):
        os.environ.setdefault("HYPOTHESIS_PROFILE", "long")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the fault matrix where it was asked for."""
    if not config.getoption("--fault-matrix"):
        return
    results = [
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, value in report.user_properties
        if name == REPORT_PROPERTY and report.when == "call"
    ]
    # Several processes do not end in the order of the table.
    order = [fault.name for fault in FAULTS]
    results.sort(key=lambda result: order.index(result[1]))
    terminalreporter.section("fault matrix")
    terminalreporter.write_line(render_table(results))


@pytest.fixture(autouse=True)
def use_this_integration(
    enable_custom_integrations: None, socket_enabled: None
) -> None:
    """Let Home Assistant load custom integrations, and tests talk to loopback."""


@pytest.fixture
def full_run(pytestconfig: pytest.Config) -> None:
    """Skip a test that takes long, unless all are to run at their full length."""
    if not pytestconfig.getoption("--full"):
        pytest.skip("takes long: run it with --full")


@pytest.fixture
def hass_config_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a folder of this process: what Home Assistant writes is not shared."""
    folder = tmp_path_factory.getbasetemp() / "config"
    folder.mkdir(exist_ok=True)
    return str(folder)


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Return the snapshots in Home Assistant's form."""
    return snapshot.use_extension(HomeAssistantSnapshotExtension)


@pytest.fixture
def freezer(
    freezer: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch
) -> FrozenDateTimeFactory:
    """Return the clock that stands still; nobody waits for it to go on."""
    monkeypatch.setattr(devices_coordinator, "_BETWEEN_EVENTS", 0)
    return freezer


@pytest.fixture
def all_enabled() -> Iterator[None]:
    """Enable the entities, too, that are disabled by default."""
    with everything_enabled():
        yield


@pytest.fixture
async def simulator(hass: HomeAssistant) -> AsyncIterator[PlexSimulator]:
    """Return a running simulator without accounts; it ends before Home Assistant.

    Its servers refuse notification sockets, so that all is shown to work by polling
    alone. Tests of the sockets let servers give them.
    """
    async with PlexSimulator(notifications=False) as running:
        yield running


@pytest.fixture
async def world(simulator: PlexSimulator) -> DemoWorld:
    """Return a simulated Plex with an account of each kind."""
    return await demo(simulator)


@pytest.fixture
def snapshot_platform(
    hass: HomeAssistant,
    simulator: PlexSimulator,
    freezer: FrozenDateTimeFactory,
    all_enabled: None,
    snapshot: SnapshotAssertion,
) -> SnapshotPlatform:
    """Return what compares a platform of one kind of account with the snapshot."""
    freezer.move_to(NOON)

    async def _async_compare(platform: Platform, kind: str) -> None:
        entry = await async_add_kind(hass, simulator, platform, kind)
        registry = er.async_get(hass)
        shown = snapshot.with_defaults(matcher=_without_port)
        await common.snapshot_platform(hass, registry, shown, entry.entry_id)

    return _async_compare


def _without_port(*, data: SerializableData, path: PropertyPath) -> SerializableData:
    """Leave out the port of an address: it is another one in each run."""
    is_address = path and path[-1][0] == ATTR_URI
    return re.sub(r":\d+$", "", data) if is_address else data


@pytest.fixture
def harness(hass: HomeAssistant, simulator: PlexSimulator, world: DemoWorld) -> Harness:
    """Return Home Assistant, to which no account has been added, with a Plex."""
    return Harness.of(hass, simulator, world)


@pytest.fixture
async def entry(harness: Harness) -> MockConfigEntry:
    """Return Anna's entry with one of her servers, set up."""
    return await harness.add(harness.anna, harness.server)


class Dns(PlexDirectResolver):
    """Resolve plex.direct names only while `plex_direct` says so, as a router may."""

    def __init__(self) -> None:
        """Start without plex.direct."""
        super().__init__()
        self.plex_direct = False

    @property
    def plex_direct(self) -> bool:
        """Return whether plex.direct names resolve."""
        return _PLEX_DIRECT not in self.names

    @plex_direct.setter
    def plex_direct(self, resolves: bool) -> None:
        if resolves:
            self.names.pop(_PLEX_DIRECT, None)
        else:
            self.names[_PLEX_DIRECT] = ()

    async def real_close(self) -> None:
        """Close nothing; Home Assistant calls this on its own resolver at its end."""


@pytest.fixture(autouse=True)
def dns() -> Iterator[Dns]:
    """Replace name resolution; plex.direct names do not resolve unless a test says so."""
    resolver = Dns()
    with patch(
        "homeassistant.helpers.aiohttp_client._async_make_resolver",
        return_value=resolver,
    ):
        yield resolver


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    """Return the ports of this machine to which addresses elsewhere lead; none yet.

    Connections to other addresses are refused.
    """
    leads: Network = {}
    start = aiohappyeyeballs.start_connection

    async def _start(addr_infos: list[Any], **options: Any) -> socket.socket:
        found = []
        for _, kind, protocol, name, (host, port, *_) in addr_infos:
            port = port if host == "127.0.0.1" else leads.get((host, port))
            if port is not None:
                found.append(
                    (socket.AF_INET, kind, protocol, name, ("127.0.0.1", port))
                )
        if not found:
            raise ConnectionRefusedError
        return await start(found, **options)

    monkeypatch.setattr(aiohappyeyeballs, "start_connection", _start)
    return leads


@pytest.fixture
def plex_direct(dns: Dns, simulator: PlexSimulator) -> Iterator[None]:
    """Resolve plex.direct names and trust the simulator's certificates."""
    dns.plex_direct = True
    context = ssl.create_default_context(cadata=simulator.ca_pem().decode())
    with patch(
        "homeassistant.helpers.aiohttp_client.ssl_util.client_context",
        return_value=context,
    ):
        yield


@pytest.fixture
def open_repair(hass: HomeAssistant, hass_client: ClientSessionGenerator) -> OpenRepair:
    """Return what opens the repair of an issue of a server or a Home user."""

    async def _async_open(
        entry: MockConfigEntry, of: MediaServer | Account, key: str
    ) -> RepairDialog:
        assert await async_setup_component(hass, "repairs", {})
        issue_id = f"{key}_{subentry_of(entry, of).subentry_id}"
        assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is not None
        dialog = RepairDialog(await hass_client(), key, issue_id)
        await dialog.start()
        return dialog

    return _async_open
