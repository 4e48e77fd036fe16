"""Media servers, beside what python-plexapi and the integration's own client show."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.plex_simulator.library import Kind

from .simulated_plex import CLIENT, SimulatedPlex

TOKEN = "server/security/token?type=delegation&scope=all"
PICTURE = "server/library/metadata/1/thumb"
SOURCES = "server/security/resources"


def source(plex: SimulatedPlex) -> str:
    """Return the address at which the server is asked for the other one."""
    return f"{SOURCES}?source=server://{plex.other.machine_identifier}"


@pytest.mark.parametrize(
    ("token", "root", "security_token", "security_resources"),
    [
        (lambda plex: None, 401, 403, 403),
        (lambda plex: "garbage", 401, 403, 403),
        (lambda plex: plex.ben.sign_in_token(CLIENT), 401, 403, 403),
        (lambda plex: plex.server.access_token_for(plex.ben), 200, 200, 403),
        (lambda plex: plex.server.issue_transient_token(plex.ben), 200, 200, 403),
        (lambda plex: plex.anna.sign_in_token(CLIENT), 200, 200, 200),
        (lambda plex: plex.server.access_token_for(plex.anna), 200, 200, 200),
        (lambda plex: plex.server.issue_transient_token(plex.anna), 200, 200, 200),
        (lambda plex: plex.other.access_token_for(plex.anna), 401, 403, 403),
    ],
)
async def test_who_may_do_what(
    plex: SimulatedPlex,
    token: Callable[[SimulatedPlex], str | None],
    root: int,
    security_token: int,
    security_resources: int,
) -> None:
    """A guest needs the server's own token, and sources are for its owner."""
    value = token(plex)
    assert await plex.status("server/identity", value) == 200
    assert await plex.status("server/", value) == root
    assert await plex.status(f"{PICTURE}?X-Plex-Token={value or ''}") == root
    assert await plex.status(TOKEN, value) == security_token
    assert await plex.status(source(plex), value) == security_resources


async def test_server_that_is_shared_no_more(plex: SimulatedPlex) -> None:
    """Who had access has none, by no token."""
    tokens = [
        plex.server.access_token_for(plex.ben),
        plex.server.issue_transient_token(plex.ben),
    ]
    plex.server.shared_with.clear()
    assert [await plex.status("server/", token) for token in tokens] == [401, 401]


@pytest.mark.parametrize("caches", [False, True])
async def test_revocation(plex: SimulatedPlex, caches: bool) -> None:
    """A revoked account token is refused at once, or later by a server that caches."""
    plex.server.caches_tokens = caches
    token = plex.anna.sign_in_token(CLIENT)
    assert await plex.status("server/", token) == 200
    plex.anna.revoke_tokens()
    assert await plex.status("server/", token) == (200 if caches else 401)
    await plex.server.restart()
    assert await plex.status("server/", token) == 401


async def test_everyone_is_let_in(plex: SimulatedPlex) -> None:
    """A network may need no token; a server of nobody looks at no token at all."""
    plex.server.allowed_networks = True
    tokens = ("x", None, plex.server.access_token_for(plex.anna))
    assert [await plex.status("server/", one) for one in tokens] == [200] * 3
    plex.server.allowed_networks = False
    plex.server.claimed = False
    assert [await plex.status("server/", one) for one in tokens] == [200] * 3
    plex.server.trusts_network = False
    assert [await plex.status("server/", one) for one in tokens] == [401] * 3
    assert await plex.status("server/identity") == 200


async def test_claim(plex: SimulatedPlex) -> None:
    """A claim token works once and for 4 minutes, and only where nobody is owner."""
    claim_tokens, server = plex.simulator.claim_tokens, plex.server
    old, transient = server.access_token_for(plex.anna), "server/?X-Plex-Token="
    transient += server.issue_transient_token(plex.anna)

    async def claim(token: str, account_token: str | None = None) -> int:
        path = f"server/myplex/claim?token={token}"
        return (await plex.ask("POST", path, account_token)).status

    async def listed() -> list[str]:
        rows = (await plex.get("/resources", plex.ben.sign_in_token(CLIENT))).json
        return [row["name"] for row in rows if row["provides"] == "server"]

    assert await claim(claim_tokens.create(plex.anna)) == 401
    assert await listed() == ["Living Room"]
    server.unclaim()
    assert await listed() == []
    late = claim_tokens.create(plex.ben)
    plex.simulator.clock.advance(timedelta(minutes=4))
    assert await claim(late) == 500
    server.trusts_network = False
    assert await claim(claim_tokens.create(plex.ben), "x") == 401
    server.trusts_network = True
    good = claim_tokens.create(plex.ben)
    server.answers_without_it = 1
    assert await claim(good) == 200
    assert (server.owner, claim_tokens.redeem(good)) == (plex.ben, None)
    assert [await listed() for _ in range(2)] == [[], ["Living Room"]]
    assert [await plex.status("server/", old), await plex.status(transient)] == [
        401,
        401,
    ]
    assert good in plex.simulator.secrets()


