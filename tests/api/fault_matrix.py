"""The fault matrix: every call of the client, every fault, and what comes out.

The faults, and what the client makes of them, are in `tests/fault_catalogue.py`.
`pytest tests/api/test_fault_matrix.py --fault-matrix` prints what came out.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from custom_components.plex_auth.api.homes import HomeUser
from tests.fault_catalogue import Outcome

from .population import PASSWORD, Scene

PIN: Final = "1357"
REPORT_PROPERTY: Final = "fault_matrix"
SUCCESS: Final = "success"

type Result = tuple[str, str, str, bool]
type Prepare = Callable[[Scene], str]
type Make = Callable[[Scene, str], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Call:
    """Name a call, the simulator's endpoint for it, and how it is made ready and made.

    `prepare` returns what the call needs, anew for each time: a token, a link code.
    `second` is the endpoint that is asked where there is no first one, and `most_posts`
    how many requests are posted in all, since what knows no user has done nothing.
    """

    name: str
    endpoint: str
    make: Make
    prepare: Prepare
    second: str | None = None
    at_server: bool = False
    most_posts: int = 1


def _nothing(scene: Scene) -> str:
    return ""


def _account_token(scene: Scene) -> str:
    return scene.population.token


def _server_token(scene: Scene) -> str:
    return scene.population.server_token


def _pin(scene: Scene) -> str:
    return str(scene.plex.pins.create("client-1").id)


def _claim_token(scene: Scene) -> str:
    """Let the server belong to nobody, and return what the owner can claim it by."""
    scene.population.server.unclaim()
    return scene.plex.claim_tokens.create(scene.population.owner)


def _remove_device(at: Scene, token: str) -> Awaitable[object]:
    device = at.population.owner.add_device().device_id
    return at.account.remove_device(token, device)


def _admin_token(scene: Scene) -> str:
    """Let the owner and the guest have a Home, and return a token of the owner."""
    people = scene.population
    if scene.plex.homes.of(people.owner) is None:
        scene.plex.homes.add(people.owner, people.guest)
        people.guest.pin = PIN
    return people.token


def _switch(at: Scene, token: str) -> Awaitable[object]:
    guest = at.population.guest
    user = HomeUser(
        id=guest.id,
        uuid=guest.uuid,
        title=guest.title,
        admin=False,
        guest=False,
        restricted=False,
        protected=True,
    )
    return at.account.switch_home_user(token, user, PIN)


def _at_plex_tv(
    name: str,
    endpoint: str,
    make: Make,
    prepare: Prepare = _account_token,
    second: str | None = None,
) -> Call:
    return Call(name, endpoint, make, prepare, second)


def _at_server(
    name: str, endpoint: str, make: Make, prepare: Prepare = _server_token
) -> Call:
    return Call(name, endpoint, make, prepare, at_server=True)


CALLS: Final = (
    _at_plex_tv(
        "sign_in",
        "signin",
        lambda at, _: at.account.sign_in("anna", PASSWORD),
        _nothing,
    ),
    _at_plex_tv("user", "user", lambda at, token: at.account.user(token)),
    _at_plex_tv("servers", "resources", lambda at, token: at.account.servers(token)),
    _at_plex_tv(
        "devices",
        "devices",
        lambda at, token: at.account.devices(token),
        second="devices_xml",
    ),
    _at_plex_tv(
        "remove_device", "device_remove", _remove_device, second="device_remove_v2"
    ),
    _at_plex_tv(
        "home_users",
        "home_users",
        lambda at, token: at.account.home_users(token),
        _admin_token,
    ),
    Call(
        "switch_home_user",
        "home_switch",
        _switch,
        _admin_token,
        "home_switch_v1",
        most_posts=3,
    ),
    _at_plex_tv(
        "create_pin", "pins_create", lambda at, _: at.account.create_pin(), _nothing
    ),
    _at_plex_tv(
        "check_pin", "pins_check", lambda at, pin: at.account.check_pin(int(pin)), _pin
    ),
    _at_plex_tv("sign_out", "signout", lambda at, token: at.account.sign_out(token)),
    _at_plex_tv(
        "claim_token", "claim_token", lambda at, token: at.account.claim_token(token)
    ),
    _at_server(
        "identity",
        "identity",
        lambda at, _: at.server.identity(at.population.server.machine_identifier),
        _nothing,
    ),
    _at_server("check_token", "root", lambda at, token: at.server.check_token(token)),
    _at_server(
        "transient_token",
        "security_token",
        lambda at, token: at.server.transient_token(token),
    ),
    _at_server(
        "source",
        "security_resources",
        lambda at, token: at.server.source_connection_information(
            token, at.population.source
        ),
    ),
    _at_server(
        "part", "item", lambda at, token: at.server.part(token, at.population.film)
    ),
    _at_server(
        "claim", "claim", lambda at, token: at.server.claim(token), _claim_token
    ),
)


def outcome_name(outcome: Outcome) -> str:
    """Return how the table names an outcome."""
    return SUCCESS if outcome is None else outcome.__name__.removesuffix("Error")


def render_table(results: Iterable[Result]) -> str:
    """Return a line for each fault and outcome, with the calls that end so.

    An outcome that was not expected has an exclamation mark before it.
    """
    cells = defaultdict[tuple[str, str], list[str]](list)
    for call, fault, outcome, is_expected in results:
        cells[fault, outcome if is_expected else f"!{outcome}"].append(call)
    return "\n".join(
        f"{fault:42}{outcome:26}{' '.join(calls)}"
        for (fault, outcome), calls in cells.items()
    )
