"""What a person typed, checked."""

from unittest.mock import AsyncMock

import pytest

from custom_components.plex_auth.api.bodies import Json
from custom_components.plex_auth.api.models import ListedServer
from custom_components.plex_auth.api.server import is_source
from custom_components.plex_auth.flows import checks
from custom_components.plex_auth.flows.checks import FormError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("acctAbc-_123", True),
        (" with-spaces-around ", True),
        ("transient-2c5f2b9e-5f0c-4a55-a1f7-1ed5d4b0a3cc", True),
        ("", False),
        (" ", False),
        ("two words", False),
        ("tab\there", False),
        ("two\nlines", False),
        ("null\0", False),
        ("tökenn", False),
        ("zero\u200bwidth", False),
    ],
)
def test_token(text: str, expected: bool) -> None:
    """A token is whatever fits into a header as it is, without spaces around it."""
    if expected:
        assert checks.token(text) == text.strip()
        return
    with pytest.raises(FormError) as caught:
        checks.token(text, "token")
    assert caught.value.errors == {"token": "invalid_token"}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJwbGV4LnR2In0.c2ln", "jwt_token"),
        (" eyJ.. ", "jwt_token"),
        ("eyJ a.b.c", "jwt_token"),
        ("eyJhbGciOi.eyJpc3MiOi", None),
        ("eyJhbGciOi.a.b.c", None),
        ("xeyJ.a.b", None),
        ("a.b.c", None),
    ],
)
def test_jwt(text: str, key: str | None) -> None:
    """A token of three parts that begins with eyJ is a Plex JWT."""
    if key is None:
        assert checks.token(text) == text
        return
    with pytest.raises(FormError) as caught:
        checks.token(text, "token")
    assert caught.value.errors == {"token": key}


async def test_name_of_a_server_with_unprotected_addresses_only() -> None:
    """There is no address to ask where a token would be unprotected at all of them."""
    row: Json = {
        "name": "Afar",
        "clientIdentifier": "0123",
        "provides": "server",
        "owned": True,
        "connections": [
            {
                "protocol": "http",
                "address": "8.8.8.8",
                "port": 32400,
                "uri": "http://8.8.8.8:32400",
            }
        ],
    }
    with pytest.raises(FormError) as caught:
        await checks.async_address(
            "Afar", AsyncMock(return_value=None), ListedServer.parse_servers([row])
        )
    assert caught.value.errors == {"url": "unprotected_only"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server://0123456789abcdef", True),
        ("provider://tv.plex.provider.podcasts", True),
        ("server://0123/tv.plex.provider", True),
        ("", False),
        ("server://" + "0" * 128, True),
        ("server://" + "0" * 129, False),
        ("server://", False),
        ("provider:// ", False),
        ("server:/0123", False),
        ("SERVER://0123", False),
        ("http://0123", False),
        ("0123456789abcdef", False),
        ("server://two words", False),
        ("server://ümlaut", False),
        (" server://0123", False),
    ],
)
def test_source(text: str, expected: bool) -> None:
    """A source is server:// or provider:// followed by an identifier."""
    assert is_source(text) is expected
    if expected:
        assert checks.sources([text, text], []) == [text]
        return
    with pytest.raises(FormError) as caught:
        checks.sources(["server://0123", text], [])
    assert caught.value.errors == {"sources": "invalid_source"}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("http://plex.tv/api/v2", "api_url_not_protected"),
        ("HTTP://PLEX.TV", "api_url_not_protected"),
        ("http://8.8.8.8/api/v2", "api_url_not_protected"),
        ("http://100.64.0.1", "api_url_not_protected"),
        ("http://198.18.0.1", "api_url_not_protected"),
        ("http://nas", "api_url_not_protected"),
        ("http://nas.local:8080", "api_url_not_protected"),
        ("http://localhost.example.com", "api_url_not_protected"),
        ("http://169.254.169.254", "invalid_url"),
        ("ftp://192.168.1.2", "invalid_url"),
        ("http://192.168.1.2:8080/api/v2", None),
        ("http://[fd00::1]:8080", None),
        ("http://127.0.0.1:1/api/v2/", None),
        ("http://[::1]:1", None),
        ("http://localhost:1", None),
        ("https://plex.tv/api/v2", None),
        ("https://8.8.8.8", None),
        ("https://plex.example.com", None),
        ("", None),
    ],
)
def test_api_url(text: str, key: str | None) -> None:
    """The password goes over plain http only to a number at home, or to this machine."""
    typed = {"api_url": f" {text} "}
    if key is None:
        assert checks.advanced(typed, [])["api_url"] == text.rstrip("/")
        return
    with pytest.raises(FormError) as caught:
        checks.advanced(typed, [])
    assert caught.value.errors == {"api_url": key}


def listed_server(name: str, *, owned: bool) -> ListedServer:
    """Return a server that plex.tv lists."""
    row: Json = {
        "name": name,
        "clientIdentifier": "abc",
        "provides": "server",
        "owned": owned,
        "connections": [{"uri": "https://listed.example:32400"}],
    }
    (server,) = ListedServer.parse_servers([row])
    return server


@pytest.mark.parametrize(
    ("name", "owned", "is_name"),
    [
        ("Living Room", False, True),
        ("Living Room", True, True),
        ("nas", True, True),
        ("nas", False, False),
        ("192.168.1.10", True, False),
        ("192.168.1.10", False, False),
        ("nas:32400", True, False),
        ("nas.local", True, False),
        ("https://nas", True, False),
        ("fd00::1", True, False),
    ],
)
async def test_address_comes_before_a_name(
    name: str, owned: bool, is_name: bool
) -> None:
    """A friend cannot name a server like an address that is typed."""
    listed = [listed_server(name, owned=owned)]
    meant = await checks.async_address(name, AsyncMock(return_value=None), listed)
    assert (meant.machine_identifier == "abc") is is_name
    hosts = {route.url.host for routes in meant.ranks for route in routes}
    assert ("listed.example" in hosts) is is_name
