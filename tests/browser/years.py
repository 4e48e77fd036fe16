"""The tour of years with one account: `python -m tests.browser.years`.

Versions come and go on one storage, repairs are ignored, and a server gets a new machine.
"""

from collections.abc import Iterator
import json
from pathlib import Path
import sys
import time
from typing import Final

from scripts.shared.environment import DEMO, DEMO_OLDEST
from scripts.shared.failure import run_script
from scripts.shared.home_assistant import Installation
from scripts.shared.processes import usable_port
from scripts.shared.rest import Rest
from scripts.shared.simulator import Simulator
from tests.versions import V0_1_0, V0_2_0, unpack
from tests.walks import ways
from tests.walks.names import DOMAIN, Field, Step
from tests.walks.world import (
    ANNA,
    BASEMENT,
    LIVING_ROOM,
    SHARED,
    machine_identifier,
    person,
)

from . import ignored_repairs, replaced_server
from .chromium import run_chromium
from .house import House
from .screen import Screen

_ENVIRONMENTS: Final = {one.name: one for one in (DEMO, DEMO_OLDEST)}
_FLOW: Final = "/api/config/config_entries/flow"
_VERSIONS: Final = {"0.1.0": V0_1_0, "0.2.0": V0_2_0}
# What happens in the years after the upgrade.
_LATER: Final = {
    "0.1.0": ignored_repairs.ignore_repairs,
    "0.2.0": replaced_server.replace_server,
}


def main() -> int:
    """Take the tour and return the exit code; raises `Failure` where it cannot go on."""
    given = json.load(sys.stdin)
    start = time.monotonic()
    simulator, folder = Simulator(given["simulator"]), Path(given["folder"])
    steps = 0
    with run_chromium(given["chromium"]) as chromium:
        for name in _VERSIONS:
            port = usable_port(0, "")
            (folder / name).mkdir()
            environment = _ENVIRONMENTS[given["environment"]]
            installation = Installation(environment, folder / name, port)
            page = chromium.open_page(f"http://127.0.0.1:{port}")
            screen = Screen(page, given["screenshots"], given["looks"])
            house = House(installation, screen, name)
            _upgrade(house, simulator, unpack(_VERSIONS[name], folder / "versions"))
            _LATER[name](house, simulator)
            steps += screen.steps
            page.close()
    report = {"steps": steps, "seconds": round(time.monotonic() - start, 1)}
    sys.stdout.write(json.dumps(report) + "\n")
    return 0


def _upgrade(house: House, simulator: Simulator, code: Path) -> None:
    """Upgrade, downgrade and upgrade again, and see the same each time."""
    with house.run(f"{house.name}, for the first time", code) as rest:
        _add_account(rest, simulator, house.name)
        house.see_loaded("first")
        old = house.registered()
    with house.run(f"upgraded from {house.name}"):
        once = house.see_everything_at_work("upgraded")
    with house.screen.step("See that names are as they were"):
        lost = set(old.entity_ids.values()) - set(once.entity_ids.values())
        assert not lost, f"these entity IDs are gone: {lost}"
        assert once.devices == old.devices, "devices are not as they were"
    with house.run(f"downgraded to {house.name}", code):
        house.see_loaded("downgraded")
    with house.run("upgraded again"):
        twice = house.see_everything_at_work("upgraded again")
    with house.screen.step("See that nothing has become of the downgrade"):
        assert twice.entity_ids == once.entity_ids, "entity IDs have changed"
        assert twice.devices == once.devices, "devices have changed"


def _add_account(rest: Rest, simulator: Simulator, version: str) -> None:
    """Add Anna with her servers, in the dialog that a version has."""
    dialog = rest.post(_FLOW, {"handler": DOMAIN})
    for typed in _typed(simulator, version):
        dialog = rest.post(f"{_FLOW}/{dialog['flow_id']}", typed)
    assert dialog["type"] == "create_entry", f"the dialog shows {dialog}"


def _typed(simulator: Simulator, version: str) -> Iterator[ways.Typed]:
    """Yield what is right at each step of a version's dialog."""
    advanced: ways.Typed = {Field.API_URL: simulator.api_url}
    token = ways.right(person(simulator, ANNA), Step.TOKEN)
    names = (LIVING_ROOM, BASEMENT, SHARED)
    if version == "0.1.0":  # asks for both in one form
        token[Step.ADVANCED] = advanced
    else:
        yield {"next_step_id": Step.ADVANCED}
        yield advanced
    yield {"next_step_id": Step.TOKEN}
    yield token
    yield {Field.SERVERS: [machine_identifier(simulator, name) for name in names]}


if __name__ == "__main__":
    run_script(main)
