"""The calls of a server, against simulated ones."""

import json

import pytest
from yarl import URL

from custom_components.plex_auth.api import errors
from custom_components.plex_auth.api.items import Item
from custom_components.plex_auth.api.server import PlexServer, supports_sources
from custom_components.plex_auth.api.transport import Transport
from tests.plex_simulator import Fault, PlexSimulator
from tests.plex_simulator.library import Kind

from .population import Population

FALLBACK_STATUSES = (404, 405, 501)


@pytest.fixture
def server(transport: Transport, population: Population) -> PlexServer:
    """Return the calls of the server at its secure address."""
    return PlexServer(transport, URL(population.server.https_url))


@pytest.fixture
def plain(transport: Transport, population: Population) -> PlexServer:
    """Return the calls of the server at its plain address."""
    return PlexServer(transport, URL(population.server.http_url))


async def test_identity(
    plex: PlexSimulator, server: PlexServer, population: Population
) -> None:
    """A server says who it is without being shown a token."""
    machine_identifier = population.server.machine_identifier
    identity = await server.identity(machine_identifier)
    assert identity.machine_identifier == machine_identifier
    assert identity.start_state is None
    assert identity.claimed is True
    assert await server.identity() == identity
    with pytest.raises(errors.WrongServerError):
        await server.identity(population.other.machine_identifier)
    assert all("X-Plex-Token" not in request.headers for request in plex.requests)


async def test_identity_is_small(server: PlexServer, population: Population) -> None:
    """What any listed address may answer is not read as if it were a list.

    Reading 128 answers of 1 MiB each would hold up all else for seconds.
    """

    async def size_is_read(size: int) -> bool:
        says = {"machineIdentifier": population.server.machine_identifier, "pad": ""}
        says["pad"] = "x" * (size - len(json.dumps({"MediaContainer": says})))
        body = json.dumps({"MediaContainer": says})
        assert len(body) == size
        population.server.faults.set("identity", Fault.body(body))
        try:
            await server.identity()
        except errors.TooLargeError:
            return False
        return True

    assert await size_is_read(32 * 1024)
    assert not await size_is_read(32 * 1024 + 1)


async def test_boot(server: PlexServer, population: Population) -> None:
    """While a server starts, its identity says so, and other calls have their errors."""
    await population.server.restart("startingPlugins")
    assert (await server.identity()).start_state == "startingPlugins"
    with pytest.raises(errors.StartingUpError):
        await server.check_token(population.server_token)
    population.server.booting = "maintenance"
    with pytest.raises(errors.MaintenanceError):
        await server.transient_token(population.server_token)


async def test_check_token(server: PlexServer, population: Population) -> None:
    """A server takes its own tokens and transient ones, and tells its name."""
    transient = (await server.transient_token(population.server_token)).token
    for token in (population.server_token, transient, population.token):
        assert await server.check_token(token) == "Küche"
    with pytest.raises(errors.NotPermittedError):
        await server.check_token("marker")
    await population.server.restart()
    with pytest.raises(errors.NotPermittedError):
        await server.check_token(transient)


@pytest.mark.parametrize("body", ["5", "{}", '{"MediaContainer": []}'])
async def test_check_token_needs_the_answer_of_a_server(
    server: PlexServer, population: Population, body: str
) -> None:
    """A page of some portal does not prove that a token is taken."""
    population.server.faults.set("root", Fault.body(body))
    with pytest.raises(errors.UnexpectedAnswerError):
        await server.check_token(population.server_token)


async def test_transient_token(
    plex: PlexSimulator, server: PlexServer, population: Population
) -> None:
    """A transient token is asked for by POST, and the server knows it."""
    token = await server.transient_token(population.server_token)
    assert population.server.accepts_transient_token(token.token)
    (request,) = plex.requests_to("security_token")
    assert request.method == "POST"
    assert dict(request.query) == {"type": "delegation", "scope": "all"}


@pytest.mark.parametrize("status", FALLBACK_STATUSES)
async def test_older_server_is_asked_by_get(
    plex: PlexSimulator, server: PlexServer, population: Population, status: int
) -> None:
    """Where POST is not known GET is tried, each time: the server may be updated."""
    token = population.server_token
    population.server.allow_post_token = False
    population.server.post_refusal_status = status
    await server.transient_token(token)
    population.server.allow_post_token = True
    await server.transient_token(token)
    methods = [request.method for request in plex.requests_to("security_token")]
    assert methods == ["POST", "GET", "POST"]


async def test_server_without_transient_tokens(
    plex: PlexSimulator, server: PlexServer, population: Population
) -> None:
    """Where neither way is known each is tried once."""
    population.server.faults.set("security_token", Fault.status(404))
    with pytest.raises(errors.NotFoundError):
        await server.transient_token(population.server_token)
    assert len(plex.requests_to("security_token")) == 2


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_token_is_not_tried_in_another_way(
    plex: PlexSimulator, server: PlexServer, population: Population, status: int
) -> None:
    """A refusal is one, whichever of the two statuses it has."""
    population.server.security_refusal_status = status
    with pytest.raises(errors.NotPermittedError):
        await server.transient_token("marker")
    assert len(plex.requests_to("security_token")) == 1


@pytest.mark.parametrize("as_list", [False, True])
async def test_source(
    plex: PlexSimulator, server: PlexServer, population: Population, as_list: bool
) -> None:
    """A source has addresses and a token of its own."""
    population.server.device_as_list = as_list
    source = await server.source_connection_information(
        population.server_token, population.source, refresh=as_list
    )
    assert source.name == "Cellar"
    assert source.machine_identifier == population.other.machine_identifier
    assert len(source.connections) == len(population.other.connections)
    assert source.access_token is not None
    assert population.other.accepts_transient_token(source.access_token)
    (request,) = plex.requests_to("security_resources")
    refresh = "1" if as_list else "0"
    assert dict(request.query) == {"source": population.source, "refresh": refresh}


