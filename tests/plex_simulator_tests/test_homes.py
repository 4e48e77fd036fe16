"""A Plex Home: who is in it, who may switch to whom, and what a token opens."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.plex_simulator import Account
from tests.plex_simulator.library import Kind
from tests.plex_simulator.worlds import CHILD_PIN, HomeWorld, add_home

from .simulated_plex import CLIENT, Answer, SimulatedPlex


@pytest.fixture
def world(plex: SimulatedPlex) -> HomeWorld:
    """Return a Home of Anna's, and fill her server."""
    plex.server.library.add(Kind.MOVIE, "Fog", ["Fog.mkv"])
    return add_home(plex.simulator, plex.server)


@pytest.fixture
def token(world: HomeWorld) -> str:
    """Return a token of the admin."""
    return world.admin.sign_in_token(CLIENT)


async def switch(
    plex: SimulatedPlex,
    token: str,
    user: Account,
    pin: str | None = None,
    *,
    by_id: bool = False,
    **more: Any,
) -> Answer:
    """Switch to a user by the second API."""
    url = f"/home/users/{user.id if by_id else user.uuid}/switch"
    query = "" if pin is None else f"?pin={pin}"
    return await plex.ask("POST", f"{url}{query}", token, **more)


async def switch_in_first_api(
    plex: SimulatedPlex, token: str, user: Account, pin: str | None = None
) -> Answer:
    """Switch to a user by the first API."""
    query = "" if pin is None else f"?pin={pin}"
    url = f"{plex.simulator.base_url}/api/home/users/{user.id}/switch{query}"
    return await plex.ask("POST", url, token)


def flags(listed: list[dict[str, Any]]) -> Iterator[tuple[object, ...]]:
    """Yield what tells the users of a list apart."""
    names = ("title", "admin", "restricted", "protected", "guest", "hasPassword")
    for one in listed:
        yield tuple(one[name] for name in names)


async def test_users(plex: SimulatedPlex, world: HomeWorld, token: str) -> None:
    """Everybody in it is listed, with what they are."""
    home = (await plex.get("/home/users", token)).json
    assert home["guestUserUUID"] == world.guest.uuid
    assert home["guestEnabled"] is True
    assert list(flags(home["users"])) == [
        ("Anna", True, False, False, False, True),
        ("Emil", False, True, False, False, False),
        ("Lina", False, True, True, False, False),
        ("Ida", False, False, False, False, True),
        ("Guest", False, False, False, True, False),
    ]
    child = home["users"][2]
    assert (child["id"], child["uuid"]) == (world.child.id, world.child.uuid)
    assert (child["username"], child["email"]) == (None, None)
    assert child["restrictionProfile"] == "little_kid"
    assert CHILD_PIN not in str(home)
    alone = (await plex.get("/home", token)).json
    assert alone == {key: home[key] for key in home if key != "users"}
    account = (await plex.get("/user", token)).json
    assert (account["home"], account["homeAdmin"], account["homeSize"]) == (
        *(True, True),
        4,
    )
    assert (await plex.status("/home/users")) == 401


async def test_users_in_xml(plex: SimulatedPlex, world: HomeWorld, token: str) -> None:
    """Both APIs have XML."""
    found = (await plex.get("/home/users", token, accept=None)).xml
    assert found.tag == "home"
    assert [one.get("title") for one in found.iterfind("users/user")][2] == "Lina"
    url = f"{plex.simulator.base_url}/api/home/users"
    old = (await plex.get(url, token)).xml
    assert (old.tag, old.get("size")) == ("MediaContainer", "5")
    (child,) = [one for one in old.iterfind("User") if one.get("title") == "Lina"]
    assert (child.get("restricted"), child.get("protected")) == ("1", "1")
    assert child.get("uuid") == world.child.uuid


