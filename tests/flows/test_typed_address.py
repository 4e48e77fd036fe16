"""Addresses as people type them, at servers and proxies as people have them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth import clients
from custom_components.plex_auth.api import addresses
from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER
from homeassistant.data_entry_flow import FlowResultType
from tests.conftest import Dns, Network
from tests.harness import Harness
from tests.helpers import subentry_of
from tests.plex_simulator import Fault, MediaServer
from tests.walks.dialog import Dialog, server_dialog

LAN, TAILNET, PUBLIC = "192.168.1.5", "100.64.1.5", "203.0.113.9"
OLD = (
    '{"_elementType":"MediaContainer","machineIdentifier":"MACHINE",'
    '"version":"0.9.17.5.2291","_children":[]}'
)

type Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def entry(harness: Harness) -> MockConfigEntry:
    """Return Anna's entry without a server."""
    return await harness.add(harness.anna)


@pytest.fixture
def asked(dns: Dns) -> list[str]:
    """Return the names that were asked of the DNS."""
    names: list[str] = []
    resolve = dns.resolve

    async def _resolve(host: str, *args: Any, **options: Any) -> Any:
        names.append(host)
        return await resolve(host, *args, **options)

    dns.resolve = _resolve  # type: ignore[method-assign]
    return names


async def async_type(
    harness: Harness, entry: MockConfigEntry, text: str, **more: Any
) -> Dialog:
    """Type the address of a new server."""
    dialog = server_dialog(harness.hass, harness.simulator)
    await dialog.start((entry.entry_id, "server"), source=SOURCE_USER)
    await dialog.choose("address")
    await dialog.submit({"url": text, "verify_ssl": True, **more})
    return dialog


def found(entry: MockConfigEntry, server: MediaServer) -> str:
    """Return the address of a server that was added."""
    return str(subentry_of(entry, server).data["url"])


@asynccontextmanager
async def proxy(harness: Harness, prefix: str, other: Answer) -> AsyncIterator[str]:
    """Pass what is asked under a path to Anna's server; answer the rest otherwise."""

    async def pass_on(request: web.Request) -> web.StreamResponse:
        if not request.path.startswith(f"{prefix}/"):
            return await other(request)
        url = harness.server.http_url + request.path.removeprefix(prefix)
        async with (
            ClientSession() as session,
            session.get(url, headers=request.headers) as response,
        ):
            return web.Response(
                body=await response.read(),
                status=response.status,
                content_type=response.content_type,
            )

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", pass_on)
    async with TestServer(application) as running:
        yield f"http://127.0.0.1:{running.port}"


async def page(_: web.Request) -> web.StreamResponse:
    """Answer with a page, as other web servers do."""
    return web.Response(text="<html></html>", content_type="text/html")


async def missing(_: web.Request) -> web.StreamResponse:
    """Answer that nothing is there."""
    raise web.HTTPNotFound


async def sign_in(_: web.Request) -> web.StreamResponse:
    """Lead to the sign-in of a proxy."""
    raise web.HTTPFound("https://auth.example.com/?rd=https://plex.example.com/secret")


async def sign_in_here(_: web.Request) -> web.StreamResponse:
    """Lead to the sign-in of a proxy at the same address."""
    raise web.HTTPFound("/login")


# Proxies and ports


@pytest.mark.parametrize("host", [PUBLIC, LAN])
async def test_proxy_at_443(
    harness: Harness, entry: MockConfigEntry, dns: Dns, network: Network, host: str
) -> None:
    """A server behind a proxy is found by its name alone."""
    dns.names["plex.example.com"] = (host,)
    network[host, 443] = harness.server.port
    await async_type(harness, entry, "plex.example.com", verify_ssl=False)
    assert found(entry, harness.server) == "https://plex.example.com"


async def test_other_web_server_at_443(
    harness: Harness, entry: MockConfigEntry, network: Network
) -> None:
    """The certificate of another web server says nothing of a server that is down."""
    network[LAN, 443] = harness.server.port
    dialog = await async_type(harness, entry, LAN)
    assert dialog.errors == {"base": "cannot_connect"}
    dialog = await async_type(harness, entry, f"https://{LAN}")
    assert dialog.errors == {"base": "certificate_error"}
    # Where https was typed, it may be that of Plex at Plex's port.
    network.clear()
    network[LAN, 32400] = harness.server.port
    await dialog.submit({"url": f"https://{LAN}", "verify_ssl": True})
    assert dialog.errors == {"base": "certificate_error"}


