"""Which addresses may be asked, and which are private or public."""

import pytest

from custom_components.plex_auth.api.addresses import (
    is_private,
    is_public,
    parse_address,
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


@pytest.mark.parametrize(
    "text",
    [
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
    ],
)
def test_addresses_that_no_request_goes_to(text: str) -> None:
    """Other schemes, credentials, ports that are none and metadata services are refused."""
    assert parse_address(text) is None


@pytest.mark.parametrize(
    ("host", "private", "public"),
    [
        ("192.168.1.2", True, False),
        ("10.0.0.1", True, False),
        ("172.16.0.1", True, False),
        ("127.0.0.1", True, False),
        ("::1", True, False),
        ("fd00::1", True, False),
        ("::ffff:192.168.1.2", True, False),
        ("::ffff:8.8.8.8", False, True),
        ("8.8.8.8", False, True),
        ("172.32.0.1", False, True),
        ("2606:4700::1111", False, True),
        ("169.254.1.1", False, False),
        ("fe80::1", False, False),
        ("100.64.0.1", False, False),
        ("example.org", False, True),
        ("example.org.", False, True),
        ("192-168-1-2.x.plex.direct", False, True),
        ("nas", False, False),
        ("nas.local", False, False),
        ("nas.home.arpa.", False, False),
        ("", False, False),
        (None, False, False),
    ],
)
def test_private_and_public(host: str | None, private: bool, public: bool) -> None:
    """Private is an address at home; public is an address or a name of the internet."""
    assert is_private(host) is private
    assert is_public(host) is public
