"""The steps of somebody who signs a device out of the account."""

from typing import Final

from scripts.shared.simulator import Simulator
from tests.walks import ways
from tests.walks.names import DOMAIN, Action, Step
from tests.walks.ways import stumbling
from tests.walks.world import ANNAS_NAME, OLD_BROWSER_LABEL, device_id

from . import entry
from .dialog import DEVICES, PageDialog
from .screen import Screen

# Configure, the device's box, Submit and Close.
_CLICKS: Final = 4
_REFUSED: Final[ways.Wrong] = {Step.INIT: [({}, {"base": "unavailable"})]}


def sign_out_device(screen: Screen, simulator: Simulator) -> None:
    """Sign a device out with few clicks from the page of the integration.

    Another one is signed out at the second attempt.
    """
    with screen.clicks_at_most(_CLICKS):
        _sign_out(screen, device_id(simulator))
    fault = {"endpoint": "device_remove", "kind": "status", "code": 503, "times": 1}
    simulator.control.post("/faults", fault)
    _sign_out(screen, device_id(simulator), _REFUSED)


def _sign_out(screen: Screen, device: int, wrong: ways.Wrong | None = None) -> None:
    entry.open_devices(screen, ANNAS_NAME)
    with screen.step("See that no device is selected"):
        screen.see(OLD_BROWSER_LABEL)
        boxes = screen.page.locator("ha-checkbox").filter(visible=True).all()
        checked = [box for box in boxes if box.evaluate("box => box.checked")]
        assert not checked, "the page selects a device by itself"
    placeholders = {"name": ANNAS_NAME, "devices": OLD_BROWSER_LABEL}
    dialog = PageDialog(screen, DEVICES, placeholders, {str(device): OLD_BROWSER_LABEL})
    dialog.walk(stumbling(ways.sign_out_devices([device]), wrong or {}))
    with screen.step("See that the device is signed out"):
        listed = screen.ask(
            "call_service", domain=DOMAIN, service=Action.DEVICES, return_response=True
        )["response"]["devices"]
        assert device not in [one["id"] for one in listed], "it is still signed in"
