"""Status and error body decide on the error class, and only three answers end a token."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
import json

import pytest

from custom_components.plex_auth.api import errors
from custom_components.plex_auth.api.failures import (
    Failure,
    link_error,
    plex_tv_error,
    server_error,
    sign_in_error,
    switch_error,
)

from .population import short

INVALID_PIN = b'<?xml version="1.0"?><Response code="401" status="Invalid PIN"/>'
DAY = 24 * 60 * 60.0
V1_INVALID_TOKEN = (
    b'<?xml version="1.0"?>\n<errors>\n  <error>Invalid token</error>\n</errors>'
)


def json_body(code: object, message: object = "text", **more: object) -> bytes:
    """Return an error body of plex.tv in JSON."""
    return json.dumps({"errors": [{"code": code, "message": message} | more]}).encode()


def xml_body(code: int, message: str = "text") -> bytes:
    """Return the same in XML."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<errors>\n'
        f'  <error code="{code}" message="{message}" status="401"/>\n</errors>'
    ).encode()


def failure(status: int, body: bytes = b"", retry_after: str | None = None) -> Failure:
    """Return an answer that is no success."""
    return Failure(status, retry_after, body)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, INVALID_PIN, errors.PinWrongError),
        (400, INVALID_PIN, errors.PinWrongError),
        (
            401,
            b'{"Response": {"code": 401, "status": "Invalid PIN"}}',
            errors.PinWrongError,
        ),
        (401, b'{"code": 401, "status": "Invalid PIN"}', errors.PinWrongError),
        (502, INVALID_PIN, errors.UnavailableError),
        (401, INVALID_PIN.replace(b"PIN", b"token"), errors.UnavailableError),
        (401, INVALID_PIN.replace(b"401", b"500"), errors.UnavailableError),
        (401, b"", errors.UnavailableError),
        (401, b"[]", errors.UnavailableError),
        (401, b"<html>Invalid PIN", errors.UnavailableError),
    ],
)
def test_pin_at_the_first_api(
    status: int, body: bytes, kind: type[errors.PlexError]
) -> None:
    """The first API refuses a PIN in a form of its own, which other calls do not know."""
    assert type(switch_error(failure(status, body))) is kind
    assert type(plex_tv_error(failure(401, body))) is errors.UnavailableError


def test_text_never_decides_between_the_codes() -> None:
    """A wrong code is not taken for a missing one because the texts are alike."""
    body = json_body(1028, "Please enter the verification code")
    assert type(sign_in_error(failure(401, body))) is errors.VerificationCodeWrongError


