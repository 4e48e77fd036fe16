"""Turn an unsuccessful response into an error.

The number in plex.tv's error bodies decides, never a text alone (plex-api.md §13.1).
Servers send only statuses and small HTML pages (§0.1).
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from yarl import URL

from .bodies import Json, decode
from .errors import (
    BadRequestError,
    EmailRequiredError,
    LinkExpiredError,
    MaintenanceError,
    NotFoundError,
    NotPermittedError,
    PinWrongError,
    PlexError,
    RateLimitedError,
    RedirectedError,
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
from .fields import unwrap

_MAX_RETRY_AFTER = 24 * 60 * 60.0

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
    """An unsuccessful response: its status, Retry-After header and body.

    `origin` is where a redirect leads, `date` the Date header.
    """

    status: int
    retry_after: str | None
    body: bytes
    origin: URL | None = None
    date: str | None = None

    def error(self, kind: type[PlexError], code: int | None = None) -> PlexError:
        """Return an error of a class with the numbers of this response."""
        return kind(
            status=self.status,
            code=code,
            retry_after=_seconds(self.retry_after, self.date),
        )


type FailureReader = Callable[[Failure], PlexError]


def plex_tv_error(failure: Failure) -> PlexError:
    """Return the error for a response from plex.tv, except to a sign-in.

    Only a 401 with Plex's own error body, a 422 with the text "Invalid token" and a 498
    mean that the token is no longer valid (plex-api.md §2, §13.4).
    """
    return _plex_tv_error(failure, _PLEX_TV_CODE_ERRORS, TokenRejectedError)


def sign_in_error(failure: Failure) -> PlexError:
    """Return the error for a response to a sign-in (plex-api.md §1.3)."""
    return _plex_tv_error(
        failure, _PLEX_TV_CODE_ERRORS | _SIGN_IN_CODE_ERRORS, WrongCredentialsError
    )


def link_error(failure: Failure) -> PlexError:
    """Return the error for a response about a link code (plex-api.md §7.2)."""
    return _plex_tv_error(
        failure, _PLEX_TV_CODE_ERRORS | {1020: LinkExpiredError}, TokenRejectedError
    )


def switch_error(failure: Failure) -> PlexError:
    """Return the error for a response to a switch of the Home user (plex-api.md §22.3).

    The first API has no codes: it says "Invalid PIN" in a form of its own.
    """
    if failure.status < 500 and _is_invalid_pin(failure.body):
        return failure.error(PinWrongError)
    return _plex_tv_error(
        failure, _PLEX_TV_CODE_ERRORS | {1041: PinWrongError}, TokenRejectedError
    )


def server_error(failure: Failure) -> PlexError:
    """Return the error for a response from a server (plex-api.md §0.1, §6.1).

    Plex's own wording tells maintenance and startup from a proxy's errors.
    """
    page = failure.body.lower()
    kind: type[PlexError]
    match failure.status:
        case 301 | 302 | 303 | 307 | 308:
            return RedirectedError(status=failure.status, origin=failure.origin)
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
    """Return the error for Plex's code, or else for the status."""
    if failure.status == 498:
        return failure.error(TokenRejectedError)
    try:
        errors = list(_errors(decode(failure.body)))
    except PlexError:
        errors = []
    if not errors:
        if failure.status in (401, 403):
            # Not from Plex, but from a proxy or a network filter.
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
    """Return the error class for a status alone."""
    if status >= 500:
        return UnavailableError
    return _STATUS_ERRORS.get(status, UnexpectedAnswerError)


def _errors(data: Json) -> Iterator[tuple[int | None, str]]:
    """Yield the code and text of each error in a body from plex.tv.

    Only XML errors of the first API may lack a code (§0.1). Others without a code come
    from a proxy and are skipped.
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


def _is_invalid_pin(body: bytes) -> bool:
    """Return whether a body is the first API's refusal of a PIN."""
    try:
        fields = unwrap(decode(body), "Response")
    except PlexError:
        return False
    return fields.integer("code") == 401 and fields.text("status") == "Invalid PIN"


def _code(value: Json) -> int | None:
    """Return an error code, which is text in XML."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _seconds(retry_after: str | None, date: str | None) -> float | None:
    """Return the seconds to wait, from a Retry-After number or HTTP date.

    An HTTP date counts from the `date` of the response: the own clock may be wrong.
    """
    if retry_after is None:
        return None
    if retry_after.isdecimal():
        # Of any length: unlike int(), float() has no limit of digits.
        return min(float(retry_after), _MAX_RETRY_AFTER)
    if (end := _moment(retry_after)) is None:
        return None
    seconds = (end - (_moment(date) or datetime.now(UTC))).total_seconds()
    return min(max(seconds, 0.0), _MAX_RETRY_AFTER)


def _moment(date: str | None) -> datetime | None:
    """Return the moment of an HTTP date, None if it is none."""
    try:
        moment = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
