"""From an error of the client to the key of its message."""

from custom_components.plex_auth.api import errors
from custom_components.plex_auth.messages import error_key

KEYS = {
    "BadRequestError": "unknown",
    "CannotConnectError": "cannot_connect",
    "CertificateError": "certificate_error",
    "ClaimFailedError": "claim_failed",
    "ClaimedElsewhereError": "claimed_elsewhere",
    "ConnectionClosedError": "cannot_connect",
    "ConnectionTimeoutError": "timeout",
    "DnsError": "dns_error",
    "EmailRequiredError": "email_required",
    "LinkExpiredError": "link_expired",
    "MaintenanceError": "maintenance",
    "NetworkNotTrustedError": "network_not_trusted",
    "NotClaimedError": "not_claimed",
    "NotFoundError": "unavailable",
    "NotListedYetError": "not_listed_yet",
    "NotOwnerError": "not_owner",
    "NotPermittedError": "not_permitted",
    "NotReachedError": "cannot_connect",
    "PageError": "unavailable",
    "PinWrongError": "invalid_pin",
    "PlexError": "unknown",
    "RateLimitedError": "rate_limited",
    "RedirectedError": "unknown",
    "SecureConnectionRequiredError": "secure_connection_required",
    "ServerTooOldError": "server_too_old",
    "SignInBlockedError": "sign_in_blocked",
    "StartingUpError": "starting_up",
    "StillListedError": "unknown",
    "TokenRejectedError": "invalid_token",
    "TooLargeError": "unknown",
    "TooManyDevicesError": "too_many_devices",
    "UnavailableError": "unavailable",
    "UnprotectedOnlyError": "unprotected_only",
    "UnexpectedAnswerError": "unknown",
    "VerificationCodeRequiredError": "unknown",
    "VerificationCodeWrongError": "invalid_code",
    "WrongCredentialsError": "invalid_auth",
    "WrongServerError": "wrong_server",
}


def test_error_keys() -> None:
    """Each error of the client has the key of the design, and none is forgotten."""
    found = {
        name: error_key(kind())
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.PlexError)
    }
    assert found == KEYS


def test_error_of_somebody_else() -> None:
    """A kind of error that is new has the key of what it is a kind of."""

    class NewError(errors.MaintenanceError):
        """Report something new."""

    assert error_key(NewError()) == "maintenance"
