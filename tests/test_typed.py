"""What users type."""

import pytest

from custom_components.plex_auth.typed import is_source, is_token


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("acctAbc-_123", True),
        ("transient-2c5f2b9e-5f0c-4a55-a1f7-1ed5d4b0a3cc", True),
        ("", False),
        (" ", False),
        ("two words", False),
        ("tab\there", False),
        ("two\nlines", False),
        ("carriage\r", False),
        ("null\0", False),
        ("tökenn", False),
        ("zero\u200bwidth", False),
    ],
)
def test_is_token(text: str, expected: bool) -> None:
    """A token is whatever fits into a header as it is."""
    assert is_token(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server://0123456789abcdef", True),
        ("provider://tv.plex.provider.podcasts", True),
        ("server://0123/tv.plex.provider", True),
        ("", False),
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
def test_is_source(text: str, expected: bool) -> None:
    """A source is server:// or provider:// followed by an identifier."""
    assert is_source(text) is expected
