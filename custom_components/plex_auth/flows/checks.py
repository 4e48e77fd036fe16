"""User input, converted to values or a FormError."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
import re
from typing import Any, Final, NamedTuple

from yarl import URL

from homeassistant.const import CONF_TOKEN, CONF_URL

from ..api.addresses import is_private, parse_address, shown_address, typed_addresses
from ..api.connections import ConnectionKind, Route
from ..api.errors import (
    CannotConnectError,
    NotClaimedError,
    NotFoundError,
    NotPermittedError,
    PageError,
    PlexError,
    RedirectedError,
    SecureConnectionRequiredError,
    TokenRejectedError,
    UnexpectedAnswerError,
)
from ..api.fields import is_jwt
from ..api.known_server import KnownServer
from ..api.models import Identity, ListedServer
from ..api.race import most_helpful, race
from ..api.server import (
    PlexServer,
    is_source,
    require_claimed,
    require_started,
    server_source,
)
from ..const import CONF_API_URL, CONF_CLIENT_IDENTIFIER, CONF_SOURCES
from ..messages import error_key

# Characters that are valid in a header.
_TOKEN: Final = re.compile(r"[!-~]+")


class FormError(Exception):
    """Raised when user input is invalid."""

    def __init__(self, key: str, field: str = "base") -> None:
        """Initialize with the key of a message and the field that shows it."""
        super().__init__(key)
        self.errors = {field: key}


def form_errors(err: FormError | PlexError | None) -> dict[str, str]:
    """Return the keys of a form's messages, by field."""
    if isinstance(err, PlexError):
        return {"base": error_key(err)}
    return {} if err is None else err.errors


def sign_in_error(
    err: PlexError, key: Callable[[PlexError], str] = error_key
) -> FormError:
    """Return the error of a request with a token that was not typed."""
    if isinstance(err, TokenRejectedError):
        return FormError("sign_in_rejected")
    return FormError(key(err))


# Answers that Plex never gives when asked for its identity: there may be no proxy with
# the typed path.
_NOT_UNDER_PATH: Final = (
    NotFoundError,
    NotPermittedError,
    PageError,
    UnexpectedAnswerError,
)

type IsPublic = Callable[[URL], Awaitable[bool | None]]
type At = Callable[[URL], PlexServer]


class Meant(NamedTuple):
    """The target of an address: where to look, and for which server if known."""

    ranks: tuple[tuple[Route, ...], ...]
    machine_identifier: str | None = None


async def async_address(
    text: str, is_public: IsPublic, listed: Iterable[ListedServer] = ()
) -> Meant:
    """Return the target of a typed address, or of the name of a listed server.

    Text that can only be an address counts as one, even if a listed server has that
    name. A single word may be the name of a server that the account owns. `is_public`
    returns whether an address is on the internet, None if unknown.
    """
    is_word, urls = text.strip().isidentifier(), typed_addresses(text)
    named = [
        server
        for server in listed
        if server.is_named(text) and (not urls or (is_word and server.owned))
    ]
    if len(named) == 1:
        known = KnownServer.from_listed(named[0])
        if known.unused and not known.ranks:
            raise FormError("unprotected_only", CONF_URL)
        return Meant(known.ranks, named[0].machine_identifier)
    if not urls:
        raise FormError("invalid_url", CONF_URL)
    if await is_public(urls[0]) is False:
        urls = typed_addresses(text, is_public=False)
    return Meant(tuple((Route(url, ConnectionKind.CUSTOM),) for url in urls))


def token(text: str, field: str = "base") -> str:
    """Return the typed token after checking its format only."""
    typed = text.strip()
    if is_jwt(typed):
        raise FormError("jwt_token", field)
    if _TOKEN.fullmatch(typed) is None:
        raise FormError("invalid_token", field)
    return typed


def sources(texts: Iterable[str], listed: Collection[ListedServer]) -> list[str]:
    """Return the typed sources, also those typed as names, without duplicates."""
    return list(dict.fromkeys(_source(text, listed) for text in texts))


def _source(text: str, listed: Iterable[ListedServer]) -> str:
    """Return a source by its ID, or by the name of one listed server."""
    if is_source(text):
        return text
    named = [server for server in listed if server.is_named(text)]
    if len(named) != 1:
        raise FormError("invalid_source", CONF_SOURCES)
    return server_source(named[0].machine_identifier)