@pytest.mark.parametrize(
    ("read", "status", "code", "kind"),
    [
        (sign_in_error, 400, 1000, errors.BadRequestError),
        (sign_in_error, 400, 1004, errors.BadRequestError),
        (sign_in_error, 401, 1001, errors.WrongCredentialsError),
        (sign_in_error, 401, 1028, errors.VerificationCodeWrongError),
        (sign_in_error, 401, 1029, errors.VerificationCodeRequiredError),
        (sign_in_error, 401, 1030, errors.EmailRequiredError),
        (sign_in_error, 401, 1031, errors.SignInBlockedError),
        (sign_in_error, 422, 1008, errors.BadRequestError),
        (sign_in_error, 429, 1003, errors.RateLimitedError),
        (sign_in_error, 401, 1003, errors.RateLimitedError),
        (sign_in_error, 500, 1007, errors.UnavailableError),
        (sign_in_error, 503, 1013, errors.UnavailableError),
        (sign_in_error, 502, 1001, errors.UnavailableError),
        (plex_tv_error, 401, 1001, errors.TokenRejectedError),
        (plex_tv_error, 401, 1042, errors.TokenRejectedError),
        (plex_tv_error, 401, 1031, errors.SignInBlockedError),
        (plex_tv_error, 401, 1003, errors.RateLimitedError),
        (plex_tv_error, 400, 1001, errors.BadRequestError),
        (plex_tv_error, 403, 1001, errors.NotPermittedError),
        (plex_tv_error, 404, 1001, errors.NotFoundError),
        (plex_tv_error, 422, 1001, errors.BadRequestError),
        (plex_tv_error, 429, 1001, errors.RateLimitedError),
        (plex_tv_error, 302, 1001, errors.UnexpectedAnswerError),
        (plex_tv_error, 500, 1001, errors.UnavailableError),
        (plex_tv_error, 403, 1009, errors.NotPermittedError),
        (plex_tv_error, 403, 1013, errors.NotPermittedError),
        (plex_tv_error, 404, 1002, errors.NotFoundError),
        (plex_tv_error, 404, 1020, errors.NotFoundError),
        (plex_tv_error, 410, 1002, errors.NotFoundError),
        (plex_tv_error, 405, 1005, errors.UnexpectedAnswerError),
        (plex_tv_error, 406, 1006, errors.BadRequestError),
        (plex_tv_error, 403, 1041, errors.NotPermittedError),
        (switch_error, 403, 1041, errors.PinWrongError),
        (switch_error, 401, 1041, errors.PinWrongError),
        (switch_error, 502, 1041, errors.UnavailableError),
        (switch_error, 403, 1040, errors.NotPermittedError),
        (switch_error, 403, 1009, errors.NotPermittedError),
        (switch_error, 401, 1001, errors.TokenRejectedError),
        (switch_error, 429, 1003, errors.RateLimitedError),
    ],
    ids=short,
)
def test_code_and_status_decide(
    read: Callable[[Failure], errors.PlexError],
    status: int,
    code: int,
    kind: type[errors.PlexError],
) -> None:
    """Each code of a sign-in has its own error; a dead token is one with 401 only."""
    for body in (json_body(code), xml_body(code)):
        error = read(failure(status, body))
        assert type(error) is kind
        assert (error.status, error.code) == (status, code)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (422, V1_INVALID_TOKEN, errors.TokenRejectedError),
        (422, json_body(1008, "Invalid token"), errors.TokenRejectedError),
        (401, V1_INVALID_TOKEN, errors.TokenRejectedError),
        (498, b"", errors.TokenRejectedError),
        (498, b"<html>", errors.TokenRejectedError),
        (400, V1_INVALID_TOKEN, errors.BadRequestError),
        (403, V1_INVALID_TOKEN, errors.NotPermittedError),
        (422, b"Invalid token", errors.BadRequestError),
    ],
    ids=short,
)
def test_other_ways_to_reject_a_token(
    status: int, body: bytes, kind: type[errors.PlexError]
) -> None:
    """The old API says it with 422 and a text, tokens of the new kind with 498."""
    assert type(plex_tv_error(failure(status, body))) is kind


@pytest.mark.parametrize("body", [json_body, xml_body], ids=["json", "xml"])
def test_link_code_that_is_not_known_has_expired(body: Callable[[int], bytes]) -> None:
    """The code for it counts in answers about link codes only."""
    assert type(link_error(failure(404, body(1020)))) is errors.LinkExpiredError
    assert type(link_error(failure(404, body(1002)))) is errors.NotFoundError
    assert type(link_error(failure(429, body(1003)))) is errors.RateLimitedError
    assert type(sign_in_error(failure(404, body(1020)))) is errors.NotFoundError


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Sign in to this network</html>",
        b"Unauthorized",
        b"{}",
        b"[]",
        b"null",
        b'{"errors": []}',
        b'{"errors": null}',
        b'{"errors": "Unauthorized"}',
        b'{"errors": ["Unauthorized"]}',
        b'{"errors": [{"message": "Invalid token"}]}',
        b'{"errors": {"error": null}}',
        b'{"error": {"code": 1001}}',
        b"<errors/>",
        b"<error code='1001'/>",
        json_body("invalid_token"),
        json_body(None),
        json_body(True),
        json_body(1001.0),
        json_body([1001]),
        json_body("1" * 12),
    ],
    ids=short,
)
def test_refusal_of_somebody_else_says_nothing(body: bytes) -> None:
    """A 401 or 403 without Plex's own error is a proxy's: the service is away."""
    for read in (plex_tv_error, sign_in_error, link_error):
        for status in (401, 403):
            assert type(read(failure(status, body))) is errors.UnavailableError


def test_error_without_status_and_with_several_items() -> None:
    """A body may lack the status, and the first code that is known counts."""
    body = json.dumps(
        {"errors": [7, {"code": 4711}, {"code": 1029}, {"code": 1001}]}
    ).encode()
    assert (
        type(sign_in_error(failure(401, body))) is errors.VerificationCodeRequiredError
    )


