"""Which addresses may be asked, which are private or public, and what a person typed."""

import pytest

from custom_components.plex_auth.api.addresses import (
    is_private,
    is_public,
    parse_address,
    parse_listed_address,
    shown_address,
    typed_addresses,
)


@pytest.mark.parametrize(
    "text",
    [
        "http://192.168.1.2:32400",
        "https://192-168-1-2.x.plex.direct:32400",
        "https://example.org",
        "HTTPS://EXAMPLE.ORG:443/",
        "https://example.org/plex",
        "http://[::1]:32400",
        "http://[fd00::2]:32400",
        "http://127.0.0.1:32400",
        "https://bücher.example:1",
        "http://homeassistant:32400",
        "http://a1:80",
        "http://1a.2b:80",
    ],
)
def test_addresses_that_requests_may_go_to(text: str) -> None:
    """Names and addresses with http or https are what servers have."""
    url = parse_address(text)
    assert url is not None
    assert url.scheme in ("http", "https")
    assert url.port


REFUSED = (
    "",
    "x",
    "example.org:32400",
    "//example.org",
    "https://",
    "https:///path",
    "javascript:alert(1)",
    "javascript://example.org/%0aalert(1)",
    "file:///etc/passwd",
    "file://example.org/etc/passwd",
    "data:text/html,x",
    "ftp://example.org",
    "ws://example.org",
    "https://user@example.org",
    "https://user:password@example.org",
    "https://:password@example.org",
    "https://plex.tv@example.org:443",
    "https://example.org?X-Plex-Token=x",
    "https://example.org#x",
    "https://example.org:0",
    "https://example.org:99999",
    "https://example.org:-1",
    "https://example.org:port",
    "http://169.254.169.254/latest/meta-data",
    "https://169.254.0.1:32400",
    "http://[fe80::1]:32400",
    "http://[fe80::1%25eth0]:32400",
    "http://[::ffff:169.254.169.254]:80",
    "http://[::ffff:a9fe:a9fe]:80",
    "http://2852039166",
    "http://0xA9FEA9FE",
    "http://0251.0376.0251.0376",
    "http://169.254.43518",
    "http://169.254.169.254.",
    "http://１６９.254.169.254",
    "http://169。254。169。254",
    "http://%31%36%39.254.169.254",
    "http://0.0.0.0:32400",
    "http://[::]:32400",
    "http://224.0.0.1:32400",
    "http://[ff02::1]:32400",
    "http://255.255.255.255:32400",
    "http://240.0.0.1:32400",
    "http://[::1",
    "https://[]@",
    "http://\ud800.example",
    "http://two words",
    "http://169.254.169.254 x",
    "http://a%00b",
    "http://a\\b",
)


def test_addresses_that_no_request_goes_to() -> None:
    """Other schemes, credentials, ports that are none and metadata services are refused."""
    assert [text for text in REFUSED if parse_address(text) is not None] == []


# Whether a host is private, and whether it is public.
HOSTS = {
    "192.168.1.2": (True, False),
    "10.0.0.1": (True, False),
    "172.16.0.1": (True, False),
    "127.0.0.1": (True, False),
    "::1": (True, False),
    "fd00::1": (True, False),
    "::ffff:192.168.1.2": (True, False),
    "::ffff:8.8.8.8": (False, True),
    "8.8.8.8": (False, True),
    "172.32.0.1": (False, True),
    "2606:4700::1111": (False, True),
    "169.254.1.1": (False, False),
    "fe80::1": (False, False),
    "100.64.0.1": (False, False),
    "0.1.2.3": (False, True),
    "198.18.0.1": (False, True),
    "203.0.113.9": (False, True),
    "2002:c0a8:102::1": (False, True),
    "2001::1": (False, True),
    "64:ff9b:1::c0a8:102": (False, True),
    "2001:db8::1": (False, True),
    # What says nothing: names, and answers of a blocker.
    "example.org": (False, None),
    "nas.local": (False, None),
    "0.0.0.0": (False, None),
    "::": (False, None),
    "": (False, None),
}


def test_private_and_public() -> None:
    """Private is an address at home; public is an address of the internet."""
    assert {host: (is_private(host), is_public([host])) for host in HOSTS} == HOSTS
    assert not is_private(None)


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ([], None),
        (["192.168.1.2", "fd00::2", "100.64.0.1"], False),
        (["192.168.1.2", "0.0.0.0"], False),
        (["192.168.1.2", "8.8.8.8"], True),
        (["2606:4700::1111", "192.168.1.2"], True),
    ],
)
def test_name_of_several_addresses(addresses: list[str], expected: bool | None) -> None:
    """A name is public where any of its addresses is."""
    assert is_public(addresses) is expected


HTTPS, BOTH = ("https",), ("https", "http")


