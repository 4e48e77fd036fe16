"""The steps that repair what is wrong with a server."""

from contextlib import suppress
from functools import partial
from itertools import islice

from playwright.sync_api import Error, expect

from scripts.shared.simulator import Simulator
from tests.walks import ways
from tests.walks.names import DOMAIN, Action, Field, Issue
from tests.walks.texts import text
from tests.walks.ways import Way
from tests.walks.world import (
    ANNA,
    ANNAS_NAME,
    BASEMENT,
    BEN,
    CARLA,
    LIVING_ROOM,
    SHARED,
    machine_identifier,
    person,
)

from . import actions, entry
from .dialog import PageDialog
from .screen import Screen


def claim_server(screen: Screen, simulator: Simulator) -> None:
    """Claim a server of nobody by its repair, and see that everything works again."""
    issue = f"issues.{Issue.UNCLAIMED}"
    server = simulator.server(LIVING_ROOM)
    names = {
        "account": ANNAS_NAME,
        "server": LIVING_ROOM,
        "url": f"{server['http_url']}/web",
        "own_url": "http://127.0.0.1:32400/web",
    }
    with screen.step("See that a server belongs to nobody"):
        screen.ask(
            "call_service",
            domain="button",
            service="press",
            target={"entity_id": f"button.{ANNA}_check_now"},
        )
        screen.click("Settings")
        found = screen.see(text(f"{issue}.title", **names))
        screen.picture("unclaimed", keep=False)
        screen.use(found)
    host = server["machine_identifier"]
    slow = {"endpoint": "claim", "kind": "delay", "seconds": 3, "times": 2}
    simulator.control.post("/faults", {**slow, "host": host})
    simulator.control.post(f"/servers/{host}/distrust")
    dialog = PageDialog(screen, f"{issue}.fix_flow", names)
    dialog.walk(islice(ways.claim_server(), 2))
    with screen.step("See that the server trusts another network only"):
        screen.see(dialog.text("error.network_not_trusted"))
        screen.picture("claim-not-trusted", dialog=True, keep=False)
    simulator.control.post(f"/servers/{host}/trust")
    dialog.walk(ways.claim_server())
    with screen.step("See that nothing is left to repair"):
        repair = screen.page.get_by_text(text(f"{issue}.title", **names))
        expect(repair, "the repair").to_have_count(0)
    actions.open_actions(screen)
    actions.call(screen, simulator, Action.TRANSIENT_TOKEN)
    # What a person does elsewhere: claim the other server, and share this one again.
    other = machine_identifier(simulator, BASEMENT)
    simulator.control.post(f"/servers/{other}/claim", {"username": ANNA})
    simulator.control.post(f"/servers/{host}/share", {"username": BEN})


def forget_address(screen: Screen, simulator: Simulator) -> None:
    """Let a server that was added by its address be found again, when it has another."""
    url = simulator.server(BASEMENT)["http_url"]
    path = f"/servers/{machine_identifier(simulator, BASEMENT)}/change_port"
    simulator.control.post(path)
    with screen.step("Let two polls find the server elsewhere"):
        for _ in range(2):
            screen.ask(
                "call_service",
                domain="button",
                service="press",
                target={"entity_id": "button.anna_check_now"},
            )
            # Presses within 10 seconds share one poll.
            screen.page.wait_for_timeout(10_500)
    _repair(screen, Issue.ADDRESS_FAILS, BASEMENT, ways.confirm_repair(), url=url)


def remove_unshared(screen: Screen, simulator: Simulator) -> None:
    """Remove the shared server, when it is shared no longer."""
    server = f"/servers/{machine_identifier(simulator, SHARED)}"
    simulator.control.post(f"{server}/unshare")
    _call(screen, Action.SERVERS)
    _repair(screen, Issue.NOT_LISTED, SHARED, ways.confirm_repair())


def renew_token(screen: Screen, simulator: Simulator) -> None:
    """Add the server that is shared no longer by a token, and renew that when it ends."""
    carla = person(simulator, CARLA)
    entry.open_integration(screen)
    url = simulator.server(SHARED)["http_url"]
    way = ways.add_server_by_address(url, carla.token())
    entry.add_server(screen, simulator, SHARED, way)
    simulator.control.post(f"/accounts/{CARLA}/revoke_tokens")
    devices = screen.ask("config/device_registry/list")
    (device,) = (one["id"] for one in devices if one["name"] == SHARED)
    with suppress(Error):
        _call(screen, Action.TRANSIENT_TOKEN, {Field.DEVICE: device})
    way = ways.renew_server_token(carla.token())
    _repair(screen, Issue.TOKEN_REFUSED, SHARED, way)
    entry.open_integration(screen)
    entry.remove_server(screen, SHARED)


def _repair(screen: Screen, issue: Issue, server: str, way: Way, **more: str) -> None:
    """Find a repair under the settings, and go its way to the end."""
    names = {"account": ANNAS_NAME, "server": server, **more}
    title = partial(text, f"issues.{issue}.title", **names)
    with screen.step(f"Find the repair: {title()}"):
        screen.click("Settings")
        row = screen.see(title())
        screen.picture(issue, keep=False)
        screen.use(row)
    PageDialog(screen, f"issues.{issue}.fix_flow", names).walk(way)


def _call(
    screen: Screen, action: Action, fields: dict[Field, str] | None = None
) -> None:
    """Call an action, whatever comes of it on the page."""
    screen.ask(
        "call_service",
        domain=DOMAIN,
        service=action,
        service_data=fields or {},
        return_response=True,
    )