async def test_sign_out_connected_devices(plex: SimulatedPlex) -> None:
    """It ends the sign-ins of the account, and nobody owns its servers then."""
    token = plex.anna.sign_in_token(CLIENT)
    plex.simulator.sign_out_devices(plex.anna)
    assert await plex.status("/user", token) == 401
    assert not plex.server.claimed
    assert not plex.other.claimed
    assert not plex.server.shared_with


async def test_only_the_owner_unclaims(plex: SimulatedPlex) -> None:
    """Somebody with whom a server is shared cannot give it up."""
    for account, status in ((plex.ben, 403), (plex.anna, 200)):
        token = plex.server.access_token_for(account)
        answer = await plex.ask("DELETE", "server/myplex/account", token)
        assert answer.status == status
    assert not plex.server.claimed


async def test_errors_are_pages(plex: SimulatedPlex) -> None:
    """Errors are HTML, whatever was asked for; the root's leads to the web client."""
    for path, title in (("", "401 Unauthorized"), ("nothing", "404 Not Found")):
        answer = await plex.get(f"server/{path}")
        assert answer.headers["Content-Type"].startswith("text/html")
        assert f"<h1>{title}</h1>" in answer.text
        assert ("web/index.html" in answer.text) is (path == "")


@pytest.mark.parametrize(
    ("state", "status", "text"),
    [
        ("starting", 400, "still starting up"),
        ("maintenance", 503, 'title="Maintenance"'),
    ],
)
async def test_booting(plex: SimulatedPlex, state: str, status: int, text: str) -> None:
    """While a server boots all but its identity is refused."""
    token = plex.server.access_token_for(plex.anna)
    plex.server.booting = state
    for address in ("server/", TOKEN, source(plex), PICTURE):
        answer = await plex.get(address, token)
        assert (answer.status, text in answer.text) == (status, True)
    assert (await plex.get("server/identity", accept=None)).xml.get("startState")


# Transient tokens


@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
async def test_transient_token(plex: SimulatedPlex, method: str) -> None:
    """Every verb makes one, in JSON and XML, with the rights of who asks."""
    own, known = plex.server.access_token_for(plex.ben), plex.server.transient_tokens
    made = (await plex.ask(method, TOKEN, own)).json["MediaContainer"]
    xml = (await plex.ask(method, TOKEN, own, accept=None)).xml
    assert [made["token"], xml.get("token")] == list(known)
    assert (made["size"], xml.get("size")) == (0, "0")
    assert all(token.account is plex.ben for token in known.values())


@pytest.mark.parametrize(
    "query",
    ["", "type=delegation", "scope=all", "type=x&scope=all", "type=delegation&scope=x"],
)
async def test_transient_token_of_no_kind(plex: SimulatedPlex, query: str) -> None:
    """Type and scope are needed, and only one of each is known."""
    token = plex.server.access_token_for(plex.anna)
    assert await plex.status(f"server/security/token?{query}", token) == 400
    assert not plex.server.transient_tokens


async def test_transient_token_lives_48_hours(plex: SimulatedPlex) -> None:
    """It ends by itself."""
    token = plex.server.issue_transient_token(plex.anna)
    for passed, status in (
        (timedelta(hours=47, minutes=59), 200),
        (timedelta(minutes=1), 401),
    ):
        plex.simulator.clock.advance(passed)
        assert await plex.status("server/", token) == status


# Sources


