"""What the leak audit looks for: secrets, where they were found, and where they may be.

What may be where is said by `may_be_there` alone.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
import json
import re
from typing import Final, override
from urllib.parse import quote, quote_plus

from tests.walks.names import Action, Step

_SHORTEST: Final = 8  # characters of a secret: less is found by chance


class Kind(StrEnum):
    """Name the kinds of secrets."""

    PASSWORD = "password"
    CODE = "verification code"
    TOTP_KEY = "key of the verification codes"
    ACCOUNT_TOKEN = "account token"
    SERVER_TOKEN = "server token"
    TRANSIENT_TOKEN = "transient token"
    SERVICE_SECRET = "token or secret of a service"
    LINK_CODE = "link code"
    CLAIM_TOKEN = "claim token"
    HOME_PIN = "hashed pin of Plex Home"
    TYPED_PIN = "PIN of a Home user"
    EMAIL = "e-mail address"


class Place(StrEnum):
    """Name the places where texts are found."""

    LOG = "log"
    EVENT = "event"
    STATE = "state"
    ATTRIBUTE = "attribute"
    REGISTRY = "registry"
    RECORDER = "recorder"
    DIAGNOSTICS = "diagnostics"
    SYSTEM_HEALTH = "system health"
    ISSUE = "issue"
    EXCEPTION = "exception"
    STORAGE = "storage"
    FILE = "file"
    FLOW = "flow"
    RESPONSE = "response"


class Form(StrEnum):
    """Name the encodings in which a secret is looked for."""

    RAW = "raw"
    URL = "url-encoded"
    JSON = "JSON-escaped"
    BASE64 = "base64"


@dataclass(frozen=True, slots=True)
class Secret:
    """Hold a secret; `owner` is the account's uuid or the server's identifier."""

    kind: Kind
    value: str
    owner: str = ""

    def __post_init__(self) -> None:
        """Refuse what is too short."""
        assert len(self.value) >= _SHORTEST, f"{self.kind} is too short"


@dataclass(frozen=True, slots=True)
class Text:
    """Hold a text and where it was found."""

    place: Place
    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Leak:
    """Say that a secret is in a text."""

    secret: Secret
    form: Form
    text: Text

    @override
    def __str__(self) -> str:
        """Say it with as much of the text as tells where to look."""
        text, needles = self.text.text, forms(self.secret.value)[self.form]
        at = min(text.index(needle) for needle in needles if needle in text)
        around = text[max(0, at - 120) : at + 120]
        return (
            f"{self.secret.kind} ({self.form}) in {self.text.place} "
            f"{self.text.where}: …{around}…"
        )


def forms(secret: str) -> dict[Form, set[str]]:
    """Return how a secret looks in each encoding.

    In base64 it looks different at each of three offsets, and what its first and last
    characters are depends on what stands around it. As the host of an address it has
    small letters.
    """
    data = secret.encode()
    encoded = set[str]()
    for offset, first in enumerate((0, 2, 3)):
        padded = b"\0" * offset + data
        whole = padded[: len(padded) - len(padded) % 3]
        for text in (base64.b64encode(whole), base64.urlsafe_b64encode(whole)):
            encoded.add(text.decode()[first:])
    return {
        Form.RAW: {secret},
        Form.URL: {
            *(quote(secret), quote(secret, safe=""), quote_plus(secret)),
            secret.lower(),
        },
        Form.JSON: {
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
            repr(secret)[1:-1],
        },
        Form.BASE64: encoded,
    }


def may_be_there(leak: Leak) -> bool:
    """Tell whether a secret may be in a text: the rules of SECURITY.md."""
    where, owner = leak.text.where, re.escape(leak.secret.owner)
    match leak.secret.kind, leak.text.place:
        case Kind.ACCOUNT_TOKEN, Place.STORAGE:
            # Of an account in its entry, of a Home user in the subentry.
            return _is(
                where,
                rf"core\.config_entries/([^/]+/subentries/)?{owner}/data/token",
            )
        case Kind.SERVER_TOKEN, Place.STORAGE:
            return _is(
                where,
                r"core\.config_entries/[^/]+/subentries/"
                rf"({owner}/data/(last_known/)?token"
                rf"|[^/]+/data/server_tokens/{owner})",
            )
        case Kind.TRANSIENT_TOKEN, Place.RESPONSE:
            return _is(
                where,
                rf"{Action.TRANSIENT_TOKEN}/(token|url)"
                rf"|{Action.SOURCE_CONNECTION}/access_token",
            )
        case Kind.EMAIL, Place.RESPONSE:
            return where == f"{Action.TOKEN_DETAILS}/account/email"
        case Kind.LINK_CODE, Place.FLOW:
            # The dialog shows the code, alone and in the address that fills it in.
            shown = r"description_placeholders/(code|url|qr)"
            return _is(where, rf"{Step.LINK}/{shown}")
        case Kind.EMAIL, Place.FLOW:
            # A form keeps what was typed as the user name.
            field = r"data_schema/\d+/description/suggested_value"
            return _is(where, rf"{Step.PASSWORD}/{field}")
    return False


def report(leaks: Iterable[Leak]) -> str:
    """Return leaks as lines, each place once."""
    lines = dict[tuple[Kind, Place, str], str]()
    for leak in leaks:
        lines.setdefault(
            (leak.secret.kind, leak.text.place, leak.text.where), str(leak)
        )
    return "\n".join(lines.values())


def _is(where: str, pattern: str) -> bool:
    return re.fullmatch(pattern, where) is not None


def plainness(form: Form) -> int:
    """Return the place of an encoding among all, the plainest first."""
    return list(Form).index(form)
