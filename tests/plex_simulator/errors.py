"""The error codes of plex.tv's second API."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlexErrorKind:
    """Pair the HTTP status and the message that plex.tv sends with an error code."""

    status: int
    message: str


# plex-api.md §0.1, "plex.tv v2 error code table"
PLEX_ERRORS = {
    1000: PlexErrorKind(400, "X-Plex-Client-Identifier is missing"),
    1001: PlexErrorKind(401, "User could not be authenticated"),
    1002: PlexErrorKind(404, "The requested resource or endpoint was not found"),
    1003: PlexErrorKind(429, "API rate limit exceeded"),
    1004: PlexErrorKind(400, "Malformed, missing or invalid parameter"),
    1005: PlexErrorKind(405, "Method not allowed"),
    1006: PlexErrorKind(406, "Not acceptable"),
    1007: PlexErrorKind(500, "Internal server error"),
    1008: PlexErrorKind(422, "The entity could not be processed"),
    1009: PlexErrorKind(403, "Managed users may not do this"),
    1012: PlexErrorKind(403, "A subscription is required"),
    1013: PlexErrorKind(503, "The server cannot handle the request"),
    1020: PlexErrorKind(404, "Code not found or expired"),
    1028: PlexErrorKind(401, "Invalid verification code"),
    1029: PlexErrorKind(401, "Please enter the verification code"),
    1030: PlexErrorKind(
        401, "This account only allows signing in with an email address"
    ),
    1031: PlexErrorKind(
        401,
        "User could not be authenticated. This IP appears to be having trouble "
        "signing in to an account (detected repeated failures)",
    ),
    1041: PlexErrorKind(403, "A valid PIN is required"),
    1042: PlexErrorKind(403, "A required role is missing"),
    1080: PlexErrorKind(403, "A valid server token is required"),
    1998: PlexErrorKind(422, "Validation failed"),
    1999: PlexErrorKind(400, "Bad request"),
}

# Real answers lack the status now and then (plex-api.md §0.1); here one code always
# does, so that clients meet it.
CODES_WITHOUT_STATUS = frozenset({1029})


class SimulatedError(Exception):
    """Stand for an answer that is an error; its host writes the body."""


class PlexTvError(SimulatedError):
    """Refuse a request at plex.tv with one of its codes."""

    def __init__(self, code: int) -> None:
        """Take the code; status and message follow from it."""
        super().__init__(code)
        self.code = code


class MediaServerError(SimulatedError):
    """Refuse a request at a media server with a status, and a text for the page."""

    def __init__(self, status: int, text: str = "", *, script: str = "") -> None:
        """Take the status, a text for the page's body and a script for its head."""
        super().__init__(status)
        self.status = status
        self.text = text
        self.script = script
