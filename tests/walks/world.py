"""The simulator's world `demo`, as a walk in another process sees it."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from scripts.shared.simulator import Simulator

from .names import Action
from .ways import Person, page_of_film

# People by user name and name; servers by name.
ANNA, ANNAS_NAME = "anna", "Anna"
BEN, BENS_NAME = "ben", "Ben"
CARLA = "carla"
FRITZ, FRITZ_NAME = "fritz", "Fritz"
LINA = "Lina"  # a child of Anna's Home, with a PIN
LINAS_SECTIONS = ["Kids' Films"]  # all that she may see of the living room's library
MALLORY, OSCAR = "mallory", "oscar"  # have hostile names
LIVING_ROOM, BASEMENT, SHARED = "Living Room", "Basement", "Carla's Films"
SHARED_LABEL = f"{SHARED} (Carla)"  # for everybody but Carla
OLD_BROWSER = "Old browser"
_BROWSER = {"product": "Plex Web", "platform": "Firefox"}
OLD_BROWSER_LABEL = ", ".join([OLD_BROWSER, *_BROWSER.values()])

# What is in the responses that Anna gets: a key, and how its value begins.
ANSWERS: Mapping[Action, tuple[str, str]] = {
    Action.TOKEN_DETAILS: ("username", ANNA),
    Action.SERVERS: ("name", LIVING_ROOM),
    Action.DEVICES: ("name", OLD_BROWSER),
    Action.REMOVE_DEVICE: ("name", OLD_BROWSER),
    Action.TRANSIENT_TOKEN: ("token", "transient-"),
    Action.SOURCE_CONNECTION: ("name", BASEMENT),
}


def person(simulator: Simulator, username: str) -> Person:
    """Return who has an account of the world."""
    account, control = simulator.account(username), simulator.control
    return Person(
        api_url=simulator.api_url,
        username=username,
        password=account["password"] or "",
        code=partial(simulator.code, username) if "totp_secret" in account else None,
        token=lambda: str(control.post(f"/accounts/{username}/token")["token"]),
        link=lambda code: control.post(f"/pins/{code}/link", {"username": username}),
    )


def lina(simulator: Simulator) -> dict[str, Any]:
    """Return the account of the child, with the PIN."""
    return next(one for one in simulator.accounts if one["title"] == LINA)


def pin(simulator: Simulator, title: str) -> str:
    """Return the PIN of a Home user."""
    return next(str(one["pin"]) for one in simulator.accounts if one["title"] == title)


def source(simulator: Simulator) -> str:
    """Return what the server in the living room can watch."""
    return f"server://{machine_identifier(simulator, BASEMENT)}"


def page(simulator: Simulator) -> str:
    """Return the address of a film's page, of the server in the living room."""
    return page_of_film(machine_identifier(simulator, LIVING_ROOM))


def device_id(simulator: Simulator) -> int:
    """Return a device that is signed in to Anna's account, and may be removed."""
    fields = {"client_identifier": OLD_BROWSER, "name": OLD_BROWSER, **_BROWSER}
    return int(simulator.control.post(f"/accounts/{ANNA}/token", fields)["device_id"])


def labels(simulator: Simulator) -> dict[str, str]:
    """Return what lists of Anna's servers call them, by machine identifier."""
    names = {LIVING_ROOM: LIVING_ROOM, BASEMENT: BASEMENT, SHARED: SHARED_LABEL}
    return {machine_identifier(simulator, name): names[name] for name in names}


def machine_identifier(simulator: Simulator, name: str) -> str:
    """Return the identifier of a server."""
    return str(simulator.server(name)["machine_identifier"])