async def test_no_home(plex: SimulatedPlex, world: HomeWorld) -> None:
    """Who is in no Home is told so, or has an empty list."""
    token = plex.ben.sign_in_token(CLIENT)
    assert (await plex.get("/home/users", token)).error == (404, 1002)
    assert (await plex.get("/home", token)).error == (404, 1002)
    assert (await switch(plex, token, world.managed)).error == (404, 1002)
    url = f"{plex.simulator.base_url}/api/home/users"
    assert (await plex.get(url, token)).xml.get("size") == "0"
    plex.simulator.homes.no_home_code = None
    assert (await plex.get("/home/users", token)).json == {
        "id": plex.ben.id,
        "users": [],
    }


@pytest.mark.parametrize("by_id", [False, True])
async def test_switch(
    plex: SimulatedPlex, world: HomeWorld, token: str, by_id: bool
) -> None:
    """A switch gives the account of the user, and its token; the old one stays good."""
    answer = await switch(plex, token, world.managed, by_id=by_id)
    assert answer.status == 201
    assert (answer.json["title"], answer.json["restricted"]) == ("Emil", True)
    switched = answer.json["authToken"]
    assert switched == world.managed.tokens[CLIENT]
    assert (await plex.get("/user", switched)).json["uuid"] == world.managed.uuid
    assert await plex.status("/user", token) == 200
    (request,) = plex.simulator.requests_to("home_switch")
    assert request.status == 201
    assert switched in plex.simulator.secrets()


async def test_pin(plex: SimulatedPlex, world: HomeWorld, token: str) -> None:
    """A user with a PIN is switched to with it alone, unless none is asked for."""
    for pin in (None, "", "0000", "258"):
        assert (await switch(plex, token, world.child, pin)).error == (403, 1041)
        old = await switch_in_first_api(plex, token, world.child, pin)
        assert old.status == 401
        assert (old.xml.tag, old.xml.attrib) == (
            "Response",
            {"code": "401", "status": "Invalid PIN"},
        )
    assert not world.child.tokens
    assert (await switch(plex, token, world.child, CHILD_PIN)).status == 201
    old = await switch_in_first_api(plex, token, world.child, CHILD_PIN)
    assert old.xml.get("authenticationToken") == world.child.tokens[CLIENT]
    assert "authToken" not in old.xml.attrib
    assert (await switch(plex, token, world.managed, "1234")).status == 201
    plex.simulator.homes.enforces_pins = False
    assert (await switch(plex, token, world.child)).status == 201
    assert (await switch(plex, token, world.child, "0000")).error == (403, 1041)


async def test_calls_that_know_no_user(
    plex: SimulatedPlex, world: HomeWorld, token: str
) -> None:
    """plex.tv may know users by their numbers alone, or in its first API alone."""
    homes = plex.simulator.homes
    homes.knows_uuids = False
    assert (await switch(plex, token, world.managed)).error == (404, 1002)
    assert (await switch(plex, token, world.managed, by_id=True)).status == 201
    homes.has_second_api = False
    assert (await switch(plex, token, world.managed, by_id=True)).status == 404
    homes.switch_status = 200
    assert (await switch_in_first_api(plex, token, world.managed)).status == 200


async def test_tokens(plex: SimulatedPlex, world: HomeWorld, token: str) -> None:
    """A user has one token for each client, which a second switch ends, if it does."""
    first = (await switch(plex, token, world.managed)).json["authToken"]
    other = (await switch(plex, token, world.managed, client="client-2")).json
    second = (await switch(plex, token, world.managed)).json["authToken"]
    assert await plex.status("/user", first) == 401
    for good in (second, other["authToken"], token):
        assert await plex.status("/user", good) == 200
    plex.simulator.homes.rotates_tokens = False
    third = (await switch(plex, token, world.managed)).json["authToken"]
    assert third == second
    plex.simulator.homes.ends_own_token = True
    last = (await switch(plex, token, world.managed)).json["authToken"]
    assert await plex.status("/user", last) == 200
    assert await plex.status("/user", token) == 401


