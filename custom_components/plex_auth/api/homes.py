"""The users of a Plex Home, and the token of a switch to one (plex-api.md §22).

A `HomeUser` holds no secret: Plex's list has email addresses, but neither PIN nor token.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Final, Self

from .bodies import Json
from .errors import UnexpectedAnswerError
from .fields import Fields, name_but_email, unwrap
from .models import model

_MAX_USERS: Final = 128  # a Home has 15 at most
_TOKEN_KEYS: Final = ("authToken", "authenticationToken")


@model
class HomeUser:
    """A user of a Plex Home (plex-api.md §22.1).

    `restricted` is a managed user, who has no account of their own, and `protected` is
    whether switching to the user takes a PIN. A `guest` cannot be switched to.
    """

    id: int
    uuid: str
    title: str
    admin: bool
    guest: bool
    restricted: bool
    protected: bool

    @classmethod
    def parse_users(cls, data: Json) -> tuple[Self, ...]:
        """Parse the list of users, JSON or XML; at most 128 of them.

        Skips users without `id` or `uuid`. Raises UnexpectedAnswerError if the data is
        not a Home, or if none of its users is left.
        """
        entries = list(filter(None, _entries(data)))
        users = filter(None, map(cls._parse, entries))
        found = tuple(islice(users, _MAX_USERS))
        if entries and not found:
            raise UnexpectedAnswerError
        return found

    @classmethod
    def _parse(cls, fields: Fields) -> Self | None:
        """Parse an entry of the list; return None without `id` or `uuid`."""
        user_id, uuid = fields.integer("id"), fields.identifier("uuid")
        if user_id is None or uuid is None:
            return None
        names = (fields.line("title"), fields.line("username"))
        return cls(
            id=user_id,
            uuid=uuid,
            title=name_but_email(names, fields.text("email")) or "Plex Home user",
            admin=fields.boolean("admin") or False,
            guest=fields.boolean("guest") or False,
            restricted=fields.boolean("restricted") or False,
            protected=fields.boolean("protected") or False,
        )


def parse_switch(data: Json, user: HomeUser) -> str:
    """Return the token in the response to a switch, JSON or XML.

    Raises UnexpectedAnswerError if it has none, or is about another user.
    """
    fields = unwrap(data, "user")
    token = next(filter(None, map(fields.token, _TOKEN_KEYS)), None)
    if token is None or fields.integer("id") != user.id:
        raise UnexpectedAnswerError
    return token


def _entries(data: Json) -> Iterable[Fields]:
    """Return the entries of a list; raise UnexpectedAnswerError for other data.

    A Home may lack the list (plex-api.md §22.1).
    """
    match data:
        case {"MediaContainer": dict() as container}:
            return Fields(container).children("User")
        case {"home": dict() as home}:
            return Fields(home).children("users", "user")
        case {"users": list() | None} | {"id": int()}:
            return Fields(data).children("users")
    raise UnexpectedAnswerError