@pytest.mark.parametrize(
    ("name", "host", "is_found"),
    [
        ("nas.fritz.box", LAN, True),
        ("nas.home", LAN, True),
        ("plex.home.example.com", LAN, True),
        ("nas.tail1234.ts.net", TAILNET, True),
        ("plex.example.com", PUBLIC, False),
        ("nas.local", PUBLIC, False),
    ],
)
async def test_name_is_what_it_resolves_to(
    harness: Harness,
    entry: MockConfigEntry,
    dns: Dns,
    network: Network,
    name: str,
    host: str,
    is_found: bool,
) -> None:
    """Plain http is tried where a name does not lead to the internet."""
    dns.names[name] = (host,)
    network[host, 32400] = harness.server.port
    dialog = await async_type(harness, entry, name)
    if is_found:
        assert found(entry, harness.server) == f"http://{name}:32400"
    else:
        assert dialog.errors == {"base": "certificate_error"}
        await dialog.submit({"url": f"http://{name}:32400", "verify_ssl": True})
        assert found(entry, harness.server) == f"http://{name}:32400"


async def test_name_that_is_also_public(
    harness: Harness, entry: MockConfigEntry, dns: Dns, network: Network
) -> None:
    """A name that leads to the internet, too, is no name of the own network."""
    dns.names["nas.example.com"] = (LAN, PUBLIC)
    for host in (LAN, PUBLIC):
        network[host, 32400] = harness.server.port
    dialog = await async_type(harness, entry, "nas.example.com")
    assert dialog.errors == {"base": "certificate_error"}


async def test_name_that_does_not_resolve(
    harness: Harness, entry: MockConfigEntry, asked: list[str]
) -> None:
    """A name without an address is told of."""
    dialog = await async_type(harness, entry, "nas.example.com")
    assert dialog.errors == {"base": "dns_error"}
    assert set(asked) == {"nas.example.com"}


