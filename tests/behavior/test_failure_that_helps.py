"""Of several failures the one is told that helps: that of the address which worked."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.harness import Harness
from tests.helpers import server_coordinator

POLL = timedelta(minutes=5, seconds=1)


async def test_server_that_stops(
    harness: Harness, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    """Names that never resolved are not the reason why a server is not reached now."""
    assert harness.state("sensor.connection") == "local"
    await harness.server.stop()
    for _ in range(3):
        await harness.wait(freezer, POLL)
        coordinator = server_coordinator(entry, harness.server)
        assert str(coordinator.last_exception) == "The connection to Living Room failed"
        failure = await harness.failure("get_transient_token")
        assert str(failure) == "The connection to Living Room failed"
