"""Constants that more than one module uses."""

from enum import StrEnum
import logging
from typing import Final

DOMAIN: Final = "plex_auth"
LOGGER: Final = logging.getLogger(__package__)

ATTR_HOME_USER: Final = "home_user"
ATTR_SOURCE: Final = "source"

CONF_API_URL: Final = "api_url"
CONF_CLIENT_IDENTIFIER: Final = "client_identifier"
CONF_HOME_USER: Final = "home_user"
CONF_LAST_KNOWN: Final = "last_known"
CONF_SERVER: Final = "server"
CONF_SERVER_TOKENS: Final = "server_tokens"
CONF_SERVERS: Final = "servers"
CONF_SOURCES: Final = "sources"
CONF_TOKEN_ORIGIN: Final = "token_origin"
CONF_VERIFICATION_CODE: Final = "verification_code"

SUBENTRY_TYPE_HOME_USER: Final = "home_user"
SUBENTRY_TYPE_SERVER: Final = "server"


class TokenOrigin(StrEnum):
    """How an account token was obtained."""

    PASSWORD = "password"
    LINK = "link"
    TOKEN = "token"

    @property
    def is_ours(self) -> bool:
        """Return whether the token is from our own sign-in, which we may end."""
        return self is not TokenOrigin.TOKEN