async def test_slow_dns(
    harness: Harness, entry: MockConfigEntry, dns: Dns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it takes too long to see that a name leads home, plain http is not tried."""
    monkeypatch.setattr(clients, "_RESOLVE_TIMEOUT_SECONDS", 0.01)
    resolve = dns.resolve

    async def _resolve(host: str, *args: Any, **options: Any) -> Any:
        await asyncio.sleep(0.1)
        return await resolve(host, *args, **options)

    monkeypatch.setattr(dns, "resolve", _resolve)
    dialog = await async_type(harness, entry, f"localhost:{harness.server.port}")
    assert dialog.errors == {"base": "certificate_error"}


# Paths


@pytest.mark.parametrize(
    "typed",
    [
        "/plex",
        "/plex/",
        "/plex/web/index.html#!/settings/web",
        "/plex/library/metadata/1?X-Plex-Token=x",
        "/plex/identity",
    ],
)
async def test_proxy_with_a_path(
    harness: Harness, entry: MockConfigEntry, typed: str
) -> None:
    """A path is kept where Plex answers under it."""
    async with proxy(harness, "/plex", page) as url:
        await async_type(harness, entry, f"{url}{typed}")
        assert found(entry, harness.server) == f"{url}/plex"


@pytest.mark.parametrize(
    "path",
    [
        "/identity",
        "/library/",
        "/library/metadata/1",
        "/hubs",
        "/status/sessions",
        "/plex",
        "/:/prefs",
    ],
)
@pytest.mark.parametrize("scheme", ["", "http://"])
async def test_path_that_is_dropped(
    harness: Harness, entry: MockConfigEntry, scheme: str, path: str
) -> None:
    """A path of Plex itself, or of nothing, leads to the server."""
    server = harness.server.http_url
    await async_type(harness, entry, server.replace("http://", scheme) + path)
    assert found(entry, harness.server) == server


async def test_server_that_refuses_a_path(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """A server asks for a token at paths that it does not know: it has no such path."""
    identity = {"machineIdentifier": harness.server.machine_identifier}

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path != "/identity":
            raise web.HTTPUnauthorized
        return web.json_response({"MediaContainer": identity})

    async with proxy(harness, "/nowhere", answer) as url:
        await async_type(harness, entry, f"{url}/hubs")
        assert found(entry, harness.server) == url


@pytest.mark.parametrize(
    ("answer", "errors"),
    [
        (page, {"url": "not_a_plex_server"}),
        (missing, {"url": "not_a_plex_server"}),
        (sign_in, {"url": "redirected"}),
        (sign_in_here, {"url": "redirected"}),
    ],
)
@pytest.mark.parametrize("path", ["", "/plex"])
async def test_neither_path_nor_server(
    harness: Harness,
    entry: MockConfigEntry,
    answer: Answer,
    path: str,
    errors: dict[str, str],
) -> None:
    """Where Plex answers nowhere, it is said what does."""
    async with proxy(harness, "/nowhere", answer) as url:
        dialog = await async_type(harness, entry, f"{url}{path}")
        assert dialog.errors == errors
        assert dialog.shown["url"] == f"{url}{path}"


async def test_path_of_a_server_that_is_away(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """What the proxy says of the server at the path counts, not the page beside it."""
    harness.server.faults.set("identity", Fault.status(502))
    async with proxy(harness, "/plex", page) as url:
        dialog = await async_type(harness, entry, f"{url}/plex")
        assert dialog.errors == {"base": "unavailable"}


# Redirects


@pytest.mark.parametrize("path", ["", "/plex"])
async def test_redirect_to_https(
    harness: Harness,
    entry: MockConfigEntry,
    dns: Dns,
    network: Network,
    path: str,
) -> None:
    """A proxy that wants https gets it, at the address that it names."""
    dns.names["plex.example.com"] = (PUBLIC,)
    network[PUBLIC, 443] = harness.server.port

    async def to_https(request: web.Request) -> web.StreamResponse:
        raise web.HTTPMovedPermanently(f"https://plex.example.com{request.path_qs}")

    async with proxy(harness, "/nowhere", to_https) as url:
        network[PUBLIC, 80] = int(url.rpartition(":")[2])
        text = f"http://plex.example.com{path}"
        await async_type(harness, entry, text, verify_ssl=False)
    # The simulated server answers 404 under a path.
    assert found(entry, harness.server) == "https://plex.example.com"
    # The only requests without TLS went to the proxy.
    requests = harness.simulator.requests_to("identity")
    assert requests
    assert all(request.secure for request in requests)
    assert f"{path}/identity" in {one.path for one in harness.simulator.requests}


@pytest.mark.parametrize(
    "target",
    [
        "https://other.example.com/identity",
        "http://127.0.0.1:1/identity",
        "https://plex.tv/identity",
        "//other.example.com",
        "https://[",
        "https://user:password@other.example.com",
        "/",
        "",
    ],
)
async def test_redirect_elsewhere(
    harness: Harness, entry: MockConfigEntry, asked: list[str], target: str
) -> None:
    """A redirect to another host is not followed, and nothing of it is shown."""
    asked.clear()
    harness.server.faults.set("identity", Fault.redirect(target, 301))
    dialog = await async_type(harness, entry, harness.server.http_url)
    assert dialog.errors == {"url": "redirected"}
    assert asked == []
    harness.server.faults.clear("identity")
    await dialog.submit({"url": harness.server.http_url, "verify_ssl": True})
    assert dialog.type is FlowResultType.CREATE_ENTRY


async def test_redirect_in_circles(harness: Harness, entry: MockConfigEntry) -> None:
    """A redirect is followed once."""
    url = f"https://127.0.0.1:{harness.server.port}"
    harness.server.faults.set("identity", Fault.redirect(f"{url}/identity"))
    dialog = await async_type(harness, entry, harness.server.http_url, verify_ssl=False)
    assert dialog.errors == {"url": "redirected"}
    assert len(harness.simulator.requests_to("identity")) == 2


# Tokens


async def test_view_xml(
    harness: Harness, plex_direct: None, entry: MockConfigEntry
) -> None:
    """The address of "View XML" is that of its server, and its token goes nowhere."""
    token = harness.anna.sign_in_token("browser")
    text = f"{harness.server.https_url}/library/metadata/1?X-Plex-Token={token}"
    harness.simulator.requests.clear()
    await async_type(harness, entry, text)
    assert found(entry, harness.server) == harness.server.https_url
    (identity,) = harness.simulator.requests_to("identity")[:1]
    assert token not in str(identity)
    assert token not in str(subentry_of(entry, harness.server).data)


TOKEN = "yFq2Xx_8kL-0aBcDeFgH"


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("http//nas/library?X-Plex-Token={}", "http//nas/library"),
        ("{server}/library?X-Plex-Token={}", "{server}/library"),
        ("{server}/library&X-Plex-Token={}", "{server}/library"),
        ("http://anna:{}@nas:32400", "nas:32400"),
        ("{}", ""),
    ],
)
@pytest.mark.parametrize("step", ["address", "reconfigure"])
async def test_token_is_not_shown_again(
    harness: Harness,
    caplog: pytest.LogCaptureFixture,
    step: str,
    typed: str,
    shown: str,
) -> None:
    """After an error, in whatever field, a form has no token in the address."""
    dialog = server_dialog(harness.hass, harness.simulator)
    text = typed.format(TOKEN, server=harness.server.http_url)
    if step == "address":
        entry = await harness.add(harness.anna)
        harness.server.owner = harness.ben
        harness.server.shared_with.clear()
        await entry.runtime_data.account.servers.renew(now=True)
        dialog = await async_type(harness, entry, text, token="two words")
    else:
        entry = await harness.add(harness.anna, harness.server)
        await dialog.start(
            (entry.entry_id, "server"),
            source=SOURCE_RECONFIGURE,
            subentry_id=subentry_of(entry, harness.server).subentry_id,
        )
        await dialog.submit({"url": text, "verify_ssl": True, "sources": ["podcasts"]})
    assert dialog.errors
    assert dialog.shown["url"] == shown.format(server=harness.server.http_url)
    assert TOKEN not in str(dialog.result)
    assert TOKEN not in caplog.text
    assert TOKEN not in str(harness.simulator.requests)


@pytest.mark.parametrize(
    "text",
    [
        "http//192.168.1.10",
        "http:/192.168.1.10",
        "https:/x",
        "http://http://192.168.1.10",
        "https://http//nas",
        "htp://nas",
        f"{TOKEN}",
        "eyJhbGciOi.eyJpc3MiOi.c2ln",
        f"nas&X-Plex-Token={TOKEN}",
    ],
)
async def test_nothing_is_asked_for_a_slip(
    harness: Harness, entry: MockConfigEntry, asked: list[str], text: str
) -> None:
    """What cannot be understood is refused before any name is asked for."""
    asked.clear()
    harness.simulator.requests.clear()
    dialog = await async_type(harness, entry, text)
    assert dialog.errors == {"url": "invalid_url"}
    assert asked == []
    assert not harness.simulator.requests_to("identity")


async def test_port_after_a_slash(harness: Harness, entry: MockConfigEntry) -> None:
    """A port that is typed after a slash is the port."""
    port = harness.server.port
    await async_type(harness, entry, f"http://127.0.0.1/:{port}")
    assert found(entry, harness.server) == harness.server.http_url


# Old servers


async def test_server_before_1_3(harness: Harness, entry: MockConfigEntry) -> None:
    """The JSON of old servers is read."""
    identity = OLD.replace("MACHINE", harness.server.machine_identifier)
    harness.server.faults.set("identity", Fault.body(identity))
    with patch.object(addresses, "PLEX_PORT", harness.server.port):
        await async_type(harness, entry, "127.0.0.1")
    await harness.settle()
    assert found(entry, harness.server) == harness.server.http_url
    assert harness.state("binary_sensor.reachable") == "on"
    assert (
        entry.runtime_data.servers[
            subentry_of(entry, harness.server).subentry_id
        ].access.version
        == "0.9.17.5.2291"
    )
