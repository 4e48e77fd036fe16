"""Errors of the client, one class for each way a caller reacts.

Messages are constants, so an error never contains an address, query, token, password,
email address or response body.
"""

from typing import ClassVar, Self, override

from yarl import URL


def cut_frames(error: BaseException) -> None:
    """Cut the traceback of an error and its causes: variables of frames hold tokens."""
    chain = [error]
    for one in chain:
        one.__traceback__ = None
        causes = (one.__cause__, one.__context__)
        chain += [cause for cause in causes if cause and cause not in chain]


class PlexError(Exception):
    """Raised when a request to Plex fails.

    `status` is the HTTP status, `code` the number in Plex's own error body, and
    `retry_after` the number of seconds Plex asked to wait. Each is None if missing.
    """

    message: ClassVar[str] = "Plex did not respond as expected"

    def __init__(
        self,
        *,
        status: int | None = None,
        code: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Initialize with the numbers of the response."""
        super().__init__(self.message)
        self.status = status
        self.code = code
        self.retry_after = retry_after

    def without_frames(self) -> Self:
        """Return the error, to keep it, without the frames of it and its causes."""
        cut_frames(self)
        return self

    def again(self) -> Self:
        """Return an equal error, to raise it, so that a kept one gets no frames."""
        error = type(self)()
        vars(error).update(vars(self))
        return error


class CannotConnectError(PlexError):
    """Raised when a connection fails or is lost."""

    message = "The connection failed"


class ConnectionClosedError(CannotConnectError):
    """Raised when the host closes the connection before responding."""

    message = "The connection was closed before a response arrived"


class NotReachedError(CannotConnectError):
    """Raised when no connection is made, so nothing was sent."""

    message = "The connection could not be established"


class DnsError(NotReachedError):
    """Raised when the host name has no address (plex-api.md §5.1)."""

    message = "The host name could not be resolved"


class CertificateError(NotReachedError):
    """Raised when a certificate is invalid for the host name (plex-api.md §5.1)."""

    message = "The certificate is not valid for this address"


class UnprotectedOnlyError(CannotConnectError):
    """Raised when plex.tv lists only addresses where a token would be unprotected."""

    message = "All listed addresses are unprotected"


class ConnectionTimeoutError(CannotConnectError):
    """Raised when the response does not arrive in time."""

    message = "The request timed out"


class SecureConnectionRequiredError(PlexError):
    """Raised when the server closes plain http connections (plex-api.md §5.1)."""

    message = "The server accepts only secure connections"


class UnavailableError(PlexError):
    """Raised when the service is down for now: 5xx, an HTML page, a proxy's page."""

    message = "The service is temporarily unavailable"


class PageError(UnavailableError):
    """Raised for a page in place of data, from a proxy or another web server."""

    message = "A web page was received instead of data"


class NotFoundError(UnavailableError):
    """Raised for a 404 or 410 from Plex itself or from a proxy in front of it."""

    message = "The address was not found"


class MaintenanceError(UnavailableError):
    """Raised when the server is in maintenance (plex-api.md §6.1)."""

    message = "The server is in maintenance"


class StartingUpError(UnavailableError):
    """Raised when the server is not ready yet (plex-api.md §6.1)."""

    message = "The server is starting up"


class RateLimitedError(PlexError):
    """Raised after too many requests: 429, code 1003 (plex-api.md §11)."""

    message = "Too many requests"


class TokenRejectedError(PlexError):
    """Raised when plex.tv itself rejects the token (plex-api.md §2)."""

    message = "The token was rejected by plex.tv"


class WrongCredentialsError(PlexError):
    """Raised for a wrong user name or password: code 1001 (plex-api.md §1.3)."""

    message = "The user name or password is wrong"


class VerificationCodeRequiredError(PlexError):
    """Raised when two-factor authentication is on: code 1029 (plex-api.md §1.3)."""

    message = "A verification code is required"


class VerificationCodeWrongError(PlexError):
    """Raised for a wrong or expired verification code: code 1028 (plex-api.md §1.3)."""

    message = "The verification code is wrong or expired"


class EmailRequiredError(PlexError):
    """Raised when sign-in requires the email address: code 1030 (plex-api.md §1.3)."""

    message = "Signing in to this account requires its email address"


class SignInBlockedError(PlexError):
    """Raised when this IP address may not sign in: code 1031 (plex-api.md §1.3)."""

    message = "Plex blocks sign-ins from this IP address"


class NotPermittedError(PlexError):
    """Raised for a 403, or a server's 401, which proves nothing about the account."""

    message = "The request is not permitted"


class NotClaimedError(NotPermittedError):
    """Raised when a server is not claimed, so it accepts no token (§6.1)."""

    message = "No account has claimed the server"


class NetworkNotTrustedError(NotPermittedError):
    """Raised when an unclaimed server distrusts our network (plex-api.md §17.1)."""

    message = "The server does not trust the network that the claim came from"


class ClaimedElsewhereError(PlexError):
    """Raised when the server belongs to another account (plex-api.md §17.3)."""

    message = "The server belongs to another account"


class StillListedError(PlexError):
    """Raised when plex.tv lists a server as owned that says it is unclaimed (§17.5)."""

    message = "plex.tv still lists the server as claimed"


class ClaimFailedError(PlexError):
    """Raised when a server could not complete its claim with plex.tv (§17.3)."""

    message = "The server could not complete the claim with plex.tv"


class NotListedYetError(PlexError):
    """Raised when plex.tv does not list a claimed server yet (plex-api.md §17.3)."""

    message = "plex.tv does not list the claimed server yet"


class NotOwnerError(NotPermittedError):
    """Raised when only the server's owner is allowed to ask this (plex-api.md §4)."""

    message = "Only the owner of the server may do this"


class ServerTooOldError(PlexError):
    """Raised when a server is too old to know sources (plex-api.md §4)."""

    message = "The server is too old for this request"


class BadRequestError(PlexError):
    """Raised when Plex does not understand a request (400), or it cannot be sent."""

    message = "The request was not understood"


class UnexpectedAnswerError(PlexError):
    """Raised for a response that Plex does not send, such as one of a wrong shape."""

    message = "The response was not understood"


class RedirectedError(UnexpectedAnswerError):
    """Raised for a redirect of a server, which is never followed with a token.

    `origin` is where it leads, without path and query, or None if that is no address.
    """

    message = "The address leads to another one"

    @override
    def __init__(self, *, status: int | None = None, origin: URL | None = None) -> None:
        """Initialize with the status and where the redirect leads."""
        super().__init__(status=status)
        self.origin = origin


class TooLargeError(UnexpectedAnswerError):
    """Raised when a response exceeds the size limit."""

    message = "The response is too large"


class TooManyDevicesError(TooLargeError):
    """Raised when the account has more devices than plex.tv's list may hold (§5, §16.1)."""

    message = "The account has too many devices"


class WrongServerError(PlexError):
    """Raised when another server answers at this address (plex-api.md §13.8).

    `machine_identifier` is that of the server that answers.
    """

    message = "Another server answers at this address"

    @override
    def __init__(self, machine_identifier: str | None = None) -> None:
        """Initialize with the server that answers."""
        super().__init__()
        self.machine_identifier = machine_identifier


class LinkExpiredError(PlexError):
    """Raised when the link code is no longer valid: code 1020 (plex-api.md §7.2)."""

    message = "The link code has expired"
