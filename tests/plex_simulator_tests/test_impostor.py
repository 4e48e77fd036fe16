"""A machine that answers for a server: what it says, gets, and where it stands."""

import aiohttp
import pytest

from tests.plex_simulator import Certificate, Fault, Impostor

from .simulated_plex import SimulatedPlex

SECRET = "acct-secret"


@pytest.fixture
async def impostor(plex: SimulatedPlex) -> Impostor:
    """Return an impostor of Anna's server, at an address of its own."""
    return await plex.simulator.add_impostor(plex.server)


async def identity(plex: SimulatedPlex, base: str) -> dict[str, object]:
    """Return what a machine says of itself."""
    found: dict[str, object] = (await plex.get(f"{base}/identity")).json[
        "MediaContainer"
    ]
    return found


async def test_identity(plex: SimulatedPlex, impostor: Impostor) -> None:
    """It says what its server does, or whatever it is told to say."""
    right = {
        "size": 0,
        "apiVersion": "1.1.1",
        "machineIdentifier": plex.server.machine_identifier,
        "version": plex.server.version,
        "claimed": True,
    }
    assert await identity(plex, plex.server.http_url) == right
    assert await identity(plex, impostor.http_url) == right
    wrong = await plex.simulator.add_impostor(
        plex.server,
        machine_identifier="f" * 40,
        name="Another",
        version="1.2.3",
        claimed=False,
        start_state="startingPlugins",
    )
    told = {"machineIdentifier": "f" * 40, "version": "1.2.3", "claimed": False}
    told |= {"startState": "startingPlugins"}
    assert await identity(plex, wrong.http_url) == right | told
    wrong.claimed = wrong.start_state = None
    del told["claimed"], told["startState"], right["claimed"]
    assert await identity(plex, wrong.http_url) == right | told
    root = (await plex.get(f"{wrong.http_url}/")).json["MediaContainer"]
    assert root == {"size": 0, "friendlyName": "Another", **told}
    wrong.faults.set("identity", Fault.status(404))
    assert await plex.status(f"{wrong.http_url}/identity") == 404
    xml = (await plex.get(f"{impostor.http_url}/identity", accept=None)).xml
    assert xml.attrib["machineIdentifier"] == plex.server.machine_identifier


async def test_takes_everything(plex: SimulatedPlex, impostor: Impostor) -> None:
    """It lets everyone in, whatever the token, and gives what is asked for."""
    url = impostor.http_url
    for path in ("/", "/library/metadata/1", "/myplex/account", "/security/token"):
        assert await plex.status(f"{url}{path}", "x") == 200, path
    query = "?type=delegation&scope=all"
    answer = await plex.ask("POST", f"{url}/security/token{query}")
    assert answer.json["MediaContainer"]["token"].startswith("transient-")
    source = (await plex.get(f"{url}/security/resources?source=server://a")).json
    device = source["MediaContainer"]["Device"]
    assert (device["clientIdentifier"], device["Connection"][0]["uri"]) == ("a", url)
    impostor.claimed = False
    assert (await plex.ask("POST", f"{url}/myplex/claim?token=claim-1")).status == 200
    assert (await identity(plex, url))["claimed"] is True
    async with plex.session.ws_connect(f"{url}/:/websockets/notifications"):
        assert len(impostor.notifications) == 1