@pytest.mark.parametrize(
    ("text", "schemes", "rest"),
    [
        (" 192.168.1.10:8443 ", BOTH, "192.168.1.10:8443"),
        ("nas:32400", BOTH, "nas:32400"),
        ("NAS:32400/", BOTH, "nas:32400"),
        ("[fd00::2]:1234", BOTH, "[fd00::2]:1234"),
        ("nas:32400/web", BOTH, "nas:32400"),
        ("nas:32400/web/", BOTH, "nas:32400"),
        ("nas:32400/web/index.html#!/settings/web", BOTH, "nas:32400"),
        ("nas:32400/plex", BOTH, "nas:32400/plex"),
        ("nas/:8443", BOTH, "nas:8443"),
        ("10-0-0-2.0123.plex.direct:32400", HTTPS, "10-0-0-2.0123.plex.direct:32400"),
        ("http://plex.example.org:8080", ("http",), "plex.example.org:8080"),
        (
            "http://nas:32400/web/index.html#!/server/0/details?key=%2F",
            ("http",),
            "nas:32400",
        ),
        ("https://nas:32400/web?x=1#!/", HTTPS, "nas:32400"),
        ("https://example.org:443/plex/web/index.html#!/", HTTPS, "example.org/plex"),
        ("https://example.org:443/plex", HTTPS, "example.org/plex"),
        ("https://example.org:443/a//plex-1.0/", HTTPS, "example.org/a/plex-1.0"),
        ("http://web:32400", ("http",), "web:32400"),
        ("MyVeryLongServerName.local:1", BOTH, "myverylongservername.local:1"),
        ("http://fd00::2/:32400", ("http",), "[fd00::2]:32400"),
        ("http://192.168.1.10/:32400", ("http",), "192.168.1.10:32400"),
        ("http://192.168.1.10//:32400/web", ("http",), "192.168.1.10:32400"),
        ("HTTP://192.168.1.10:32400", ("http",), "192.168.1.10:32400"),
        ("http://nas:32400/identity", ("http",), "nas:32400"),
        ("http://nas:32400/library/", ("http",), "nas:32400"),
        ("https://example.org:443/plex/identity", HTTPS, "example.org/plex"),
        # "View XML", with a token in it or not.
        (
            "https://192-168-1-10.0123.plex.direct:32400/library/metadata/1"
            "?checkFiles=1&X-Plex-Token=yFq2Xx_8kL-0aBcDeFgH",
            HTTPS,
            "192-168-1-10.0123.plex.direct:32400",
        ),
        ("https://nas:32400/library/metadata/1", HTTPS, "nas:32400"),
        (
            "https://example.org:443/plex/library/sections?X-Plex-Token=x",
            HTTPS,
            "example.org/plex",
        ),
        ("nas:32400?X-Plex-Token=x", BOTH, "nas:32400"),
        ("nas:32400/#x", BOTH, "nas:32400"),
        # A path that no proxy has is none.
        ("https://nas:32400/plex&X-Plex-Token=x", HTTPS, "nas:32400"),
        ("https://nas:32400/yFq2Xx_8kL-0aBcDeFgH", HTTPS, "nas:32400"),
        ("https://nas:32400/a%3FX-Plex-Token%3Dx", HTTPS, "nas:32400"),
    ],
)
def test_typed_addresses(text: str, schemes: tuple[str, ...], rest: str) -> None:
    """What a person types is understood, secure first; the rest of it is dropped."""
    found = [str(url) for url in typed_addresses(text, is_public=False)]
    assert [url.replace(":443", "") for url in found] == [
        f"{scheme}://{rest}" for scheme in schemes
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("http://nas", ["http://nas", "http://nas:32400"]),
        ("https://[::1]/web/", ["https://[::1]", "https://[::1]:32400"]),
        ("http://web/web", ["http://web", "http://web:32400"]),
    ],
)
def test_typed_scheme_without_a_port(text: str, found: list[str]) -> None:
    """A typed scheme means its own port, or else that of Plex."""
    for public in (True, False):
        urls = typed_addresses(text, is_public=public)
        assert [str(url) for url in urls] == found


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("192.168.1.10", "192.168.1.10"),
        ("nas", "nas"),
        ("nas.local", "nas.local"),
        ("plex.example.org", "plex.example.org"),
        ("[::1]", "[::1]"),
        ("::1", "[::1]"),
        ("web", "web"),
        ("nas/web/index.html", "nas"),
    ],
)
def test_typed_without_scheme_and_port(text: str, host: str) -> None:
    """Plex's port comes before a proxy's; plain http only where it stays at home."""
    plex, proxy = f"https://{host}:32400", f"https://{host}"
    for public, guesses in (
        (False, [plex, f"http://{host}:32400", proxy]),
        (True, [plex, proxy]),
    ):
        urls = typed_addresses(text, is_public=public)
        assert [str(url) for url in urls] == guesses


