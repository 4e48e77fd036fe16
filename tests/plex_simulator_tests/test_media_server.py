"""Media servers, beside what python-plexapi and the integration's own client show."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.plex_simulator.library import Kind

from .stage import CLIENT, Stage

TOKEN = "server/security/token?type=delegation&scope=all"
PICTURE = "server/library/metadata/1/thumb"
SOURCES = "server/security/resources"


def source(stage: Stage) -> str:
    """Return the address at which the server is asked for the other one."""
    return f"{SOURCES}?source=server://{stage.other.machine_identifier}"


@pytest.mark.parametrize(
    ("token", "root", "security_token", "security_resources"),
    [
        (lambda stage: None, 401, 403, 403),
        (lambda stage: "garbage", 401, 403, 403),
        (lambda stage: stage.ben.sign_in_token(CLIENT), 401, 403, 403),
        (lambda stage: stage.server.access_token_for(stage.ben), 200, 200, 403),
        (lambda stage: stage.server.issue_transient_token(stage.ben), 200, 200, 403),
        (lambda stage: stage.anna.sign_in_token(CLIENT), 200, 200, 200),
        (lambda stage: stage.server.access_token_for(stage.anna), 200, 200, 200),
        (lambda stage: stage.server.issue_transient_token(stage.anna), 200, 200, 200),
        (lambda stage: stage.other.access_token_for(stage.anna), 401, 403, 403),
    ],
)
async def test_who_may_do_what(
    stage: Stage,
    token: Callable[[Stage], str | None],
    root: int,
    security_token: int,
    security_resources: int,
) -> None:
    """A guest needs the server's own token, and sources are for its owner."""
    value = token(stage)
    assert await stage.status("server/identity", value) == 200
    assert await stage.status("server/", value) == root
    assert await stage.status(f"{PICTURE}?X-Plex-Token={value or ''}") == root
    assert await stage.status(TOKEN, value) == security_token
    assert await stage.status(source(stage), value) == security_resources


async def test_server_that_is_shared_no_more(stage: Stage) -> None:
    """Who had access has none, by no token."""
    tokens = [
        stage.server.access_token_for(stage.ben),
        stage.server.issue_transient_token(stage.ben),
    ]
    stage.server.shared_with.clear()
    assert [await stage.status("server/", token) for token in tokens] == [401, 401]


@pytest.mark.parametrize("caches", [False, True])
async def test_revocation(stage: Stage, caches: bool) -> None:
    """A revoked account token is refused at once, or later by a server that caches."""
    stage.server.caches_tokens = caches
    token = stage.anna.sign_in_token(CLIENT)
    assert await stage.status("server/", token) == 200
    stage.anna.revoke_tokens()
    assert await stage.status("server/", token) == (200 if caches else 401)
    await stage.server.restart()
    assert await stage.status("server/", token) == 401


async def test_everyone_is_let_in(stage: Stage) -> None:
    """A network may need no token; a server of nobody looks at no token at all."""
    stage.server.allowed_networks = True
    tokens = ("x", None, stage.server.access_token_for(stage.anna))
    assert [await stage.status("server/", one) for one in tokens] == [200] * 3
    stage.server.allowed_networks = False
    stage.server.claimed = False
    assert [await stage.status("server/", one) for one in tokens] == [200] * 3
    stage.server.trusts_network = False
    assert [await stage.status("server/", one) for one in tokens] == [401] * 3
    assert await stage.status("server/identity") == 200


async def test_claim(stage: Stage) -> None:
    """A claim token works once and for 4 minutes, and only where nobody is owner."""
    claim_tokens, server = stage.simulator.claim_tokens, stage.server
    old, transient = server.access_token_for(stage.anna), "server/?X-Plex-Token="
    transient += server.issue_transient_token(stage.anna)

    async def claim(token: str, account_token: str | None = None) -> int:
        path = f"server/myplex/claim?token={token}"
        return (await stage.ask("POST", path, account_token)).status

    async def listed() -> list[str]:
        rows = (await stage.get("/resources", stage.ben.sign_in_token(CLIENT))).json
        return [row["name"] for row in rows if row["provides"] == "server"]

    assert await claim(claim_tokens.create(stage.anna)) == 401
    assert await listed() == ["Living Room"]
    server.unclaim()
    assert await listed() == []
    late = claim_tokens.create(stage.ben)
    stage.simulator.clock.advance(timedelta(minutes=4))
    assert await claim(late) == 500
    server.trusts_network = False
    assert await claim(claim_tokens.create(stage.ben), "x") == 401
    server.trusts_network = True
    good = claim_tokens.create(stage.ben)
    server.answers_without_it = 1
    assert await claim(good) == 200
    assert (server.owner, claim_tokens.redeem(good)) == (stage.ben, None)
    assert [await listed() for _ in range(2)] == [[], ["Living Room"]]
    assert [await stage.status("server/", old), await stage.status(transient)] == [
        401,
        401,
    ]
    assert good in stage.simulator.secrets()