async def test_what_it_got(plex: SimulatedPlex, impostor: Impostor) -> None:
    """It knows the tokens that it got, and each secret of the world wherever it was."""
    token = plex.anna.sign_in_token("a client")
    claim = plex.simulator.claim_tokens.create(plex.anna)
    code = plex.simulator.pins.create("a client").code
    url = impostor.http_url
    await identity(plex, url)
    assert code in plex.simulator.secrets()
    await plex.get(f"{url}/{code}")  # which is too short to be told from chance
    assert (impostor.tokens, impostor.secrets) == (set(), set())
    await plex.get(f"{url}/", "in-a-header")
    await plex.get(f"{url}/?X-Plex-Token=in-a-query")
    await plex.ask("POST", f"{url}/x", form={"X-Plex-Token": "in-a-form"})
    await plex.ask("POST", f"{url}/myplex/claim?token={claim}")
    got = {"in-a-header", "in-a-query", "in-a-form", claim}
    assert (impostor.tokens, impostor.secrets) == (got, {claim})
    await plex.get(f"{url}/library/{token}?a=b%20{plex.anna.password}")
    assert impostor.tokens == got
    assert impostor.secrets == {claim, token, plex.anna.password}
    last = impostor.requests[-1]
    assert impostor.secrets_in(last) == {token, plex.anna.password}
    assert (last.method, last.path) == ("GET", f"/library/{token}")
    assert (last.query, last.secure) == ({"a": f"b {plex.anna.password}"}, False)
    assert not plex.simulator.requests
    impostor.requests.clear()
    assert not impostor.secrets


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Certificate.VALID, aiohttp.ClientConnectorCertificateError),
        (Certificate.WRONG_NAME, aiohttp.ClientConnectorCertificateError),
        (Certificate.UNKNOWN_AUTHORITY, aiohttp.ClientConnectorCertificateError),
        (Certificate.EXPIRED, aiohttp.ClientConnectorCertificateError),
        (Certificate.ABSENT, aiohttp.ClientConnectorSSLError),
    ],
)
async def test_no_certificate_is_good_for_the_server(
    plex: SimulatedPlex,
    impostor: Impostor,
    kind: Certificate,
    error: type[aiohttp.ClientError],
) -> None:
    """At its server's address nobody who looks at its certificate talks to it."""
    impostor.set_certificate(kind)
    await impostor.take_over()
    with pytest.raises(error):
        await plex.get(f"{plex.server.https_url}/identity", SECRET)
    assert not impostor.requests
    await plex.get(f"{plex.server.http_url}/identity", SECRET)
    assert impostor.tokens == {SECRET}


async def test_certificate_of_its_own(plex: SimulatedPlex, impostor: Impostor) -> None:
    """As any other server it has a good certificate for a name of its own."""
    url = impostor.https_url
    assert url.partition(".")[2] != plex.server.https_url.partition(".")[2]
    machine_identifier = (await identity(plex, url))["machineIdentifier"]
    assert machine_identifier == plex.server.machine_identifier
    assert [request.secure for request in impostor.requests] == [True]


@pytest.mark.parametrize("is_running", [True, False])
async def test_address_of_its_server(
    plex: SimulatedPlex, impostor: Impostor, is_running: bool
) -> None:
    """It takes the local address of its server, and gives it back."""
    plex.server.name, impostor.name = "right", "wrong"
    token = plex.server.access_token_for(plex.anna)

    async def name(url: str) -> object:
        return (await plex.get(f"{url}/", token)).json["MediaContainer"]["friendlyName"]

    url = plex.server.http_url
    assert await name(url) == "right"
    if not is_running:
        await plex.server.stop()
    await impostor.take_over()
    await impostor.take_over()
    assert plex.server.http_url == url
    assert [await name(one) for one in (url, impostor.http_url)] == ["wrong", "wrong"]
    await plex.server.start()
    assert await name(url) == "wrong"
    assert await name(f"http://127.0.0.1:{plex.server.ways['remote'].port}") == "right"
    await impostor.give_back()
    await impostor.give_back()
    assert [await name(one) for one in (url, impostor.http_url)] == ["right", "wrong"]
    await impostor.take_over()
    await plex.simulator.remove_impostor(impostor)
    assert await name(url) == "right"
    with pytest.raises(aiohttp.ClientConnectorError):
        await name(impostor.http_url)
    assert not plex.simulator.impostors


async def test_ends_with_the_simulator(plex: SimulatedPlex, impostor: Impostor) -> None:
    """Nothing of it is left when the simulator ends, its open sockets included."""
    await impostor.take_over()
    url = f"{plex.server.http_url}/:/websockets/notifications"
    async with plex.session.ws_connect(url):
        assert plex.simulator.connection_count == impostor.connection_count == 1
        await plex.simulator.stop()
    assert not plex.simulator.impostors
    assert (impostor.connection_count, len(impostor.notifications)) == (0, 0)
