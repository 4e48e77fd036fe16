"""From what a person typed as an address to the server that answers there."""

from collections.abc import Callable, Iterable

from yarl import URL

from homeassistant.const import CONF_URL

from ..api.addresses import typed_addresses
from ..api.connections import ConnectionKind, Route, rank
from ..api.errors import (
    CannotConnectError,
    NotFoundError,
    PageError,
    SecureConnectionRequiredError,
    StartingUpError,
    UnexpectedAnswerError,
)
from ..api.models import Identity, ListedServer
from ..api.race import Race, race
from ..api.server import PlexServer
from ..messages import error_key
from .checks import FormError


async def async_find(
    typed: str, listed: Iterable[ListedServer], at: Callable[[URL], PlexServer]
) -> tuple[URL, Identity]:
    """Return the address that answers, and who does, if it is a server that is ready.

    The name of a listed server stands for its addresses. `at` returns the calls to an
    address. Raises FormError.
    """
    server = _named(typed, listed)
    if server is None:
        ranks = _typed_ranks(typed)
        expected = None
    else:
        ranks = rank(server.connections, https_required=server.https_required)
        expected = server.machine_identifier

    async def identify(route: Route) -> Identity:
        identity = await at(route.url).identity(expected)
        if identity.start_state is not None:
            raise StartingUpError
        return identity

    found = await race(ranks, identify)
    if found.winner is None:
        raise FormError(error_key(found.error)) if server else _error(found)
    route, identity = found.winner
    return route.url, identity


def _named(typed: str, listed: Iterable[ListedServer]) -> ListedServer | None:
    """Return the one server that a name means, None where it is none or several."""
    name = typed.strip().casefold()
    found = [
        server
        for server in listed
        if name in (server.name.casefold(), server.label.casefold())
    ]
    return found[0] if len(found) == 1 else None


def _typed_ranks(typed: str) -> tuple[tuple[Route, ...], ...]:
    """Return the addresses that were meant, each to be tried after those before."""
    addresses = typed_addresses(typed)
    if not addresses:
        raise FormError("invalid_url", CONF_URL)
    return tuple((Route(url, ConnectionKind.CUSTOM),) for url in addresses)


def _error(found: Race[Identity]) -> FormError:
    """Return why nobody answers as a server does at what was typed.

    An answer tells more than none; that http is refused tells nothing beside https.
    """
    failures = {
        route: failure
        for route, failure in found.failures.items()
        if len(found.failures) == 1
        or not isinstance(failure, SecureConnectionRequiredError)
    }
    error = next(
        (one for one in failures.values() if not isinstance(one, CannotConnectError)),
        Race(None, failures).error,
    )
    if isinstance(error, (NotFoundError, PageError, UnexpectedAnswerError)):
        return FormError("not_a_plex_server", CONF_URL)
    return FormError(error_key(error))
