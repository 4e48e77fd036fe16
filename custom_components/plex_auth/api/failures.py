"""What an answer that is no success means: its status and error body to an error class.

plex.tv puts a number into its error bodies, and that number decides, never a text alone
(plex-api.md §13.1). A server knows statuses and small HTML pages only (§0.1).
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from .bodies import Json, decode
from .errors import (
    BadRequestError,
    EmailRequiredError,
    LinkExpiredError,
    MaintenanceError,
    NotFoundError,
    NotPermittedError,
    PlexError,
    RateLimitedError,
    SecureConnectionRequiredError,
    SignInBlockedError,
    StartingUpError,
    TokenRejectedError,
    UnavailableError,
    UnexpectedAnswerError,
    VerificationCodeRequiredError,
    VerificationCodeWrongError,
    WrongCredentialsError,
)

_LONGEST_RETRY_AFTER = 24 * 60 * 60.0

_STATUS_ERRORS: dict[int, type[PlexError]] = {
    400: BadRequestError,
    403: NotPermittedError,
    404: NotFoundError,
    406: BadRequestError,
    410: NotFoundError,
    422: BadRequestError,
    429: RateLimitedError,
}

_PLEX_TV_CODE_ERRORS: dict[int, type[PlexError]] = {
    1000: BadRequestError,
    1001: TokenRejectedError,
    1003: RateLimitedError,
    1004: BadRequestError,
    1009: NotPermittedError,
    1031: SignInBlockedError,
}

_SIGN_IN_CODE_ERRORS: dict[int, type[PlexError]] = {
    1001: WrongCredentialsError,
    1028: VerificationCodeWrongError,
    1029: VerificationCodeRequiredError,
    1030: EmailRequiredError,
}


class Failure(NamedTuple):
    """An unsuccessful answer: status, header Retry-After, and body."""

    status: int
    retry_after: str | None
    body: bytes

    def error(self, kind: type[PlexError], code: int | None = None) -> PlexError:
        """Return an error of this class with the numbers of this answer."""
        return kind(
            status=self.status, code=code, retry_after=_seconds(self.retry_after)
        )


type FailureReader = Callable[[Failure], PlexError]


def plex_tv_error(failure: Failure) -> PlexError:
    """Return the error that an answer of plex.tv outside sign-in means.

    Only 401 with Plex's own error body, 422 with the text "Invalid token" and 498 say
    that the token is dead (plex-api.md §2, §13.4).
    """
    return _plex_tv_error(failure, _PLEX_TV_CODE_ERRORS, TokenRejectedError)


def sign_in_error(failure: Failure) -> PlexError:
    """Return the error that an answer to a sign-in means (plex-api.md §1.3)."""
    return _plex_tv_error(
        failure, _PLEX_TV_CODE_ERRORS | _SIGN_IN_CODE_ERRORS, WrongCredentialsError
    )


def link_error(failure: Failure) -> PlexError:
    """Return the error that an answer about a link code means (plex-api.md §7.2)."""
    return _plex_tv_error(
        failure, _PLEX_TV_CODE_ERRORS | {1020: LinkExpiredError}, TokenRejectedError
    )


def server_error(failure: Failure) -> PlexError:
    """Return the error that an answer of a server means (plex-api.md §0.1, §6.1).

    Maintenance and starting up are told in Plex's own words: a proxy has others.
    """
    page = failure.body.lower()
    kind: type[PlexError]
    match failure.status:
        case 401:
            kind = NotPermittedError
        case 400 | 503 if b"server is still starting up" in page:
            kind = StartingUpError
        case 400 if b"https port" in page:
            kind = SecureConnectionRequiredError
        case 503 if b'title="maintenance"' in page or b"maintenance tasks" in page:
            kind = MaintenanceError
        case status:
            kind = _status_error(status)
    return failure.error(kind)


def _plex_tv_error(
    failure: Failure,
    code_errors: dict[int, type[PlexError]],
    unauthorized: type[PlexError],
) -> PlexError:
    """Return the error by Plex's code, else by the status."""
    if failure.status == 498:
        return failure.error(TokenRejectedError)
    try:
        errors = list(_errors(decode(failure.body)))
    except PlexError:
        errors = []
    if not errors:
        if failure.status in (401, 403):
            # Not Plex's own answer: some proxy's or the guard of a network.
            return failure.error(UnavailableError)
        return failure.error(_status_error(failure.status))
    for code, _ in errors:
        kind = code_errors.get(code) if code is not None else None
        if kind is TokenRejectedError and failure.status != 401:
            continue
        if kind is not None and failure.status < 500:
            return failure.error(kind, code)
    code, text = errors[0]
    if failure.status == 401 or (failure.status == 422 and "Invalid token" in text):
        return failure.error(unauthorized, code)
    return failure.error(_status_error(failure.status), code)


def _status_error(status: int) -> type[PlexError]:
    """Return the error class that a status means by itself."""
    if status >= 500:
        return UnavailableError
    return _STATUS_ERRORS.get(status, UnexpectedAnswerError)


def _errors(data: Json) -> Iterator[tuple[int | None, str]]:
    """Yield code and text of each error in a body of plex.tv.

    An error has a number, but for the texts in the XML of the first API (§0.1): a body
    of another shape is some proxy's.
    """
    found = data.get("errors") if isinstance(data, dict) else None
    is_xml = isinstance(found, dict)
    if isinstance(found, dict):
        found = found.get("error")
    for error in found if isinstance(found, list) else ():
        if isinstance(error, dict):
            text = error.get("message")
            if (code := _code(error.get("code"))) is not None:
                yield code, text if isinstance(text, str) else ""
        elif is_xml and isinstance(error, str):
            yield None, error


def _code(value: Json) -> int | None:
    """Return an error code, which XML has as text."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds that Retry-After names, as a number or as an HTTP date."""
    if retry_after is None:
        return None
    if retry_after.isdecimal():
        # A number of any length; float() takes what int() would refuse as too long.
        return min(float(retry_after), _LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = (moment - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)