async def test_refused_sources(server: PlexServer, population: Population) -> None:
    """A guest, an unknown source, a text that is none and an old server differ."""
    ask = server.source_connection_information
    guest_token = population.server.access_token_for(population.guest)
    with pytest.raises(errors.NotPermittedError):
        await ask(guest_token, population.source)
    with pytest.raises(errors.NotFoundError):
        await ask(population.server_token, "server://unknown")
    with pytest.raises(errors.BadRequestError):
        await ask(population.server_token, "unknown")
    population.server.version = "1.15.3.858"
    with pytest.raises(errors.NotFoundError):
        await ask(population.server_token, population.source)


@pytest.mark.parametrize("text", ["a&token=b#c?d", "a b/../c", "ä\n\r\0", "%00", "+"])
async def test_source_text_stays_one_value(
    plex: PlexSimulator, server: PlexServer, population: Population, text: str
) -> None:
    """Whatever a source is called, it is one value of the query and nothing else."""
    with pytest.raises(errors.NotFoundError):
        await server.source_connection_information(
            population.server_token, f"provider://{text}"
        )
    (request,) = plex.requests_to("security_resources")
    assert dict(request.query) == {"source": f"provider://{text}", "refresh": "0"}


async def test_secure_connection_required(
    plex: PlexSimulator, server: PlexServer, plain: PlexServer, population: Population
) -> None:
    """A server that closes plain connections wants secure ones; over TLS it is closed."""
    await plain.identity()
    population.server.https_required = True
    plex.requests.clear()
    with pytest.raises(errors.SecureConnectionRequiredError) as caught:
        await plain.check_token("marker")
    assert caught.value.__cause__ is None
    assert plex.requests == []
    await server.identity()
    population.server.faults.set("identity", Fault.reset())
    with pytest.raises(errors.ConnectionClosedError):
        await server.identity()


async def test_half_an_answer_over_plain_http_is_no_wish_for_tls(
    plain: PlexServer, population: Population
) -> None:
    """A server that began to answer does not want another kind of connection."""
    population.server.faults.set("identity", Fault.half_body())
    with pytest.raises(errors.CannotConnectError) as caught:
        await plain.identity()
    assert type(caught.value) is errors.CannotConnectError


async def test_path_of_a_proxy_is_kept(
    transport: Transport, plex: PlexSimulator, population: Population
) -> None:
    """An address with a path, as behind a proxy, is the base of all calls."""
    server = PlexServer(transport, URL(f"{population.server.http_url}/plex"))
    with pytest.raises(errors.NotFoundError):
        await server.identity()
    assert plex.requests[-1].path == "/plex/identity"


@pytest.mark.parametrize(
    ("version", "supported"),
    [
        ("1.15.4", True),
        ("1.15.4.919-99670e8b9", True),
        ("1.15.3.858", False),
        ("1.9.7", False),
        ("0.9.12.19", False),
        ("2.0.0", True),
        ("1.43.2.10687-563d026ea", True),
        ("", True),
        (None, True),
        ("unknown", True),
        ("1." + "9" * 5000, True),
    ],
)
def test_supports_sources(version: str | None, supported: bool) -> None:
    """Sources came with version 1.15.4; a version that says nothing is trusted."""
    assert supports_sources(version) is supported


@pytest.mark.parametrize("as_xml", [False, True])
async def test_part(
    plex: PlexSimulator, server: PlexServer, population: Population, as_xml: bool
) -> None:
    """An item is asked for with the token in the header; its first part is found."""
    if as_xml:
        population.server.faults.set("item", Fault.xml_instead())
    path = await server.part(population.server_token, population.film)
    assert path == URL("/library/parts/100/1700000000/file.mkv")
    (request,) = plex.requests_to("item")
    assert request.query == {}
    assert request.headers["X-Plex-Token"] == population.server_token
    with pytest.raises(errors.NotFoundError):
        await server.part(population.server_token, Item(path="/library/metadata/9"))
    with pytest.raises(errors.NotPermittedError):
        await server.part("marker", population.film)


async def test_part_of_what_belongs_to_an_item(
    plex: PlexSimulator, server: PlexServer, population: Population
) -> None:
    """An album plays its first track; an artist has nothing that plays."""
    library, token = population.server.library, population.server_token
    artist = library.add(Kind.ARTIST, "The Neighbours")
    album = library.add(Kind.ALBUM, "Fences", parent=artist)
    first, _ = (
        library.add(Kind.TRACK, name, [f"{name}.flac"], parent=album) for name in "ab"
    )
    path = await server.part(token, Item(path=album.path))
    assert path == URL(first.versions[0][0].key)
    assert await server.part(token, Item(path=artist.path)) is None
    asked = [request.path for request in plex.requests_to("children")]
    assert asked == [f"{album.path}/children", f"{artist.path}/children"]


@pytest.mark.parametrize(
    "call", ["check_token", "try_token", "transient_token", "notifications"]
)
async def test_no_jwt(plex: PlexSimulator, server: PlexServer, call: str) -> None:
    """A Plex JWT is never sent to a server; that is no word about the account."""
    with pytest.raises(errors.NotPermittedError):
        await getattr(server, call)("eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJwbGV4LnR2In0.c2ln")
    assert all("X-Plex-Token" not in request.headers for request in plex.requests)
