"""The ways through the dialogs, page by page, and the actions with what is right for them.

A way yields moves; a driver does each before it asks for the next, so that a code is
looked up when it is typed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .names import Action, Field, Step

USER, REAUTH, RECONFIGURE = "user", "reauth", "reconfigure"
MENUS = {USER: Step.USER, REAUTH: Step.REAUTH, RECONFIGURE: Step.RECONFIGURE}


@dataclass(frozen=True)
class Choose:
    """Choose an item of a menu."""

    step: Step
    item: Step


@dataclass(frozen=True)
class Submit:
    """Submit a form; it comes again with `errors` when there should be some."""

    step: Step
    typed: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Watch:
    """Do something with the code that a page shows, and wait until the page goes on."""

    step: Step
    use: Callable[[str], object]


@dataclass(frozen=True)
class Wait:
    """Wait until a page that shows a progress goes on."""

    step: Step


@dataclass(frozen=True)
class Created:
    """See that something was added or repaired."""


@dataclass(frozen=True)
class Ended:
    """See for which reason the dialog ends."""

    reason: str


type Move = Choose | Submit | Watch | Wait | Created | Ended
type Typed = dict[str, Any]
type Way = Iterator[Move]
type Wrong = Mapping[Step, Sequence[tuple[Mapping[str, Any], Mapping[str, str]]]]


@dataclass(frozen=True, kw_only=True, repr=False)
class Person:
    """Hold what somebody knows who signs in, and does at plex.tv.

    Without two-factor authentication there is no `code`.
    """

    api_url: str
    username: str
    password: str
    code: Callable[[], str] | None
    token: Callable[[], str]
    link: Callable[[str], object]


def right(person: Person, step: str) -> Typed:
    """Return what is right to type at a step of signing in."""
    match step:
        case Step.ADVANCED:
            return {Field.API_URL: person.api_url}
        case Step.CODE:
            assert person.code is not None
            return {Field.CODE: person.code()}
        case Step.SERVERS:
            return {}
        case Step.PASSWORD:
            return {Field.USERNAME: person.username, Field.PASSWORD: person.password}
        case Step.TOKEN:
            return {Field.TOKEN: person.token()}
    raise AssertionError(step)


def use_api(person: Person, source: str = USER) -> Way:
    """Take the address of Plex's API that a person uses, and come back to the menu."""
    yield Choose(MENUS[source], Step.ADVANCED)
    yield Submit(Step.ADVANCED, right(person, Step.ADVANCED))


def sign_in(person: Person, way: str, source: str = USER) -> Way:
    """Sign in, in one of `SIGN_IN_WAYS`; an entry knows the address of Plex's API."""
    if source == USER:
        yield from use_api(person)
    yield from go_on(person, way, MENUS[source])


def go_on(person: Person, way: str, menu: Step) -> Way:
    """Choose a way in a menu, and sign in."""
    yield Choose(menu, Step(way))
    if way == Step.LINK:
        yield Watch(Step.LINK, person.link)
        return
    yield Submit(Step(way), right(person, way))
    if way == Step.PASSWORD and person.code is not None:
        yield Submit(Step.CODE, right(person, Step.CODE))


def add_account(person: Person, way: str, servers: Iterable[str] | None) -> Way:
    """Add an account with some of its servers; None where it has none to choose."""
    yield from sign_in(person, way)
    if servers is not None:
        yield from choose_servers(servers)
    else:
        yield Created()


def choose_servers(servers: Iterable[str]) -> Way:
    """Choose servers by their machine identifiers, and end the dialog."""
    yield Submit(Step.SERVERS, {Field.SERVERS: list(servers)})
    yield Created()


def renew(person: Person, way: str, source: str) -> Way:
    """Sign in anew, because it is asked for or wanted."""
    yield from sign_in(person, way, source)
    yield Ended(f"{source}_successful")


def add_listed_server(machine_identifier: str) -> Way:
    """Add a server of the account's list."""
    yield Choose(Step.USER, Step.LISTED)
    yield Submit(Step.LISTED, {Field.SERVER: machine_identifier})
    yield Created()


def add_server_by_address(url: str, token: str | None = None) -> Way:
    """Add a server by its address; with a token if the account does not list it."""
    yield Choose(Step.USER, Step.ADDRESS)
    yield Submit(Step.ADDRESS, right_address(url, token))
    yield Created()