async def test_source(plex: SimulatedPlex) -> None:
    """A source's token works there; only a relay says that it is one, in both formats."""
    token = plex.server.access_token_for(plex.anna)
    device = (await plex.get(source(plex), token)).json["MediaContainer"]["Device"]
    url = f"{plex.other.http_url}/"
    assert await plex.status(url, device["accessToken"]) == 200
    relays = [item.get("relay") for item in device["Connection"]]
    assert relays == [None, None, True]
    assert all("IPv6" not in item for item in device["Connection"])
    xml = (await plex.get(source(plex), token, accept=None)).xml
    relays = [item.get("relay") for item in xml.iterfind("Device/Connection")]
    assert relays == [None, None, "1"]
    plex.server.device_as_list = True
    listed = (await plex.get(source(plex), token)).json["MediaContainer"]["Device"]
    assert [item["name"] for item in listed] == [device["name"]]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("source=server://", 400),
        ("source=file://x", 400),
        ("source={other}&refresh=2", 400),
        ("source={itself}", 404),
        ("source={forgotten}", 404),
        ("source={other}/com.plexapp.plugins.library&refresh=1", 200),
    ],
)
async def test_which_sources(plex: SimulatedPlex, query: str, status: int) -> None:
    """Malformed and unknown sources differ; one may name a provider of a server."""
    films = await plex.simulator.add_server("Films", plex.anna)
    servers = {"itself": plex.server, "other": plex.other, "forgotten": films}
    sources = {
        name: f"server://{server.machine_identifier}"
        for name, server in servers.items()
    }
    plex.server.forget_source(sources["forgotten"])
    token = plex.server.access_token_for(plex.anna)
    assert await plex.status(f"{SOURCES}?{query.format(**sources)}", token) == status


@pytest.mark.parametrize(
    ("version", "status"), [("0.9.16", 404), ("1.15.3.835", 404), ("1.15.4.919", 200)]
)
async def test_versions_with_sources(
    plex: SimulatedPlex, version: str, status: int
) -> None:
    """Servers older than 1.15.4 do not have the address."""
    plex.server.version = version
    token = plex.server.access_token_for(plex.anna)
    assert await plex.status(source(plex), token) == status


# Items


async def test_item(plex: SimulatedPlex) -> None:
    """A film has its versions and parts in JSON and XML, and a token is needed."""
    film = plex.server.library.add(
        Kind.MOVIE, "Fog", ["Fog 1.mkv", "Fog 2.mkv"], ["small.mp4"]
    )
    address, token = f"server{film.path}", plex.server.access_token_for(plex.ben)
    assert await plex.status(address) == 401
    (found,) = (await plex.get(address, token)).json["MediaContainer"]["Metadata"]
    keys = [[part["key"] for part in media["Part"]] for media in found["Media"]]
    assert keys == [[part.key for part in parts] for parts in film.versions]
    assert [len(parts) for parts in keys] == [2, 1]
    xml = (await plex.get(address, token, accept=None)).xml
    assert [
        [part.get("key") for part in media] for media in xml.iterfind("Video/Media")
    ] == keys
    assert [video.get("title") for video in xml] == ["Fog"]
    assert await plex.status("server/library/metadata/99", token) == 404


async def test_item_with_children(plex: SimulatedPlex) -> None:
    """A show has no part, but children."""
    library, token = plex.server.library, plex.server.access_token_for(plex.anna)
    show = library.add(Kind.SHOW, "Neighbours")
    library.add(Kind.SEASON, "Season 1", parent=show)
    xml = (await plex.get(f"server{show.path}", token, accept=None)).xml
    (directory,) = xml
    assert (directory.tag, directory.get("key")) == (
        "Directory",
        f"{show.path}/children",
    )
    assert len(directory) == 0
    answer = await plex.get(f"server{show.path}/children", token)
    (season,) = answer.json["MediaContainer"]["Metadata"]
    assert (season["type"], season["parentKey"]) == ("season", show.path)


async def test_part(plex: SimulatedPlex) -> None:
    """A part is played with a token in the query, whole or in ranges."""
    film = plex.server.library.add(Kind.MOVIE, "Fog", ["Fog.mkv"])
    part = film.versions[0][0]
    token = plex.server.issue_transient_token(plex.anna)
    address = f"{plex.server.http_url}{part.key}"
    assert await plex.status(address) == 401
    answer = await plex.get(f"{address}?X-Plex-Token={token}")
    assert (answer.status, answer.body) == (200, part.content)
    assert answer.headers["Content-Type"] == "video/x-matroska"
    size = len(part.content)
    for wanted, body, named in (
        ("bytes=2-4", part.content[2:5], f"bytes 2-4/{size}"),
        ("bytes=3-", part.content[3:], f"bytes 3-{size - 1}/{size}"),
    ):
        async with plex.session.get(
            f"{address}?X-Plex-Token={token}", headers={"Range": wanted}
        ) as reply:
            assert (reply.status, await reply.read()) == (206, body)
            assert reply.headers["Content-Range"] == named
    await plex.server.restart()
    assert await plex.status(f"{address}?X-Plex-Token={token}") == 401
    own = plex.server.access_token_for(plex.anna)
    assert await plex.status(f"{plex.server.http_url}/library/parts/1/1/x", own) == 404
