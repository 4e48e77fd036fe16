"""What can go wrong in the dialog of a server: at each step all that can befall it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.plex_simulator import Fault

from .causes import (
    NO_SERVER_CAUSES,
    PLEX_TV_CAUSES,
    SERVER_CAUSES,
    Active,
    answer,
    unclaimed,
)
from .names import Field, Step
from .scenes import ServerScene

type Typed = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ServerTrouble:
    """Say what can go wrong in the flow of a server, and the field that tells of it.

    It happens to requests to an endpoint of the server, or of plex.tv; `typed` replaces
    what would be right. `target` is the server that the dialog is about.
    """

    step: str
    cause: str
    key: str
    field: str = "base"
    active: Active | None = None
    typed: Callable[[ServerScene], Typed] | None = None
    target: str = "own"
    endpoint: str = "identity"
    at_plex_tv: bool = False


_BAD_URLS: Final = (
    "192.168.1.10:32400",
    "http://user:secret@192.168.1.10:32400",
    "http://192.168.1.10:32400/?X-Plex-Token=x",
    "http://192.168.1.10:32400/#x",
    "ftp://192.168.1.10",
    "javascript:alert(1)",
    "http://192.168.1.10:99999",
    "http://169.254.1.1:32400",
    "http://0.0.0.0:32400",
    "http://[::]:32400",
    " ",
)


def _wrong(
    step: str, cause: str, key: str, field: str, value: object, target: str = "own"
) -> ServerTrouble:
    """Return the trouble of a field with something wrong in it."""
    typed = {field: value}
    return ServerTrouble(step, cause, key, field, None, lambda _: typed, target)


def _listed_troubles() -> Iterator[ServerTrouble]:
    """Yield what can befall the question for the account's servers."""
    rejection = ("1001", "invalid_token", answer(Fault.plex_error(1001)))
    for name, key, active in (
        *((cause.name, cause.key, cause.active) for cause in PLEX_TV_CAUSES),
        rejection,
    ):
        yield ServerTrouble(
            Step.LISTED,
            name,
            key,
            active=active,
            endpoint="resources",
            at_plex_tv=True,
        )


def _address_troubles(step: str) -> Iterator[ServerTrouble]:
    """Yield what can be wrong with an address, of a new server and a known one alike."""
    for field, causes in (("base", SERVER_CAUSES), (Field.URL, NO_SERVER_CAUSES)):
        for cause in causes:
            yield ServerTrouble(step, cause.name, cause.key, field, cause.active)
    # The empty address means automatic where there is a server already.
    for url in _BAD_URLS if step == Step.ADDRESS else _BAD_URLS[:-1]:
        yield _wrong(step, url, "invalid_url", Field.URL, url)
    yield ServerTrouble(
        step,
        "secure",
        "secure_connection_required",
        typed=lambda scene: {Field.URL: scene.secure.http_url},
    )
    for name, token in (("wrong", "wrong"), ("space", "two words")):
        yield _wrong(step, name, "invalid_token", Field.TOKEN, token, "foreign")
    yield ServerTrouble(
        step,
        "root_503",
        "unavailable",
        active=answer(Fault.status(503)),
        target="foreign",
        endpoint="root",
    )
    for token in (" ", "wrong") if step == Step.ADDRESS else ("wrong",):
        yield ServerTrouble(
            step,
            f"unclaimed {token}",
            "not_claimed",
            Field.URL,
            unclaimed,
            _token(token),
            "foreign",
        )


def _token(text: str) -> Callable[[ServerScene], Typed]:
    """Type a token."""
    return lambda _: {Field.TOKEN: text}


def _new_server_troubles() -> Iterator[ServerTrouble]:
    """Yield what only a server can meet that the account does not list."""
    step = Step.ADDRESS
    yield _wrong(step, "unlisted", "token_required", Field.TOKEN, " ", "foreign")
    for name, key, fault in (
        ("unlisted_503", "unavailable", Fault.status(503)),
        ("unlisted_1031", "sign_in_blocked", Fault.plex_error(1031)),
        ("unlisted_1001", "invalid_token", Fault.plex_error(1001)),
    ):
        yield ServerTrouble(
            step,
            name,
            key,
            active=answer(fault),
            typed=_token(""),
            target="foreign",
            endpoint="resources",
            at_plex_tv=True,
        )


def _change_troubles() -> Iterator[ServerTrouble]:
    """Yield what only a change can meet."""
    step = Step.RECONFIGURE
    yield ServerTrouble(
        step,
        "other",
        "wrong_server",
        Field.URL,
        typed=lambda scene: {Field.URL: scene.spare.https_url},
    )
    yield _wrong(step, "empty", "url_required", Field.URL, " ", "foreign")
    for source in ("server://", "http://x", "podcasts", "server://two words"):
        yield _wrong(step, source, "invalid_source", Field.SOURCES, [source])
    for target, key in (("shared", "not_owner"), ("old", "server_too_old")):
        yield _wrong(step, target, key, Field.SOURCES, ["server://0123"], target)


SERVER_TROUBLES: Final = (
    *_listed_troubles(),
    *_address_troubles(Step.ADDRESS),
    *_address_troubles(Step.RECONFIGURE),
    *_new_server_troubles(),
    *_change_troubles(),
)
