"""What can go wrong in the dialog of an account: at each step all that can befall it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from tests.fault_catalogue import HOME_USER_CAUSES, PLEX_TV_CAUSES, Active, answer
from tests.plex_simulator import Account, Fault

from .names import Field, Step
from .ways import REAUTH, RECONFIGURE, USER

if TYPE_CHECKING:
    from .dialog_worlds import AccountWorld

SOURCES: Final = (USER, REAUTH, RECONFIGURE)

type Typed = Mapping[str, Any]
type Table = Mapping[str, frozenset[str]]

PLEX_TV_KEYS: Final = frozenset(cause.key for cause in PLEX_TV_CAUSES)
# What only the sign-in to another account meets, in a dialog of an entry.
OTHER_ACCOUNT: Final = "wrong_account"
# Which error key can meet which step.
CONFIG_TABLE: Final[Table] = {
    Step.PASSWORD: PLEX_TV_KEYS | {"invalid_auth", "email_required", OTHER_ACCOUNT},
    Step.CODE: PLEX_TV_KEYS | {"invalid_code"},
    Step.LINK_FAILED: PLEX_TV_KEYS
    | {"link_expired", "sign_in_rejected", OTHER_ACCOUNT},
    Step.TOKEN: PLEX_TV_KEYS | {"invalid_token", "jwt_token", OTHER_ACCOUNT},
    Step.ADVANCED: frozenset(
        {
            "invalid_url",
            "api_url_not_protected",
            "client_identifier_in_use",
            "invalid_client_identifier",
        }
    ),
    Step.SERVERS: PLEX_TV_KEYS | {"sign_in_rejected"},
}
OPTIONS_TABLE: Final[Table] = {
    Step.INIT: PLEX_TV_KEYS | {"invalid_token", "too_many_devices"}
}
_HOME_USER_KEYS: Final = frozenset(cause.key for cause in HOME_USER_CAUSES)
HOME_USER_TABLE: Final[Table] = {
    Step.USER: _HOME_USER_KEYS,
    Step.PIN: _HOME_USER_KEYS | {"invalid_pin"},
    Step.RECONFIGURE: _HOME_USER_KEYS | {"invalid_pin"},
}


@dataclass(frozen=True, slots=True)
class Moment:
    """Name a request, the step that shows what became of it, and who meets it."""

    endpoint: str
    shown_at: str
    account: str = "ben"
    sources: tuple[str, ...] = SOURCES


# A moment is a step, or what a step waits for.
WAITING: Final = "link_waiting"
CLAIMED: Final = "link_claimed"
MOMENTS: Final[Mapping[str, Moment]] = {
    Step.PASSWORD: Moment("signin", Step.PASSWORD),
    Step.CODE: Moment("signin", Step.CODE, account="anna"),
    Step.LINK: Moment("pins_create", Step.LINK_FAILED),
    WAITING: Moment("pins_check", Step.LINK_FAILED),
    CLAIMED: Moment("user", Step.LINK_FAILED),
    Step.TOKEN: Moment("user", Step.TOKEN),
    Step.SERVERS: Moment("resources", Step.SERVERS, sources=(USER,)),
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Say what can go wrong at a moment, and the field that tells of it.

    `typed` replaces what would be right there.
    """

    moment: str
    cause: str
    key: str
    shown_at: str
    account: str
    sources: tuple[str, ...]
    endpoint: str
    field: str = "base"
    active: Active | None = None
    typed: Callable[[AccountWorld], Typed] | None = None


def _trouble(
    moment: str,
    cause: str,
    key: str,
    what: Active | Fault | Typed | None = None,
    **unusual: Any,
) -> Trouble:
    """Return a trouble with what is usual at its moment: something active, or typed."""
    usual = MOMENTS[moment]
    trouble = Trouble(
        moment, cause, key, usual.shown_at, usual.account, usual.sources, usual.endpoint
    )
    if isinstance(what, Fault):
        what = answer(what)
    if callable(what):
        unusual["active"] = what
    elif what is not None:
        unusual["typed"] = lambda _: what
    return replace(trouble, **unusual)