OF_NO_SERVER = (
    "",
    " ",
    "Living Room",
    "https://",
    "javascript:alert(1)",
    "ftp://nas",
    "user:secret@nas:32400",
    "http://user:secret@nas:32400/?x",
    "nas:99999",
    "nas:80/:32400",
    "[]@",
    "https://[]@/",
    "169.254.169.254",
    "0.0.0.0",
    "2130706433",
    "https://app.plex.tv/desktop/#!/server/0123/details?key=%2Flibrary",
    "app.plex.tv",
    "https://APP.plex.tv./web/index.html#!/",
    "https://plex.tv/web/index.html",
    "plex.tv:32400",
    "yFq2Xx_8kL-0aBcDeFgH",
    "yFq2Xx_8kL-0aBcDeFgH/",
    "https://yFq2Xx_8kL-0aBcDeFgH",
    "yFq2Xx_8kL-0aBcDeFgH:32400",
    "eyJhbGciOi.eyJpc3MiOi.c2ln",
    "transient-2f0f3f0c-7d2f-4c4e-9b1a-6c5f7f0e8a11",
    "claim-yFq2Xx8kL0aBcDeFgHiJ",
    "http",
    "http:",
    "https:32400",
    "http//192.168.1.10",
    "http:/192.168.1.10",
    "https:/x",
    "http:192.168.1.10",
    "http.//192.168.1.10",
    "http;//192.168.1.10",
    "http:\\192.168.1.10",
    "http:///192.168.1.10",
    "http://http://192.168.1.10",
    "https://http//192.168.1.10:32400",
    "http://HTTPS/",
    "htp://192.168.1.10",
    "htp:/192.168.1.10",
    "htp//192.168.1.10",
    "h2://192.168.1.10",
    "nas:32400://192.168.1.10",
    "://192.168.1.10",
    "//192.168.1.10",
    "/identity",
    "?X-Plex-Token=x",
    "nas&X-Plex-Token=x",
    "nas:32400&X-Plex-Token=x",
)


def test_typed_addresses_of_no_server() -> None:
    """What no server can be at is not guessed at."""
    assert [text for text in OF_NO_SERVER if typed_addresses(text)] == []


TOKEN = "yFq2Xx_8kL-0aBcDeFgH"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        (" nas:32400 ", "nas:32400"),
        ("Living Room", "Living Room"),
        ("Carla's Films (Carla)", "Carla's Films (Carla)"),
        ("http://nas:32400/plex", "http://nas:32400/plex"),
        ("http//nas", "http//nas"),
        ("nas:99999", "nas:99999"),
        (
            f"https://nas:32400/library/metadata/1?X-Plex-Token={TOKEN}",
            "https://nas:32400/library/metadata/1",
        ),
        ("https://nas/web/index.html#!/x", "https://nas/web/index.html"),
        ("http//nas?X-Plex-Token=short", "http//nas"),
        ("nas&X-Plex-Token=short", "nas"),
        ("nas%3FX-Plex-Token%3Dshort", "nas"),
        ("nas X-Plex-Token: short", "nas"),
        ("https://user:secret@nas:32400", "nas:32400"),
        ("https://user:se?cr/et@nas:32400/web", "nas:32400/web"),
        (TOKEN, ""),
        (f"https://{TOKEN}", ""),
        (f"nas:32400/{TOKEN}.", ""),
        (f"Token {TOKEN}", ""),
        ("claim-yFq2Xx8kL0aBcDeFgHiJ", ""),
        ("transient-2f0f3f0c-7d2f-4c4e-9b1a-6c5f7f0e8a11", ""),
        ("eyJhbGciOi.eyJpc3MiOi.c2ln", ""),
    ],
)
def test_shown_address(text: str, shown: str) -> None:
    """What a form shows again of an address has no password and no token in it."""
    assert shown_address(text) == shown


@pytest.mark.parametrize("letter", ["\u00fc", "\u0660", "\ufdfa", "\U0001f468"])
def test_listed_name_in_other_letters(letter: str) -> None:
    """Only plain letters are read: encoding 128 long names would take up to 9 seconds."""
    assert parse_listed_address(f"https://{letter}.example:32400") is None
    assert parse_listed_address(f"https://{letter * 1000}:32400") is None
    assert parse_listed_address("https://xn--bcher-kva.example:32400") is not None


def test_listed_name_that_is_long() -> None:
    """No name is longer in DNS; decoding those of 1,000 characters takes a while."""
    longest = ".".join(["a" * 63] * 3 + ["a" * 61])
    assert parse_listed_address(f"https://{longest}:32400") is not None
    assert parse_listed_address(f"https://{'a.' * 145}a:1") is None
    assert parse_listed_address(f"https://xn--{'a' * 980}:1") is None
