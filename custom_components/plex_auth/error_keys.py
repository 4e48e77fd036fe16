"""From an error of the client to the key of its message."""

from typing import Final

from .api.errors import (
    CannotConnectError,
    CertificateError,
    ConnectionTimeoutError,
    DnsError,
    EmailRequiredError,
    LinkExpiredError,
    MaintenanceError,
    NotClaimedError,
    NotOwnerError,
    NotPermittedError,
    PlexError,
    RateLimitedError,
    SecureConnectionRequiredError,
    ServerTooOldError,
    SignInBlockedError,
    StartingUpError,
    TokenRejectedError,
    UnavailableError,
    VerificationCodeWrongError,
    WrongCredentialsError,
    WrongServerError,
)

_ERROR_KEYS: Final[dict[type[BaseException], str]] = {
    CannotConnectError: "cannot_connect",
    CertificateError: "certificate_error",
    ConnectionTimeoutError: "timeout",
    DnsError: "dns_error",
    EmailRequiredError: "email_required",
    LinkExpiredError: "link_expired",
    MaintenanceError: "maintenance",
    NotClaimedError: "not_claimed",
    NotOwnerError: "not_owner",
    NotPermittedError: "not_permitted",
    PlexError: "unknown",
    RateLimitedError: "rate_limited",
    SecureConnectionRequiredError: "secure_connection_required",
    ServerTooOldError: "server_too_old",
    SignInBlockedError: "sign_in_blocked",
    StartingUpError: "starting_up",
    TokenRejectedError: "invalid_token",
    UnavailableError: "unavailable",
    VerificationCodeWrongError: "invalid_code",
    WrongCredentialsError: "invalid_auth",
    WrongServerError: "wrong_server",
}


def error_key(err: PlexError) -> str:
    """Return the key under which flows and exceptions have their message."""
    return next(_ERROR_KEYS[kind] for kind in type(err).__mro__ if kind in _ERROR_KEYS)