def right_address(url: str, token: str | None = None) -> Typed:
    """Return what is right to type for a server that answers at an address."""
    typed: Typed = {Field.URL: url, Field.VERIFY_SSL: True}
    return typed if token is None else {**typed, Field.TOKEN: token}


def watch_sources(sources: Iterable[str]) -> Way:
    """Change a server that has no typed address: let it watch sources."""
    typed: Typed = {Field.VERIFY_SSL: True, Field.SOURCES: list(sources)}
    yield Submit(Step.RECONFIGURE, typed)
    yield Ended("reconfigure_successful")


def change_address(url: str, token: str) -> Way:
    """Change a server that has a typed address and token."""
    yield Submit(Step.RECONFIGURE, right_address(url, token))
    yield Ended("reconfigure_successful")


def add_home_user(uuid: str, pin: str | None = None) -> Way:
    """Add a user of the Plex Home, with the PIN of a user who has one."""
    yield Submit(Step.USER, {Field.HOME_USER: uuid})
    if pin is not None:
        yield Submit(Step.PIN, right_pin(pin))
    yield Created()


def right_pin(pin: str | None) -> Typed:
    """Return what is right to type where a PIN is asked for if there is one."""
    return {} if pin is None else {Field.PIN: pin}


def switch_again(pin: str | None = None) -> Way:
    """Switch to a Home user again, with the PIN of a user who has one."""
    yield Submit(Step.RECONFIGURE, right_pin(pin))
    yield Ended("reconfigure_successful")


def sign_out_devices(device_ids: Iterable[int]) -> Way:
    """Sign devices out of an account."""
    yield Submit(Step.INIT, {Field.DEVICES: [str(one) for one in device_ids]})
    yield Ended("devices_signed_out")


def confirm_repair() -> Way:
    """Agree to a repair that needs nothing else."""
    yield Submit(Step.CONFIRM)
    yield Created()


def claim_server() -> Way:
    """Repair a server that belongs to nobody."""
    yield Submit(Step.CONFIRM)
    yield Wait(Step.CLAIM)
    yield Created()


def type_address(url: str) -> Way:
    """Repair a server that is not reached: by an address, when no listed one answers."""
    yield Submit(Step.ADDRESS, right_address(url))
    yield Created()


def renew_server_token(token: str) -> Way:
    """Repair a server that refuses its typed token."""
    yield Submit(Step.TOKEN, {Field.TOKEN: token})
    yield Created()


def repair_home_user(pin: str | None = None) -> Way:
    """Repair a Home user whose token is rejected, with the PIN of a user who has one."""
    yield Submit(Step.CONFIRM if pin is None else Step.PIN, right_pin(pin))
    yield Created()


def remove_home_user() -> Way:
    """Repair a Home user who has left the Home."""
    yield Submit(Step.REMOVE)
    yield Created()


def stumbling(way: Way, wrong: Wrong) -> Way:
    """Type what is wrong at a step, and see the errors, before what is right."""
    for move in way:
        if isinstance(move, Submit):
            for typed, errors in wrong.get(move.step, ()):
                yield replace(move, typed={**move.typed, **typed}, errors=errors)
        yield move


def page_of_film(machine_identifier: str) -> str:
    """Return the address that Plex Web has for the first film of a server."""
    return (
        f"https://app.plex.tv/desktop/#!/server/{machine_identifier}/details"
        "?key=%2Flibrary%2Fmetadata%2F1"
    )


def calls(
    account: str | None, server: str, source: str, path: str, device_id: int
) -> dict[Action, Typed]:
    """Return each action with what is right for it; None is an account left out.

    The device can be removed once.
    """
    of_account: Typed = {} if account is None else {Field.ENTRY: account}
    of_source: Typed = {Field.DEVICE: server, Field.SOURCE: source, Field.REFRESH: True}
    return {
        Action.TOKEN_DETAILS: of_account,
        Action.SERVERS: of_account,
        Action.DEVICES: of_account,
        Action.REMOVE_DEVICE: {**of_account, Field.ID: device_id},
        Action.TRANSIENT_TOKEN: {Field.DEVICE: server, Field.PATH: path},
        Action.SOURCE_CONNECTION: of_source,
    }


def calls_as(home_user: str, server: str, path: str) -> dict[Action, Typed]:
    """Return each action that takes a Home user's device, with what is right for it."""
    as_user: Typed = {Field.HOME_USER: home_user}
    return {
        Action.SERVERS: as_user,
        Action.TRANSIENT_TOKEN: {Field.DEVICE: server, Field.PATH: path, **as_user},
    }
