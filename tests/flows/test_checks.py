"""What a person typed, checked."""

import pytest

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
def test_source(text: str, expected: bool) -> None:
    """A source is server:// or provider:// followed by an identifier."""
    assert is_source(text) is expected
    if expected:
        assert checks.sources([text, text]) == [text]
        return
    with pytest.raises(FormError) as caught:
        checks.sources(["server://0123", text])
    assert caught.value.errors == {"sources": "invalid_source"}