@pytest.mark.parametrize("depth", [900, 5_000, 20_000, 100_000])
def test_nested_message_is_no_text(depth: int) -> None:
    """However deep a message is nested, it does not break the reading of an error."""
    nested = b"[" * depth + b"]" * depth
    body = b'{"errors": [{"code": 1001, "message": ' + nested + b"}]}"
    assert isinstance(plex_tv_error(failure(401, body)), errors.PlexError)
    assert isinstance(sign_in_error(failure(422, body)), errors.PlexError)


@pytest.mark.parametrize(
    ("status", "page", "kind"),
    [
        (400, b"", errors.BadRequestError),
        (
            400,
            b"<h1>Plex Media Server is still Starting Up.</h1>",
            errors.StartingUpError,
        ),
        (
            400,
            b"The plain HTTP request was sent to HTTPS port",
            errors.SecureConnectionRequiredError,
        ),
        (401, b"<h1>401 Unauthorized</h1>", errors.NotPermittedError),
        (401, json_body(1001), errors.NotPermittedError),
        (403, b"", errors.NotPermittedError),
        (404, b"", errors.NotFoundError),
        (410, b"", errors.NotFoundError),
        (422, V1_INVALID_TOKEN, errors.BadRequestError),
        (429, b"", errors.RateLimitedError),
        (498, b"", errors.UnexpectedAnswerError),
        (301, b"", errors.RedirectedError),
        (302, b"", errors.RedirectedError),
        (303, b"", errors.RedirectedError),
        (304, b"", errors.UnexpectedAnswerError),
        (307, b"", errors.RedirectedError),
        (308, b"", errors.RedirectedError),
        (500, b"", errors.UnavailableError),
        (503, b"", errors.UnavailableError),
        (503, b'<Response title="Maintenance"/>', errors.MaintenanceError),
        (503, b"Plex Media Server is still starting up.", errors.StartingUpError),
        (520, b"", errors.UnavailableError),
    ],
    ids=short,
)
def test_server_is_decided_by_status_and_page(
    status: int, page: bytes, kind: type[errors.PlexError]
) -> None:
    """A server has no codes, and nothing it says is proof about the account."""
    assert type(server_error(failure(status, page))) is kind


def test_a_bare_status_rejects_no_token_but_498() -> None:
    """No status by itself starts a reauthentication, but the one made for it."""
    rejecting = {
        read: [
            status
            for status in range(300, 600)
            if isinstance(read(failure(status)), errors.TokenRejectedError)
        ]
        for read in (plex_tv_error, server_error)
    }
    assert rejecting == {plex_tv_error: [498], server_error: []}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        ("86401", DAY),
        ("9" * 5000, DAY),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", 3.0),
        ("\udcff", None),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 0.0),
        ("Mon, 01 Jan 2001 00:00:00", 0.0),
        ("Fri, 01 Jan 9999 00:00:00 GMT", DAY),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2001 00:00:00 +99999999999", None),
        ("Mon, 99 Foo 2001 00:00:00 GMT", None),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", DAY),
    ],
    ids=short,
)
def test_time_to_wait(header: str | None, seconds: float | None) -> None:
    """Retry-After is seconds or a date, a day at most, and nothing where it is neither."""
    error = plex_tv_error(failure(429, json_body(1003), header))
    assert error.retry_after == seconds


def test_time_to_wait_as_a_date() -> None:
    """A date to come is the seconds until then."""
    moment = datetime.now(UTC) + timedelta(seconds=90)
    header = format_datetime(moment, usegmt=True)
    seconds = server_error(failure(503, b"", header)).retry_after
    assert seconds is not None
    assert 85 <= seconds <= 90


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Mon, 01 Jan 2001 00:00:00 GMT", 90.0),
        ("Mon, 01 Jan 2001 00:00:00", 90.0),
        ("Mon, 01 Jan 2001 01:00:00 GMT", 0.0),
        ("nonsense", 0.0),
        (None, 0.0),
    ],
)
def test_time_to_wait_by_the_date_of_the_answer(
    date: str | None, seconds: float
) -> None:
    """A date counts from that of the answer: it is by the same clock."""
    answer = failure(429, json_body(1003), "Mon, 01 Jan 2001 00:01:30 GMT")
    assert plex_tv_error(answer._replace(date=date)).retry_after == seconds


def test_errors_have_constant_texts() -> None:
    """No text of an answer gets into an error."""
    error = sign_in_error(failure(401, json_body(1001, "marker-message"), "120"))
    assert str(error) == "The user name or password is wrong"
    assert "marker" not in repr(error) + repr(vars(error))
