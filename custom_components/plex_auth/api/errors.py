"""One error class for each reaction of a caller.

Messages are constant texts: no address, query, token, password, e-mail address or
body of an answer is ever part of an error.
"""

from typing import ClassVar, Self


class PlexError(Exception):
    """Report that Plex did not do what it was asked for.

    `status` is the HTTP status of the answer and `code` the number in Plex's own error
    body, each None where there was none. `retry_after` is the number of seconds that
    Plex asked to wait, None where it named no time.
    """

    message: ClassVar[str] = "Plex did not answer as expected"

    def __init__(
        self,
        *,
        status: int | None = None,
        code: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Keep the numbers of the answer; the text is the class's own."""
        super().__init__(self.message)
        self.status = status
        self.code = code
        self.retry_after = retry_after

    def without_frames(self) -> Self:
        """Return the error to keep or raise again: its frames would hold the request."""
        return self.with_traceback(None)


class CannotConnectError(PlexError):
    """Report that no connection came about or that it broke off."""

    message = "The connection failed"


class ConnectionClosedError(CannotConnectError):
    """Report that the host closed the connection before it answered."""

    message = "The connection was closed before the answer"


class NotReachedError(CannotConnectError):
    """Report that no connection came about, so that nothing was sent."""

    message = "No connection came about"


class DnsError(NotReachedError):
    """Report that the host's name has no address (plex-api.md §5.1)."""

    message = "The host name could not be resolved"


class CertificateError(NotReachedError):
    """Report that the certificate does not prove the host's name (plex-api.md §5.1)."""

    message = "The certificate is not valid for this address"


class ConnectionTimeoutError(CannotConnectError):
    """Report that the answer did not come in time."""

    message = "The answer did not come in time"


class SecureConnectionRequiredError(PlexError):
    """Report that the server closes plain http connections (plex-api.md §5.1)."""

    message = "The server accepts secure connections only"


class UnavailableError(PlexError):
    """Report that the service is away for a while: 5xx, an HTML page, a proxy's page."""

    message = "The service is temporarily unavailable"


class PageError(UnavailableError):
    """Report a page where data was to be: some proxy's, or another web server's."""

    message = "A page came instead of an answer"


class NotFoundError(UnavailableError):
    """Report a 404 or 410, by Plex itself or by a proxy before it."""

    message = "The address was not found"


class MaintenanceError(UnavailableError):
    """Report that the server is in maintenance (plex-api.md §6.1)."""

    message = "The server is in maintenance"


class StartingUpError(UnavailableError):
    """Report that the server is not ready yet (plex-api.md §6.1)."""

    message = "The server is starting up"


class RateLimitedError(PlexError):
    """Report too many requests: 429, code 1003 (plex-api.md §11)."""

    message = "Too many requests"


class TokenRejectedError(PlexError):
    """Report that plex.tv itself does not accept the token (plex-api.md §2)."""

    message = "The token was rejected by plex.tv"


class WrongCredentialsError(PlexError):
    """Report a wrong user name or password: code 1001 (plex-api.md §1.3)."""

    message = "The user name or password is wrong"


class VerificationCodeRequiredError(PlexError):
    """Report that two-factor authentication is on: code 1029 (plex-api.md §1.3)."""

    message = "A verification code is required"


class VerificationCodeWrongError(PlexError):
    """Report a wrong or expired verification code: code 1028 (plex-api.md §1.3)."""

    message = "The verification code is wrong or expired"


class EmailRequiredError(PlexError):
    """Report that the account signs in by e-mail only: code 1030 (plex-api.md §1.3)."""

    message = "The account can be signed in to with its e-mail address only"


class SignInBlockedError(PlexError):
    """Report that sign-ins of this IP address are blocked: code 1031 (plex-api.md §1.3)."""

    message = "Plex blocks sign-ins from this IP address"


class NotPermittedError(PlexError):
    """Report a 403, or a 401 of a server, which proves nothing about the account."""

    message = "The request is not permitted"


class NotClaimedError(NotPermittedError):
    """Report that a server belongs to no account, so no token is any good (§6.1)."""

    message = "No account has claimed the server"


class NetworkNotTrustedError(NotPermittedError):
    """Report that a server of nobody does not trust our network (plex-api.md §17.1)."""

    message = "The server does not trust the network that the claim came from"


class ClaimedElsewhereError(PlexError):
    """Report that somebody else has claimed the server (plex-api.md §17.3)."""

    message = "The server belongs to another account"


class ClaimFailedError(PlexError):
    """Report that a server could not finish its claim with plex.tv (§17.3)."""

    message = "The server could not finish the claim with plex.tv"


class NotListedYetError(PlexError):
    """Report that plex.tv does not list a claimed server in time (plex-api.md §17.3)."""

    message = "plex.tv does not list the claimed server yet"


class NotOwnerError(NotPermittedError):
    """Report that a server tells this to its owner only (plex-api.md §4)."""

    message = "The server permits this to its owner only"


class ServerTooOldError(PlexError):
    """Report that a server does not know sources yet (plex-api.md §4)."""

    message = "The server is too old for this request"


class BadRequestError(PlexError):
    """Report that Plex cannot work with the request: 400, or it could not be sent."""

    message = "The request was not understood"


class UnexpectedAnswerError(PlexError):
    """Report an answer that is none of Plex's: a redirect, a wrong shape."""

    message = "The answer was not understood"


class TooLargeError(UnexpectedAnswerError):
    """Report an answer that has more bytes than are read."""

    message = "The answer is too large"


class WrongServerError(PlexError):
    """Report that another server answers at this address (plex-api.md §13.8)."""

    message = "Another server answers at this address"


class LinkExpiredError(PlexError):
    """Report that the link code is no longer known: code 1020 (plex-api.md §7.2)."""

    message = "The link code has expired"