# Moment, cause, key, and what plex.tv answers or what is typed.
_ROWS: Final[tuple[tuple[str, str, str, Fault | Typed], ...]] = (
    (Step.CODE, "asked_again", "invalid_code", Fault.plex_error(1029)),
    (Step.LINK, "refused", "sign_in_rejected", Fault.plex_error(1001)),
    (WAITING, "expired", "link_expired", Fault.plex_error(1020)),
    (CLAIMED, "revoked", "sign_in_rejected", Fault.plex_error(1001)),
    (Step.SERVERS, "revoked", "sign_in_rejected", Fault.plex_error(1001)),
    (Step.PASSWORD, "wrong", "invalid_auth", {Field.PASSWORD: "wrong"}),
    (Step.PASSWORD, "empty", "invalid_auth", {Field.PASSWORD: ""}),
    (Step.PASSWORD, "nobody", "invalid_auth", {Field.USERNAME: "nobody"}),
    (Step.PASSWORD, "no_name", "invalid_auth", {Field.USERNAME: " "}),
    (Step.CODE, "empty", "invalid_code", {Field.CODE: " "}),
    (Step.CODE, "words", "invalid_code", {Field.CODE: "not a code"}),
    (Step.TOKEN, "rejected", "invalid_token", {Field.TOKEN: "anything"}),
    (Step.TOKEN, "claim", "invalid_token", {Field.TOKEN: "claim-abcdefghij"}),
    (Step.TOKEN, "transient", "invalid_token", {Field.TOKEN: "transient-2c5f2b9e"}),
    (Step.TOKEN, "jwt", "jwt_token", {Field.TOKEN: " eyJhbGciOi.eyJpc3MiOi.c2ln "}),
    (Step.TOKEN, "no_jwt", "invalid_token", {Field.TOKEN: "eyJhbGciOi.eyJpc3MiOi"}),
    (Step.TOKEN, "blank", "invalid_token", {Field.TOKEN: "  "}),
    (Step.TOKEN, "inner_space", "invalid_token", {Field.TOKEN: "two words"}),
    (Step.TOKEN, "line_break", "invalid_token", {Field.TOKEN: "two\nlines"}),
    (Step.TOKEN, "accent", "invalid_token", {Field.TOKEN: "tökenn"}),
)
# What else is no address is in `api/test_addresses.py`.
_BAD_URLS: Final = ("http://user:secret@127.0.0.1/api", "plex.tv", "http://")


def _troubles() -> Iterator[Trouble]:
    """Yield what plex.tv can do, and what can be typed wrongly."""
    for moment in MOMENTS:
        for cause in PLEX_TV_CAUSES:
            if moment == Step.SERVERS and cause.name == "huge body":
                continue  # The entry is made without servers.
            yield _trouble(moment, cause.name, cause.key, cause.active)
    for row in _ROWS:
        yield _trouble(*row)
    changed = Fault.plex_error(1001)
    yield _trouble(
        Step.CODE, "changed", "invalid_auth", changed, shown_at=Step.PASSWORD
    )
    for name, make in (
        ("wrong", Account.wrong_code),
        ("expired", Account.expired_code),
    ):
        yield _trouble(Step.CODE, name, "invalid_code", typed=_code(make))
    dora: Typed = {Field.USERNAME: "dora"}
    yield _trouble(Step.PASSWORD, "email", "email_required", dora, account="dora")


def _advanced_troubles() -> Iterator[Trouble]:
    """Yield what the fields of `advanced` can be refused for."""

    def refused(cause: str, key: str, name: str, typed: str, *of: str) -> Trouble:
        met = (Step.ADVANCED, cause, key, Step.ADVANCED, "ben", of, "", name)
        return Trouble(*met, typed=lambda _: {name: typed})

    for cause, key, text in (
        ("taken", "client_identifier_in_use", "taken"),
        ("accent", "invalid_client_identifier", "böse"),
        ("control", "invalid_client_identifier", "a\nb"),
    ):
        yield refused(cause, key, Field.CLIENT_IDENTIFIER, text, USER)
    for url in _BAD_URLS:
        yield refused(url, "invalid_url", Field.API_URL, url, USER, RECONFIGURE)
    plain = "http://plex.tv/api/v2"
    yield refused(
        "plain", "api_url_not_protected", Field.API_URL, plain, USER, RECONFIGURE
    )


def _code(make: Callable[[Account], str]) -> Callable[[AccountWorld], Typed]:
    """Type a verification code."""
    return lambda account_world: {Field.CODE: make(account_world.account)}


TROUBLES: Final = (*_troubles(), *_advanced_troubles())
