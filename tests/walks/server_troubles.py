"""What can go wrong in the dialog of a server: at each step all that can befall it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.fault_catalogue import (
    NO_SERVER_CAUSES,
    REDIRECTED_CAUSES,
    SERVER_CAUSES,
    SERVER_LIST_CAUSES,
    Active,
    Host,
    answer,
)
from tests.plex_simulator import Fault, MediaServer, PlexDirectResolver

from .names import Field, Step
from .troubles import Table, Typed

if TYPE_CHECKING:
    from .dialog_worlds import ServerWorld

_ADDRESS: Final = frozenset(
    {cause.key for cause in SERVER_CAUSES + NO_SERVER_CAUSES}
    | {"invalid_url", "secure_connection_required", "invalid_token", "jwt_token"}
    | {"not_claimed", "redirected", "wrong_server"}
)
_NEW: Final = frozenset(
    {"sign_in_blocked", "sign_in_rejected", "token_required", "url_missing"}
)
_CHANGE: Final = frozenset({"url_required", "invalid_source"})
_SERVER_LIST: Final = frozenset(cause.key for cause in SERVER_LIST_CAUSES)
# Which error key can meet which step.
SUBENTRY_TABLE: Final[Table] = {
    Step.LISTED: _SERVER_LIST | {"sign_in_rejected"},
    Step.ADDRESS: _ADDRESS | _NEW,
    Step.RECONFIGURE: _ADDRESS | _CHANGE,
}


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
    typed: Callable[[ServerWorld], Typed] | None = None
    target: str = "own"
    endpoint: str = "identity"

    @property
    def at_plex_tv(self) -> bool:
        """Tell whether plex.tv is asked, not the server."""
        return self.endpoint == "resources"


def _typed(
    step: str, cause: str, key: str, field: str, text: object, target: str = "own"
) -> ServerTrouble:
    """Return the trouble of a field with something wrong in it."""
    typed = {field: text}
    return ServerTrouble(step, cause, key, field, None, lambda _: typed, target)


def _token(text: str) -> Callable[[ServerWorld], Typed]:
    """Type a token."""
    return lambda _: {Field.TOKEN: text}


# What else is no address is in `api/test_addresses.py`.
_BAD_URLS: Final = (
    "https://app.plex.tv/desktop/#!/server/0123456789abcdef/details?key=%2Flibrary",
    "http://user:secret@192.168.1.10:32400",
    "http://169.254.1.1:32400",
)


@asynccontextmanager
async def _unclaimed(
    host: Host, resolver: PlexDirectResolver, endpoint: str
) -> AsyncIterator[None]:
    """Let a server belong to nobody meanwhile, and not trust our network."""
    assert isinstance(host, MediaServer)
    host.claimed = host.trusts_network = False
    yield
    host.claimed = host.trusts_network = True


def _address_troubles(step: str) -> Iterator[ServerTrouble]:
    """Yield what can be wrong with an address, of a new server and a known one alike."""
    told_of_address = NO_SERVER_CAUSES + REDIRECTED_CAUSES
    for field, causes in (("base", SERVER_CAUSES), (Field.URL, told_of_address)):
        for cause in causes:
            yield ServerTrouble(step, cause.name, cause.key, field, cause.active)
    for url in _BAD_URLS:
        yield _typed(step, url, "invalid_url", Field.URL, url)
    key = "secure_connection_required"
    yield ServerTrouble(
        step, key, key, typed=lambda at: {Field.URL: at.secure.http_url}
    )
    jwt = "eyJhbGciOi.eyJpc3MiOi.c2ln"
    yield _typed(step, "jwt", "jwt_token", Field.TOKEN, jwt, "foreign")
    for token in ("wrong", "two words"):
        yield _typed(step, token, "invalid_token", Field.TOKEN, token, "foreign")
    for token in (" ", "wrong") if step == Step.ADDRESS else ("wrong",):
        name, key = f"unclaimed {token}", "not_claimed"
        yield ServerTrouble(
            step, name, key, Field.URL, _unclaimed, _token(token), "foreign"
        )
    away = answer(Fault.status(503))
    yield ServerTrouble(
        step, "root_503", "unavailable", "base", away, None, "foreign", "root"
    )


def _plex_tv_troubles() -> Iterator[ServerTrouble]:
    """Yield what can befall the question for the account's servers."""
    causes = [(cause.name, cause.key, cause.active) for cause in SERVER_LIST_CAUSES]
    rejected = ("1001", "sign_in_rejected", answer(Fault.plex_error(1001)))
    for name, key, active in (*causes, rejected):
        yield ServerTrouble(Step.LISTED, name, key, active=active, endpoint="resources")
    for name, key, fault in (
        ("unlisted_503", "unavailable", Fault.status(503)),
        ("unlisted_1031", "sign_in_blocked", Fault.plex_error(1031)),
        ("unlisted_1001", "sign_in_rejected", Fault.plex_error(1001)),
    ):
        met = (Step.ADDRESS, name, key, "base", answer(fault), _token(""))
        yield ServerTrouble(*met, target="foreign", endpoint="resources")


def _other_troubles() -> Iterator[ServerTrouble]:
    """Yield what only one step can meet."""
    yield _typed(
        Step.ADDRESS, "unlisted", "token_required", Field.TOKEN, " ", "foreign"
    )
    # The empty address means automatic where there is a server already.
    yield _typed(Step.ADDRESS, "empty", "url_missing", Field.URL, " ")
    other = answer(Fault.body('{"MediaContainer": {"machineIdentifier": "other"}}'))
    yield ServerTrouble(
        Step.ADDRESS,
        "name",
        "wrong_server",
        active=other,
        typed=lambda server_world: {Field.URL: server_world.spare.name},
    )
    change = Step.RECONFIGURE
    yield _typed(change, "empty", "url_required", Field.URL, " ", "foreign")
    yield ServerTrouble(
        change,
        "other",
        "wrong_server",
        Field.URL,
        typed=lambda server_world: {Field.URL: server_world.spare.https_url},
    )
    for source in ("server://", "http://x", "podcasts", "server://two words"):
        yield _typed(change, source, "invalid_source", Field.SOURCES, [source])


SERVER_TROUBLES: Final = (
    *_address_troubles(Step.ADDRESS),
    *_address_troubles(Step.RECONFIGURE),
    *_plex_tv_troubles(),
    *_other_troubles(),
)
