"""Which error key can meet which step: what the troubles have to bring about."""

from collections.abc import Mapping
from typing import Final

from .names import Step

type Table = Mapping[str, frozenset[str]]

# What any request to plex.tv can meet.
_PLEX_TV: Final = frozenset(
    {
        "cannot_connect",
        "dns_error",
        "certificate_error",
        "timeout",
        "unavailable",
        "rate_limited",
        "not_permitted",
        "sign_in_blocked",
        "unknown",
    }
)
# What the section `advanced` can meet.
_ADVANCED: Final = frozenset(
    {"invalid_url", "client_identifier_in_use", "invalid_client_identifier"}
)
# What an address that somebody typed can meet.
_ADDRESS: Final = (_PLEX_TV - {"sign_in_blocked"}) | {
    "invalid_url",
    "maintenance",
    "starting_up",
    "secure_connection_required",
    "not_a_plex_server",
    "invalid_token",
    "not_claimed",
}

CONFIG_TABLE: Final[Table] = {
    Step.PASSWORD: _PLEX_TV | _ADVANCED | {"invalid_auth", "email_required"},
    Step.CODE: _PLEX_TV | {"invalid_code"},
    Step.LINK: _PLEX_TV | _ADVANCED | {"link_expired", "invalid_token"},
    Step.TOKEN: _PLEX_TV | _ADVANCED | {"invalid_token"},
    Step.SERVERS: _PLEX_TV | {"invalid_token"},
}
SUBENTRY_TABLE: Final[Table] = {
    Step.LISTED: _PLEX_TV | {"invalid_token"},
    Step.ADDRESS: _ADDRESS | {"sign_in_blocked", "token_required"},
    Step.RECONFIGURE: _ADDRESS
    | {
        "wrong_server",
        "url_required",
        "invalid_source",
        "not_owner",
        "server_too_old",
    },
}

# The error keys of the flows, as the design lists them.
ERROR_KEYS: Final = frozenset(
    [
        "cannot_connect",
        "dns_error",
        "certificate_error",
        "timeout",
        "unavailable",
        "maintenance",
        "starting_up",
        "rate_limited",
        "invalid_auth",
        "invalid_code",
        "email_required",
        "sign_in_blocked",
        "link_expired",
        "invalid_token",
        "not_permitted",
        "invalid_url",
        "client_identifier_in_use",
        "invalid_client_identifier",
        "not_a_plex_server",
        "not_claimed",
        "wrong_server",
        "secure_connection_required",
        "token_required",
        "url_required",
        "invalid_source",
        "not_owner",
        "server_too_old",
        "unknown",
    ]
)