async def test_who_may_switch(
    plex: SimulatedPlex, world: HomeWorld, token: str
) -> None:
    """Every user may, to every other one but a guest; a managed one may do no more."""
    child = (await switch(plex, token, world.child, CHILD_PIN)).json["authToken"]
    assert len((await plex.get("/home/users", child)).json["users"]) == 5
    assert (await switch(plex, child, world.adult)).status == 201
    assert (await switch(plex, token, world.guest)).error == (403, 1009)
    assert (await switch(plex, token, plex.ben)).error == (404, 1002)
    assert (await switch(plex, "dead", world.managed)).error == (401, 1001)
    assert (await plex.get("/devices", child)).error == (403, 1009)
    plex.simulator.homes.remove_member(world.child)
    assert await plex.status("/user", child) == 401
    assert (await switch(plex, token, world.child, CHILD_PIN)).error == (404, 1002)
    home = (await plex.get("/home/users", token)).json
    assert "Lina" not in [one["title"] for one in home["users"]]
    assert (await plex.get("/user", token)).json["homeSize"] == 3


@pytest.mark.parametrize("name", ["managed", "child", "adult"])
async def test_servers(
    plex: SimulatedPlex, world: HomeWorld, token: str, name: str
) -> None:
    """A server refuses a switched token, and takes the one listed for the user."""
    user: Account = getattr(world, name)
    answer = await switch(plex, token, user, user.pin)
    switched = answer.json["authToken"]
    rows = (await plex.get("/resources", switched)).json
    (row,) = [row for row in rows if row["provides"] == "server"]
    assert (row["home"], row["owned"]) == (True, False)
    for path in ("", "library/sections", "security/token?type=delegation&scope=all"):
        assert await plex.status(f"server/{path}", switched) in (401, 403)
        assert await plex.status(f"server/{path}", row["accessToken"]) == 200
    assert row["accessToken"] not in (switched, plex.server.access_token_for(plex.anna))


async def test_server_of_a_user(
    plex: SimulatedPlex, world: HomeWorld, token: str
) -> None:
    """An own server may be listed with the token that was switched to."""
    own = await plex.simulator.add_server("Study", world.adult)
    switched = (await switch(plex, token, world.adult)).json["authToken"]
    for own.echoes_token in (False, True):
        rows = (await plex.get("/resources", switched)).json
        (row,) = [row for row in rows if row["name"] == "Study"]
        assert row["owned"] is True
        assert (row["accessToken"] == switched) is own.echoes_token
        assert await plex.status(f"{own.http_url}/", row["accessToken"]) == 200


async def test_what_a_child_sees(plex: SimulatedPlex, world: HomeWorld) -> None:
    """A child sees its section, also with a transient token; others see all."""
    server = plex.server
    secret = server.library.find("1")
    assert secret is not None
    child, managed = map(server.access_token_for, (world.child, world.managed))
    minted = (
        await plex.get("server/security/token?type=delegation&scope=all", child)
    ).json["MediaContainer"]["token"]
    owner = server.issue_transient_token(world.admin)
    films = (secret.path, f"{secret.path}/thumb/1", secret.versions[0][0].key)
    forbidden = ["/library/sections/1/all", f"{secret.path}/children", films[0]]
    forbidden.append(films[2])
    allowed = (world.film.path, "/library/sections/2/all")
    for token, titles in (
        (child, ["Kids' Films"]),
        (minted, ["Kids' Films"]),
        (managed, ["Movies", "Kids' Films"]),
        (owner, ["Movies", "Kids' Films"]),
    ):
        found = (await plex.get("server/library/sections", token)).json
        sections = found["MediaContainer"]["Directory"]
        assert [section["title"] for section in sections] == titles
        for path in allowed:
            assert await plex.status(f"server{path}", token) == 200
        expected = 200 if len(titles) == 2 else 403
        for path in forbidden:
            assert await plex.status(f"server{path}", token) == expected, path
    assert await plex.status("server/library", owner) == 200
    assert await plex.status("server/library", managed) == 403
    assert await plex.status("server/library/sections/9/all", owner) == 404
    server.section_refusal_status = 401
    assert await plex.status("server/library/sections/1/all", child) == 401
    item = (await plex.get(f"server{world.film.path}", child)).json["MediaContainer"]
    assert item["Metadata"][0]["librarySectionID"] == 2
