"""Media servers, beside what python-plexapi and the integration's own client show."""

from datetime import timedelta

from tests.plex_simulator.library import Kind

from .simulated_plex import CLIENT, SimulatedPlex

ROOT = "server/"
TOKEN = "server/security/token?type=delegation&scope=all"
SOURCES = "server/security/resources?source="


async def test_who_may_do_what(plex: SimulatedPlex) -> None:
    """A guest needs the server's own token, and sources are for its owner."""
    source = f"{SOURCES}server://{plex.other.machine_identifier}"
    server, anna, ben = plex.server, plex.anna, plex.ben
    for token, *statuses in (
        (None, 401, 403, 403),
        ("garbage", 401, 403, 403),
        (plex.other.access_token_for(anna), 401, 403, 403),
        (ben.sign_in_token(CLIENT), 401, 403, 403),
        (server.access_token_for(ben), 200, 200, 403),
        (server.issue_transient_token(ben), 200, 200, 403),
        (anna.sign_in_token(CLIENT), 200, 200, 200),
        (server.access_token_for(anna), 200, 200, 200),
        (server.issue_transient_token(anna), 200, 200, 200),
    ):
        found = [await plex.status(url, token) for url in (ROOT, TOKEN, source)]
        assert found == statuses
        assert await plex.status(f"{ROOT}?X-Plex-Token={token or ''}") == statuses[0]
    shared = server.access_token_for(ben), server.issue_transient_token(ben)
    server.shared_with.clear()
    assert [await plex.status(ROOT, token) for token in shared] == [401, 401]


async def test_unclaimed(plex: SimulatedPlex) -> None:
    """A server of nobody looks at no token; its network decides who comes in."""
    tokens = ("x", None, plex.server.access_token_for(plex.anna))
    plex.server.claimed = False
    assert [await plex.status(ROOT, one) for one in tokens] == [200] * 3
    plex.server.trusts_network = False
    assert [await plex.status(ROOT, one) for one in tokens] == [401] * 3


async def test_listed_though_unclaimed(plex: SimulatedPlex) -> None:
    """plex.tv may go on to list a server of nobody for its last owner, until told."""
    server, anna = plex.server, plex.anna
    token, bens = anna.sign_in_token(CLIENT), plex.ben.sign_in_token("client-2")
    access_token = server.access_token_for(anna)

    async def rows(token: str) -> dict[str, tuple[object, ...]]:
        listed = (await plex.get("/resources", token)).json
        keys = ("owned", "presence", "accessToken")
        return {row["name"]: tuple(row[key] for key in keys) for row in listed}

    other = {"Attic": (True, True, plex.other.access_token_for(anna))}
    claimed = {"Living Room": (True, True, access_token)}
    assert await rows(token) == other | claimed
    server.unclaim()
    assert await rows(token) == other
    server.claim(anna)
    server.unclaim(listed=True)
    assert await rows(token) == other | {"Living Room": (True, True, token)}
    assert await rows(bens) == {}
    assert (await plex.get("server/identity")).json["MediaContainer"][
        "claimed"
    ] is False
    await server.stop()
    assert await rows(token) == other | {"Living Room": (True, False, token)}
    url = f"{plex.simulator.base_url}/devices/{server.device_id}.xml"
    assert (await plex.ask("DELETE", url, token)).status == 200
    assert await rows(token) == other

    plex.simulator.sign_out_devices(anna, listed=True)
    token = anna.sign_in_token(CLIENT)
    assert await rows(token) == {"Attic": (True, True, token)}
    plex.other.claim(plex.ben)
    assert await rows(token) == {}


async def test_malformed(plex: SimulatedPlex) -> None:
    """What is asked for in another way than a server knows is refused."""
    token = plex.server.access_token_for(plex.anna)
    other = f"server://{plex.other.machine_identifier}"
    for url, status in (
        ("server/security/token", 400),
        ("server/security/token?type=x&scope=all", 400),
        ("server/security/token?type=delegation&scope=x", 400),
        (SOURCES, 400),
        (f"{SOURCES}server://", 400),
        (f"{SOURCES}file://x", 400),
        (f"{SOURCES}{other}&refresh=2", 400),
        (f"{SOURCES}server://{plex.server.machine_identifier}", 404),
        (f"{SOURCES}{other}/com.plexapp.plugins.library&refresh=1", 200),
    ):
        assert await plex.status(url, token) == status, url
    assert not plex.server.transient_tokens


async def test_source(plex: SimulatedPlex) -> None:
    """A device comes as an object or in a list; only a relay says that it is one."""
    token = plex.server.access_token_for(plex.anna)
    url = f"{SOURCES}server://{plex.other.machine_identifier}"
    device = (await plex.get(url, token)).json["MediaContainer"]["Device"]
    assert [one.get("relay") for one in device["Connection"]] == [None, None, True]
    xml = (await plex.get(url, token, accept=None)).xml
    relays = [one.get("relay") for one in xml.iterfind("Device/Connection")]
    assert relays == [None, None, "1"]
    plex.server.device_as_list = True
    listed = (await plex.get(url, token)).json["MediaContainer"]["Device"]
    assert [one["name"] for one in listed] == [device["name"]]


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


async def test_transient_token_lives_48_hours(plex: SimulatedPlex) -> None:
    """It ends by itself."""
    token = plex.server.issue_transient_token(plex.anna)
    for passed, status in (
        (timedelta(hours=47, minutes=59), 200),
        (timedelta(minutes=1), 401),
    ):
        plex.simulator.clock.advance(passed)
        assert await plex.status("server/", token) == status


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