async def test_sign_out_connected_devices(stage: Stage) -> None:
    """It ends the sign-ins of the account, and nobody owns its servers then."""
    token = stage.anna.sign_in_token(CLIENT)
    stage.simulator.sign_out_devices(stage.anna)
    assert await stage.status("/user", token) == 401
    assert not stage.server.claimed
    assert not stage.other.claimed
    assert not stage.server.shared_with


async def test_only_the_owner_unclaims(stage: Stage) -> None:
    """Somebody with whom a server is shared cannot give it up."""
    for account, status in ((stage.ben, 403), (stage.anna, 200)):
        token = stage.server.access_token_for(account)
        answer = await stage.ask("DELETE", "server/myplex/account", token)
        assert answer.status == status
    assert not stage.server.claimed


async def test_errors_are_pages(stage: Stage) -> None:
    """Errors are HTML, whatever was asked for; the root's leads to the web client."""
    for path, title in (("", "401 Unauthorized"), ("nothing", "404 Not Found")):
        answer = await stage.get(f"server/{path}")
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
async def test_booting(stage: Stage, state: str, status: int, text: str) -> None:
    """While a server boots all but its identity is refused."""
    token = stage.server.access_token_for(stage.anna)
    stage.server.booting = state
    for address in ("server/", TOKEN, source(stage), PICTURE):
        answer = await stage.get(address, token)
        assert (answer.status, text in answer.text) == (status, True)
    assert (await stage.get("server/identity", accept=None)).xml.get("startState")


# Transient tokens


@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
async def test_transient_token(stage: Stage, method: str) -> None:
    """Every verb makes one, in JSON and XML, with the rights of who asks."""
    own, known = stage.server.access_token_for(stage.ben), stage.server.transient_tokens
    made = (await stage.ask(method, TOKEN, own)).json["MediaContainer"]
    xml = (await stage.ask(method, TOKEN, own, accept=None)).xml
    assert [made["token"], xml.get("token")] == list(known)
    assert (made["size"], xml.get("size")) == (0, "0")
    assert all(token.account is stage.ben for token in known.values())


@pytest.mark.parametrize(
    "query",
    ["", "type=delegation", "scope=all", "type=x&scope=all", "type=delegation&scope=x"],
)
async def test_transient_token_of_no_kind(stage: Stage, query: str) -> None:
    """Type and scope are needed, and only one of each is known."""
    token = stage.server.access_token_for(stage.anna)
    assert await stage.status(f"server/security/token?{query}", token) == 400
    assert not stage.server.transient_tokens


async def test_transient_token_lives_48_hours(stage: Stage) -> None:
    """It ends by itself."""
    token = stage.server.issue_transient_token(stage.anna)
    for passed, status in (
        (timedelta(hours=47, minutes=59), 200),
        (timedelta(minutes=1), 401),
    ):
        stage.simulator.clock.advance(passed)
        assert await stage.status("server/", token) == status


# Sources


