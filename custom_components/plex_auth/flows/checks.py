"""From what a person typed to a value, or to a FormError."""

from collections.abc import Collection, Mapping
import re
from typing import Any, Final

from yarl import URL

from homeassistant.const import CONF_TOKEN, CONF_URL

from ..api.addresses import parse_address
from ..api.errors import (
    NotClaimedError,
    NotFoundError,
    NotPermittedError,
    PageError,
    PlexError,
    StartingUpError,
    UnexpectedAnswerError,
)
from ..api.models import Identity
from ..api.plex_tv import PLEX_TV_API
from ..api.server import PlexServer, is_source
from ..const import CONF_ADVANCED, CONF_API_URL, CONF_CLIENT_IDENTIFIER, CONF_SOURCES
from ..messages import error_key

# What fits into a header as it is.
_TOKEN: Final = re.compile(r"[!-~]+")


class FormError(Exception):
    """Say what is wrong with what was typed."""

    def __init__(self, key: str, field: str = "base") -> None:
        """Take the key of the message, and the field that it is shown at."""
        super().__init__(key)
        self.errors = {field: key}


def form_errors(err: FormError | PlexError | None) -> dict[str, str]:
    """Return the keys of the messages that a form shows, by their field."""
    if isinstance(err, PlexError):
        return {"base": error_key(err)}
    return {} if err is None else err.errors


def address(text: str) -> URL:
    """Return the address that was typed."""
    url = parse_address(text.strip())
    if url is None:
        raise FormError("invalid_url", CONF_URL)
    return url


def token(text: str, field: str = "base") -> str:
    """Return the token that was typed, whose form is all that is checked."""
    typed = text.strip()
    if _TOKEN.fullmatch(typed) is None:
        raise FormError("invalid_token", field)
    return typed


def sources(texts: Collection[str]) -> list[str]:
    """Return the sources that were typed, each once."""
    if not all(map(is_source, texts)):
        raise FormError("invalid_source", CONF_SOURCES)
    return list(dict.fromkeys(texts))


def advanced(
    typed: Mapping[str, str],
    own_identifier: str,
    used_identifiers: Collection[str | None],
) -> dict[str, str]:
    """Return client identifier and address of plex.tv as the section names them.

    `own_identifier` is for a section that names none. The page shows no error inside a
    section: it is keyed by the section.
    """
    api_url = typed.get(CONF_API_URL, "").strip() or PLEX_TV_API
    if parse_address(api_url) is None:
        raise FormError("invalid_url", CONF_ADVANCED)
    client_identifier = typed.get(CONF_CLIENT_IDENTIFIER, "").strip()
    if not client_identifier.isascii() or not client_identifier.isprintable():
        raise FormError("invalid_client_identifier", CONF_ADVANCED)
    if client_identifier in used_identifiers:
        raise FormError("client_identifier_in_use", CONF_ADVANCED)
    return {
        CONF_CLIENT_IDENTIFIER: client_identifier or own_identifier,
        CONF_API_URL: api_url.rstrip("/"),
    }


def require_claimed(identity: Identity) -> None:
    """Raise FormError where a server belongs to no account: it takes no token then."""
    if identity.claimed is False:
        raise FormError("not_claimed", CONF_URL)


async def async_identity(server: PlexServer) -> Identity:
    """Return who answers at a typed address, if it is a server that is ready."""
    try:
        identity = await server.identity()
        if identity.start_state is not None:
            raise StartingUpError
    except (NotFoundError, PageError, UnexpectedAnswerError) as err:
        raise FormError("not_a_plex_server", CONF_URL) from err
    except PlexError as err:
        raise FormError(error_key(err)) from err
    return identity


async def async_check_token(server: PlexServer, typed: str) -> str | None:
    """Return the server's name if it takes a typed token."""
    try:
        return await server.try_token(token(typed, CONF_TOKEN))
    except NotClaimedError as err:
        raise FormError("not_claimed", CONF_URL) from err
    except NotPermittedError as err:
        raise FormError("invalid_token", CONF_TOKEN) from err
    except PlexError as err:
        raise FormError(error_key(err)) from err


def without_token(typed: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a form may show again."""
    return {key: value for key, value in (typed or {}).items() if key != CONF_TOKEN}
