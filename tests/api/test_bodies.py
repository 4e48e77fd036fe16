"""Bodies become plain data, or exactly one of two errors."""

import json

import pytest

from custom_components.plex_auth.api.bodies import LARGEST_BODY, Json, decode, rows
from custom_components.plex_auth.api.errors import (
    PageError,
    PlexError,
    TooLargeError,
    UnavailableError,
    UnexpectedAnswerError,
)

from .population import short

BOM = b"\xef\xbb\xbf"
SECRET = "marker-token-in-body"


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b'{"a": [1, 2.5, null, true, "x"]}', {"a": [1, 2.5, None, True, "x"]}),
        (b"  [ ] ", []),
        (BOM + b'{"a": 1}', {"a": 1}),
        ('{"a": "ä"}'.encode("utf-16"), {"a": "ä"}),
        (b'<a b="1"/>', {"a": {"b": "1"}}),
        (BOM + b'<?xml version="1.0"?><a b="1"/>', {"a": {"b": "1"}}),
        (b'<a><b c="1"/><b c="2"/></a>', {"a": {"b": [{"c": "1"}, {"c": "2"}]}}),
        (b"<a><b>text</b><b/></a>", {"a": {"b": ["text", {}]}}),
        (b"<a>\n  <b>\n  </b>\n</a>", {"a": {"b": [{}]}}),
        (b'<a b="1"><b>2</b></a>', {"a": {"b": "1"}}),
        (
            '<?xml version="1.0" encoding="ISO-8859-1"?><a b="ä"/>'.encode("latin-1"),
            {"a": {"b": "ä"}},
        ),
    ],
    ids=short,
)
def test_json_and_xml_become_data(body: bytes, data: Json) -> None:
    """A body is told apart by how it begins, whatever its type is said to be."""
    assert decode(body) == data


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Sorry</body></html>",
        b"\r\n <HTML>",
        b"<!DOCTYPE html><html></html>",
        BOM + b"<!doctype HTML>",
        b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "x" "y"><html/>',
        b"<!-- a proxy --><html/>",
        b'<html xmlns="http://www.w3.org/1999/xhtml"/>',
        b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>',
    ],
    ids=short,
)
def test_html_page_means_unavailable(body: bytes) -> None:
    """A page for people says that the service is away."""
    with pytest.raises(UnavailableError):
        decode(body)


BILLION_LAUGHS = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><lolz>&c;</lolz>"""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"{",
        b'{"a": 1} trailing',
        b"\xff\xfe\x00",
        b'{"a": "\xe4"}',
        b"<",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a>&unknown;</a>",
        b"<a>\x00</a>",
        b'<?xml version="1.0" encoding="utf-7"?><a/>',
        b'<?xml version="1.0" encoding="no-such-thing"?><a/>',
        b'<?xml version="1.0" encoding="rot13"?><a/>',
        b'<?xml version="1.0" encoding="undefined"?><a/>',
        b'<?xml version="1.0" encoding="idna"?><a/>',
        b'<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>',
        b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]><a>&e;</a>',
        BILLION_LAUGHS,
        b"1" * 5000,
        b"[" * 500_000,
        b'{"a":' * 200_000,
        b"<a>" * 33 + b"</a>" * 33,
        b"<a>" * 140_000 + b"</a>" * 140_000,
    ],
    ids=short,
)
def test_anything_else_is_not_understood(body: bytes) -> None:
    """Broken, hostile and too deep bodies end in the one error, which carries nothing."""
    with pytest.raises(PlexError) as caught:
        decode(body)
    assert type(caught.value) is UnexpectedAnswerError
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"authToken": SECRET}).encode()[:-1],
        f'{{"authToken": "{SECRET}\xe4"}}'.encode("latin-1"),
        f'<user authToken="{SECRET}">'.encode(),
    ],
    ids=short,
)
def test_error_does_not_hold_the_body(body: bytes) -> None:
    """The parser's own error, which holds the body, is not reachable from ours."""
    with pytest.raises(UnexpectedAnswerError) as caught:
        decode(body)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    assert SECRET not in repr(caught.value) + str(caught.value.args)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"[]", []),
        (b" [ \n] ", []),
        (b'[{"a": [1]}]', [{"a": [1]}]),
        (b' [ 1 ,\n"]" , [2],null]\r\n', [1, "]", [2], None]),
        (BOM + b"[1,2]", [1, 2]),
        ('["ä"]'.encode("utf-16"), ["ä"]),
        (b"<list/>", []),
        (b"<list>\n</list>", []),
        (b'<list size="2"><a b="1"/>\n<a b="2"/></list>', [{"b": "1"}, {"b": "2"}]),
        (BOM + b' <?xml version="1.0"?><list><a/></list>', [{}]),
    ],
    ids=short,
)
def test_rows_of_a_list(body: bytes, found: list[Json]) -> None:
    """A list in JSON or XML is read row by row."""
    assert list(rows(body, "list")) == found


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", UnexpectedAnswerError),
        (b"null", UnexpectedAnswerError),
        (b"5", UnexpectedAnswerError),
        (b'"x"', UnexpectedAnswerError),
        (b'{"list": []}', UnexpectedAnswerError),
        (b"[", UnexpectedAnswerError),
        (b"[1", UnexpectedAnswerError),
        (b"[1,", UnexpectedAnswerError),
        (b"[1,]", UnexpectedAnswerError),
        (b"[,1]", UnexpectedAnswerError),
        (b"[1 2]", UnexpectedAnswerError),
        (b"[1}", UnexpectedAnswerError),
        (b"[1][2]", UnexpectedAnswerError),
        (b"[]x", UnexpectedAnswerError),
        (b'["\xe4"]', UnexpectedAnswerError),
        (b"[" * 500_000, UnexpectedAnswerError),
        (b"<other><a/></other>", UnexpectedAnswerError),
        (b"<list>text</list>", UnexpectedAnswerError),
        (b"<list>", UnexpectedAnswerError),
        (b"<html></html>", PageError),
        (b"<list>" + b" " * LARGEST_BODY + b"</list>", TooLargeError),
    ],
    ids=short,
)
def test_body_that_is_no_list(body: bytes, error: type[PlexError]) -> None:
    """Anything else is an error, which keeps nothing of the body."""
    with pytest.raises(PlexError) as caught:
        list(rows(body, "list"))
    assert type(caught.value) is error
    assert caught.value.__context__ is None