def advanced(
    typed: Mapping[str, str], used_identifiers: Collection[str | None]
) -> dict[str, str]:
    """Return the API address and client identifier, empty if not typed."""
    api_url = typed.get(CONF_API_URL, "").strip().rstrip("/")
    if api_url:
        url = parse_address(api_url)
        if url is None:
            raise FormError("invalid_url", CONF_API_URL)
        # Another name may lead to another host later.
        if (
            url.scheme == "http"
            and url.host != "localhost"
            and not is_private(url.host)
        ):
            raise FormError("api_url_not_protected", CONF_API_URL)
    client_identifier = typed.get(CONF_CLIENT_IDENTIFIER, "").strip()
    if not client_identifier.isascii() or not client_identifier.isprintable():
        raise FormError("invalid_client_identifier", CONF_CLIENT_IDENTIFIER)
    if client_identifier in used_identifiers:
        raise FormError("client_identifier_in_use", CONF_CLIENT_IDENTIFIER)
    return {CONF_API_URL: api_url, CONF_CLIENT_IDENTIFIER: client_identifier}


async def async_identity(meant: Meant, at: At) -> tuple[URL, Identity]:
    """Return the address and identity of a ready server; `at` returns its client.

    A redirect to https of the same host is followed, without any token.
    """

    async def probe(route: Route) -> tuple[URL, Identity]:
        url, identity = await _async_found(route.url, at, meant.machine_identifier)
        return url, require_started(identity)

    found = await race(meant.ranks, probe)
    if found.winner is not None:
        return found.winner[1]
    error = found.error
    if meant.machine_identifier is None:
        error = _error_of_typed(
            {route.url: found.failures[route] for (route,) in meant.ranks}
        )
    if isinstance(error, RedirectedError):
        raise FormError("redirected", CONF_URL)
    if isinstance(error, (NotFoundError, PageError, UnexpectedAnswerError)):
        raise FormError("not_a_plex_server", CONF_URL)
    raise FormError(error_key(error))


async def async_typed_server(
    typed: str, is_public: IsPublic, at: At, machine_identifier: str | None
) -> tuple[URL, Identity]:
    """Return the address that was typed for a server, and the server's identity."""
    url, identity = await async_identity(await async_address(typed, is_public), at)
    if identity.machine_identifier != machine_identifier:
        raise FormError("wrong_server", CONF_URL)
    return url, identity


async def _async_found(url: URL, at: At, expected: str | None) -> tuple[URL, Identity]:
    """Return the identity under the path of a URL, or else that of the bare server."""
    try:
        return await _async_followed(url, at, expected)
    except _NOT_UNDER_PATH:
        if url.path == "/":
            raise
    return await _async_followed(url.origin(), at, expected)


async def _async_followed(
    url: URL, at: At, expected: str | None
) -> tuple[URL, Identity]:
    """Return the identity at a URL, or where it redirects: https of the same host."""
    try:
        return url, await at(url).identity(expected)
    except RedirectedError as err:
        origin = err.origin
        if origin is None or origin.scheme != "https" or origin.host != url.host:
            raise
        url = url.with_scheme("https").with_port(origin.explicit_port)
    return url, await at(url).identity(expected)


def _error_of_typed(failures: Mapping[URL, PlexError]) -> PlexError:
    """Return the most helpful error: an answer before none, refused http last."""
    first = next(iter(failures))
    no_answers = []
    for url, failure in failures.items():
        if not isinstance(failure, CannotConnectError | SecureConnectionRequiredError):
            return failure
        # At a port that is only guessed, it may be that of another web server.
        is_guess = url.is_default_port() and not first.is_default_port()
        if isinstance(failure, CannotConnectError) and not is_guess:
            no_answers.append(failure)
    return most_helpful(no_answers or failures.values())


async def async_check_token(
    server: PlexServer, identity: Identity, typed: str
) -> str | None:
    """Return the server's name if it accepts a typed token; an unclaimed gets none."""
    try:
        require_claimed(identity)
        return await server.try_token(token(typed, CONF_TOKEN))
    except NotClaimedError as err:
        raise FormError("not_claimed", CONF_URL) from err
    except NotPermittedError as err:
        raise FormError("invalid_token", CONF_TOKEN) from err
    except PlexError as err:
        raise FormError(error_key(err)) from err


def shown(data: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return data that a form may show again: no token, not even in an address."""
    again = without(data, CONF_TOKEN)
    if CONF_URL in again:
        again[CONF_URL] = shown_address(again[CONF_URL])
    return again


def without(data: Mapping[str, Any] | None, *keys: str) -> dict[str, Any]:
    """Return data without some keys, such as secrets that a form must not show."""
    return {key: value for key, value in (data or {}).items() if key not in keys}