async def test_source(stage: Stage) -> None:
    """A source's token works there; only a relay says that it is one, in both formats."""
    token = stage.server.access_token_for(stage.anna)
    device = (await stage.get(source(stage), token)).json["MediaContainer"]["Device"]
    url = f"{stage.other.http_url}/"
    assert await stage.status(url, device["accessToken"]) == 200
    relays = [item.get("relay") for item in device["Connection"]]
    assert relays == [None, None, True]
    assert all("IPv6" not in item for item in device["Connection"])
    xml = (await stage.get(source(stage), token, accept=None)).xml
    relays = [item.get("relay") for item in xml.iterfind("Device/Connection")]
    assert relays == [None, None, "1"]
    stage.server.device_as_list = True
    listed = (await stage.get(source(stage), token)).json["MediaContainer"]["Device"]
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
async def test_which_sources(stage: Stage, query: str, status: int) -> None:
    """Malformed and unknown sources differ; one may name a provider of a server."""
    films = await stage.simulator.add_server("Films", stage.anna)
    servers = {"itself": stage.server, "other": stage.other, "forgotten": films}
    sources = {
        name: f"server://{server.machine_identifier}"
        for name, server in servers.items()
    }
    stage.server.forget_source(sources["forgotten"])
    token = stage.server.access_token_for(stage.anna)
    assert await stage.status(f"{SOURCES}?{query.format(**sources)}", token) == status


@pytest.mark.parametrize(
    ("version", "status"), [("0.9.16", 404), ("1.15.3.835", 404), ("1.15.4.919", 200)]
)
async def test_versions_with_sources(stage: Stage, version: str, status: int) -> None:
    """Servers older than 1.15.4 do not have the address."""
    stage.server.version = version
    token = stage.server.access_token_for(stage.anna)
    assert await stage.status(source(stage), token) == status


# Items


async def test_item(stage: Stage) -> None:
    """A film has its versions and parts in JSON and XML, and a token is needed."""
    film = stage.server.library.add(
        Kind.MOVIE, "Fog", ["Fog 1.mkv", "Fog 2.mkv"], ["small.mp4"]
    )
    address, token = f"server{film.path}", stage.server.access_token_for(stage.ben)
    assert await stage.status(address) == 401
    (found,) = (await stage.get(address, token)).json["MediaContainer"]["Metadata"]
    keys = [[part["key"] for part in media["Part"]] for media in found["Media"]]
    assert keys == [[part.key for part in parts] for parts in film.versions]
    assert [len(parts) for parts in keys] == [2, 1]
    xml = (await stage.get(address, token, accept=None)).xml
    assert [
        [part.get("key") for part in media] for media in xml.iterfind("Video/Media")
    ] == keys
    assert [video.get("title") for video in xml] == ["Fog"]
    assert await stage.status("server/library/metadata/99", token) == 404


async def test_item_with_children(stage: Stage) -> None:
    """A show has no part, but children."""
    library, token = stage.server.library, stage.server.access_token_for(stage.anna)
    show = library.add(Kind.SHOW, "Neighbours")
    library.add(Kind.SEASON, "Season 1", parent=show)
    xml = (await stage.get(f"server{show.path}", token, accept=None)).xml
    (directory,) = xml
    assert (directory.tag, directory.get("key")) == (
        "Directory",
        f"{show.path}/children",
    )
    assert len(directory) == 0
    answer = await stage.get(f"server{show.path}/children", token)
    (season,) = answer.json["MediaContainer"]["Metadata"]
    assert (season["type"], season["parentKey"]) == ("season", show.path)


async def test_part(stage: Stage) -> None:
    """A part is played with a token in the query, whole or in ranges."""
    film = stage.server.library.add(Kind.MOVIE, "Fog", ["Fog.mkv"])
    part = film.versions[0][0]
    token = stage.server.issue_transient_token(stage.anna)
    address = f"{stage.server.http_url}{part.key}"
    assert await stage.status(address) == 401
    answer = await stage.get(f"{address}?X-Plex-Token={token}")
    assert (answer.status, answer.body) == (200, part.content)
    assert answer.headers["Content-Type"] == "video/x-matroska"
    size = len(part.content)
    for wanted, body, named in (
        ("bytes=2-4", part.content[2:5], f"bytes 2-4/{size}"),
        ("bytes=3-", part.content[3:], f"bytes 3-{size - 1}/{size}"),
    ):
        async with stage.session.get(
            f"{address}?X-Plex-Token={token}", headers={"Range": wanted}
        ) as reply:
            assert (reply.status, await reply.read()) == (206, body)
            assert reply.headers["Content-Range"] == named
    await stage.server.restart()
    assert await stage.status(f"{address}?X-Plex-Token={token}") == 401
    own = stage.server.access_token_for(stage.anna)
    assert (
        await stage.status(f"{stage.server.http_url}/library/parts/1/1/x", own) == 404
    )
