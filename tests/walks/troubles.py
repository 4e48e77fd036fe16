"""What can go wrong in the dialog of an account: at each step all that can befall it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.plex_simulator import Account, Fault

from .causes import PLEX_TV_CAUSES, Active, answer
from .names import SIGN_IN_WAYS, Field, Step
from .scenes import Scene
from .ways import REAUTH, RECONFIGURE, USER

SOURCES: Final = (USER, REAUTH, RECONFIGURE)

type Typed = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Moment:
    """Name a request, the step that shows what became of it, and who meets it."""

    endpoint: str
    shown_at: str
    account: str = "ben"
    sources: tuple[str, ...] = SOURCES


# A moment is a step, or what a step waits for.
MOMENTS: Final[Mapping[str, Moment]] = {
    Step.PASSWORD: Moment("signin", Step.PASSWORD),
    Step.CODE: Moment("signin", Step.CODE, account="anna"),
    Step.LINK: Moment("pins_create", Step.LINK),
    Step.LINK_WAIT: Moment("pins_check", Step.LINK),
    "link_claimed": Moment("user", Step.LINK),
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
    field: str = "base"
    active: Active | None = None
    typed: Callable[[Scene], Typed] | None = None

    @property
    def endpoint(self) -> str:
        """Return what is asked at the moment."""
        return MOMENTS[self.moment].endpoint


def _trouble(
    moment: str,
    cause: str,
    key: str,
    *,
    active: Active | None = None,
    typed: Typed | Callable[[Scene], Typed] | None = None,
    field: str = "base",
    shown_at: str = "",
    account: str = "",
    sources: tuple[str, ...] = (),
) -> Trouble:
    """Return a trouble; what is left out follows from the moment."""
    usual = MOMENTS[moment]
    return Trouble(
        moment,
        cause,
        key,
        shown_at or usual.shown_at,
        account or usual.account,
        sources or usual.sources,
        field,
        active,
        typed if typed is None or callable(typed) else lambda _: typed,
    )


def _plex_tv_troubles() -> Iterator[Trouble]:
    """Yield what plex.tv can do at each moment, and what it says of one request only."""
    for moment in MOMENTS:
        for cause in PLEX_TV_CAUSES:
            yield _trouble(moment, cause.name, cause.key, active=cause.active)
    for moment, name, key, code in (
        (Step.CODE, "asked_again", "invalid_code", 1029),
        (Step.LINK, "refused", "invalid_token", 1001),
        (Step.LINK_WAIT, "expired", "link_expired", 1020),
        ("link_claimed", "revoked", "invalid_token", 1001),
        (Step.SERVERS, "revoked", "invalid_token", 1001),
    ):
        yield _trouble(moment, name, key, active=answer(Fault.plex_error(code)))
    yield _trouble(
        Step.CODE,
        "password_changed",
        "invalid_auth",
        active=answer(Fault.plex_error(1001)),
        shown_at=Step.PASSWORD,
    )


_BAD_URLS: Final = (
    "http://user:secret@127.0.0.1/api",
    "http://127.0.0.1/api?x=1",
    "http://127.0.0.1/api#x",
    "ftp://127.0.0.1/api",
    "javascript:alert(1)",
    "http://127.0.0.1:99999/api",
    "http://169.254.169.254/latest",
    "http://2130706433/",
    "plex.tv",
    "http://",
)


def _advanced_troubles() -> Iterator[Trouble]:
    """Yield what the fields of `advanced` can be refused for."""
    for way in SIGN_IN_WAYS:
        is_first = way == Step.PASSWORD
        for url in _BAD_URLS if is_first else _BAD_URLS[:1]:
            yield _trouble(
                way,
                url,
                "invalid_url",
                typed={Field.ADVANCED: {Field.API_URL: url}},
                field=Field.ADVANCED,
                sources=(USER, RECONFIGURE) if is_first else (USER,),
            )
        for cause, key, identifier in (
            ("taken", "client_identifier_in_use", "taken"),
            ("accent", "invalid_client_identifier", "böse"),
            ("control", "invalid_client_identifier", "a\nb"),
        ):
            yield _trouble(
                way,
                cause,
                key,
                typed=_identifier(identifier),
                field=Field.ADVANCED,
                sources=(USER,),
            )


def _identifier(text: str) -> Callable[[Scene], Typed]:
    """Type a client identifier."""
    return lambda scene: {
        Field.ADVANCED: {Field.API_URL: scene.api_url, Field.CLIENT_IDENTIFIER: text}
    }


def _typed_troubles() -> Iterator[Trouble]:
    """Yield what can be typed wrongly."""
    for cause, field, text in (
        ("wrong", Field.PASSWORD, "wrong"),
        ("empty", Field.PASSWORD, ""),
        ("nobody", Field.USERNAME, "nobody"),
        ("no_name", Field.USERNAME, " "),
    ):
        yield _trouble(Step.PASSWORD, cause, "invalid_auth", typed={field: text})
    yield _trouble(
        Step.PASSWORD,
        "email_only",
        "email_required",
        typed={Field.USERNAME: "dora"},
        account="dora",
    )
    for cause, make in (
        ("wrong", Account.wrong_code),
        ("expired", Account.expired_code),
        ("empty", lambda _: " "),
        ("words", lambda _: "not a code"),
    ):
        yield _trouble(Step.CODE, cause, "invalid_code", typed=_code(make))
    for cause, token in (
        ("rejected", "anything"),
        ("claim", "claim-abcdefghij"),
        ("transient", "transient-2c5f2b9e-5f0c-4a55-a1f7-1ed5d4b0a3cc"),
        ("blank", "  "),
        ("inner_space", "two words"),
        ("line_break", "two\nlines"),
        ("accent", "tökenn"),
    ):
        yield _trouble(Step.TOKEN, cause, "invalid_token", typed={Field.TOKEN: token})


def _code(make: Callable[[Account], str]) -> Callable[[Scene], Typed]:
    """Type a verification code."""
    return lambda scene: {Field.CODE: make(scene.account)}


TROUBLES: Final = (*_plex_tv_troubles(), *_advanced_troubles(), *_typed_troubles())
