"""The users of a Plex Home, and the token in the answer to a switch."""

from dataclasses import replace
from typing import Any

import pytest

from custom_components.plex_auth.api import errors
from custom_components.plex_auth.api.bodies import Json, decode
from custom_components.plex_auth.api.homes import HomeUser, parse_switch

from .population import short

ENTRY: dict[str, Any] = {
    "id": 21,
    "uuid": "0123456789abcdef",
    "title": "Lina",
    "username": None,
    "email": None,
    "thumb": "https://plex.tv/users/0123456789abcdef/avatar",
    "hasPassword": False,
    "restricted": True,
    "restrictionProfile": "little_kid",
    "admin": False,
    "guest": False,
    "protected": True,
    "pin": "hash-of-the-pin",
    "authToken": "token-of-the-user",
}
CHILD = HomeUser(
    id=21,
    uuid="0123456789abcdef",
    title="Lina",
    admin=False,
    guest=False,
    restricted=True,
    protected=True,
)
HOME_JSON: dict[str, Any] = {
    "id": 3,
    "name": "Anna's Home",
    "guestUserID": None,
    "guestEnabled": False,
    "subscription": True,
    "users": [ENTRY],
}
_ATTRIBUTES = (
    'id="21" uuid="0123456789abcdef" title="Lina" username="" email="" restricted="1" '
    'admin="0" guest="0" protected="1" hasPassword="0"'
)
HOME_XML = (
    '<?xml version="1.0"?><home id="3" name="x" guestEnabled="0">'
    f"<users><user {_ATTRIBUTES}/></users></home>"
)
OLD_HOME_XML = (
    '<MediaContainer friendlyName="myPlex" totalSize="1" size="1" guestUserID="">'
    f"<User {_ATTRIBUTES}/></MediaContainer>"
)
SWITCH_JSON: dict[str, Any] = ENTRY | {"authToken": "switched"}
SWITCH_XML = f'<user {_ATTRIBUTES} authToken="switched"/>'
OLD_SWITCH_XML = f'<user {_ATTRIBUTES} authenticationToken="switched"/>'


def only(**fields: Json) -> HomeUser:
    """Return the only user of a Home, with other fields."""
    (user,) = HomeUser.parse_users({"users": [ENTRY | fields]})
    return user


def test_no_user_can_be_read() -> None:
    """A list of which nothing can be read is no Home that nobody is in."""
    unread = {key: value for key, value in ENTRY.items() if key != "uuid"}
    with pytest.raises(errors.UnexpectedAnswerError):
        HomeUser.parse_users({"users": [unread]})


@pytest.mark.parametrize(
    "data",
    [
        HOME_JSON,
        {"home": HOME_JSON},
        {"users": [ENTRY]},
        decode(HOME_XML.encode()),
        decode(OLD_HOME_XML.encode()),
    ],
    ids=["JSON", "JSON under its root", "list alone", "XML", "XML of the first API"],
)
def test_users(data: Json) -> None:
    """A user is read from each form of a list, without a secret."""
    (user,) = HomeUser.parse_users(data)
    assert user == CHILD
    for secret in ("hash-of-the-pin", "token-of-the-user"):
        assert secret not in repr(user)


@pytest.mark.parametrize(
    "data",
    [
        {"users": []},
        {"users": None},
        {"id": 3, "name": "x"},
        {"id": 3, "users": {}},
        {"MediaContainer": {"size": "0"}},
        decode(b"<home><users/></home>"),
        decode(b"<home id='3'/>"),
    ],
    ids=short,
)
def test_home_without_users(data: Json) -> None:
    """A list that is short has nobody."""
    assert HomeUser.parse_users(data) == ()


@pytest.mark.parametrize(
    "data",
    [
        *(None, 7, "text", [], [ENTRY], {}),
        {"unexpected": 1},
        {"users": 5},
        {"id": "3"},
        {"home": []},
        {"MediaContainer": 5},
        {"errors": []},
    ],
    ids=short,
)
def test_no_list(data: Json) -> None:
    """What is no Home is not understood."""
    with pytest.raises(errors.UnexpectedAnswerError):
        HomeUser.parse_users(data)


def test_fields() -> None:
    """What is missing is false, and who has neither number nor UUID is left out."""
    bare: dict[str, Json] = {"id": 1, "uuid": "a"}
    (user,) = HomeUser.parse_users(
        {"users": [bare, {"id": 1}, {"uuid": "a"}, {"id": 1, "uuid": "a b"}, None]}
    )
    assert (user.admin, user.guest, user.restricted, user.protected) == (False,) * 4
    assert only(admin=1, guest="true").admin is True
    assert only(protected="0").protected is False


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({"title": "Lina\nM. "}, "Lina M."),
        ({"title": "", "username": "lina"}, "lina"),
        ({"title": "Lina@X.com", "username": "lina", "email": "lina@x.com"}, "lina"),
        ({"title": "a@x.com", "email": "a@x.com"}, "Plex Home user"),
        ({"title": None}, "Plex Home user"),
        ({"title": "x" * 500}, "x" * 128),
    ],
    ids=short,
)
def test_title(fields: dict[str, Json], title: str) -> None:
    """A user has a name of one line, which is never the email address."""
    assert only(**fields).title == title


def test_many_users() -> None:
    """A list that is too long is cut."""
    users: list[Json] = [ENTRY | {"id": number} for number in range(1000)]
    assert len(HomeUser.parse_users({"users": users})) == 128


@pytest.mark.parametrize(
    "data",
    [
        SWITCH_JSON,
        {"user": SWITCH_JSON},
        ENTRY | {"authToken": None, "authenticationToken": "switched"},
        decode(SWITCH_XML.encode()),
        decode(OLD_SWITCH_XML.encode()),
    ],
    ids=["JSON", "JSON under its root", "old JSON", "XML", "XML of the first API"],
)
def test_switch(data: Json) -> None:
    """The token is read from each form of the answer."""
    assert parse_switch(data, CHILD) == "switched"


@pytest.mark.parametrize(
    "data",
    [
        *(None, [], {}, {"user": 5}),
        ENTRY | {"authToken": ""},
        ENTRY | {"authToken": None},
        ENTRY | {"authToken": "eyJhbGciOi.eyJ1c2Vy.c2ln"},
        {"authToken": "switched"},
        SWITCH_JSON | {"id": 22},
    ],
    ids=short,
)
def test_no_switch(data: Json) -> None:
    """Without a token, or with that of somebody else, it is not understood."""
    with pytest.raises(errors.UnexpectedAnswerError):
        parse_switch(data, CHILD)


def test_token_of_somebody_else() -> None:
    """An account that ignores whom it was asked for gives its token to nobody."""
    assert parse_switch(SWITCH_JSON, CHILD) == "switched"
    with pytest.raises(errors.UnexpectedAnswerError) as caught:
        parse_switch(SWITCH_JSON, replace(CHILD, id=22))
    assert "switched" not in f"{caught.value!r} {vars(caught.value)}"
