"""Which addresses may be asked, which are private or public, and what a person typed."""

import time

import pytest

from custom_components.plex_auth.api.addresses import (
    is_private,
    is_public,
    parse_address,
    parse_listed_address,
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
    "example.org": (False, True),
    "example.org.": (False, True),
    "192-168-1-2.x.plex.direct": (False, True),
    "nas": (False, False),
    "nas.local": (False, False),
    "nas.home.arpa.": (False, False),
    "": (False, False),
    None: (False, False),
}


def test_private_and_public() -> None:
    """Private is an address at home; public is an address or a name of the internet."""
    assert {host: (is_private(host), is_public(host)) for host in HOSTS} == HOSTS


HTTPS, BOTH = ("https",), ("https", "http")


@pytest.mark.parametrize(
    ("text", "schemes", "rest"),
    [
        ("192.168.1.10", BOTH, "192.168.1.10:32400"),
        (" 192.168.1.10:8443 ", BOTH, "192.168.1.10:8443"),
        ("nas", BOTH, "nas:32400"),
        ("nas:32400", BOTH, "nas:32400"),
        ("nas.local", BOTH, "nas.local:32400"),
        ("NAS:32400/", BOTH, "nas:32400/"),
        ("[::1]", BOTH, "[::1]:32400"),
        ("::1", BOTH, "[::1]:32400"),
        ("[fd00::2]:1234", BOTH, "[fd00::2]:1234"),
        ("nas:32400/web", BOTH, "nas:32400"),
        ("nas:32400/web/", BOTH, "nas:32400"),
        ("nas:32400/web/index.html#!/settings/web", BOTH, "nas:32400"),
        ("nas/web/index.html", BOTH, "nas:32400"),
        # To the internet no token goes by plain http, unless that was typed.
        ("plex.example.org", HTTPS, "plex.example.org:32400"),
        ("8.8.8.8:32400", HTTPS, "8.8.8.8:32400"),
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
        ("http://web:32400", ("http",), "web:32400"),
        ("web", BOTH, "web:32400"),
    ],
)
def test_typed_addresses(text: str, schemes: tuple[str, ...], rest: str) -> None:
    """What a person types is understood: secure first, and plain only at home."""
    found = [str(url) for url in typed_addresses(text)]
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
    assert [str(url) for url in typed_addresses(text)] == found


OF_NO_SERVER = (
    "",
    " ",
    "Living Room",
    "https://",
    "javascript:alert(1)",
    "ftp://nas",
    "user:secret@nas:32400",
    "http://nas:32400/?X-Plex-Token=x",
    "http://nas:32400/#x",
    "nas:99999",
    "169.254.169.254",
    "0.0.0.0",
    "2130706433",
    "https://app.plex.tv/desktop/#!/server/0123/details?key=%2Flibrary",
    "app.plex.tv",
    "https://APP.plex.tv./web/index.html#!/",
    "https://plex.tv/web/index.html",
    "plex.tv:32400",
    "yFq2Xx_8kL-0aBcDeFgH",
    "transient-2f0f3f0c-7d2f-4c4e-9b1a-6c5f7f0e8a11",
    "claim-yFq2Xx8kL0aBcDeFgHiJ",
)


def test_typed_addresses_of_no_server() -> None:
    """What no server can be at is not guessed at."""
    assert [text for text in OF_NO_SERVER if typed_addresses(text)] == []


@pytest.mark.parametrize("letter", ["\u00fc", "\u0660", "\ufdfa", "\U0001f468"])
def test_listed_name_in_other_letters(letter: str) -> None:
    """Only plain letters are read: encoding 128 long names would take up to 9 seconds."""
    assert parse_listed_address(f"https://{letter}.example:32400") is None
    began = time.perf_counter()
    for number in range(128):
        assert parse_listed_address(f"https://{number}{letter * 1000}:32400") is None
    assert time.perf_counter() - began < 0.1
    assert parse_listed_address("https://xn--bcher-kva.example:32400") is not None


def test_listed_name_that_is_long() -> None:
    """No name is longer in DNS; decoding those of 1,000 characters takes a while."""
    longest = ".".join(["a" * 63] * 3 + ["a" * 61])
    assert parse_listed_address(f"https://{longest}:32400") is not None
    assert parse_listed_address(f"https://{'a.' * 145}a:1") is None
    assert parse_listed_address(f"https://xn--{'a' * 980}:1") is None
