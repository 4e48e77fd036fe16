"""Fields are read tolerantly: a wrong type is nothing, never an error."""

from datetime import UTC, datetime
from typing import Any

import pytest

from custom_components.plex_auth.api.bodies import Json
from custom_components.plex_auth.api.fields import Fields, unwrap

from .population import short

HALF_A_CHARACTER = "\ud800"
WRONG: tuple[Json, ...] = (None, [], {}, [1], {"a": 1})


def test_text() -> None:
    """A text is one that is not empty and that can be written."""
    values: tuple[tuple[Json, str | None], ...] = (
        ("x", "x"),
        ("", None),
        (" ", " "),
        (1, None),
        (True, None),
        (HALF_A_CHARACTER, None),
        ("x" * 1024, "x" * 1024),
        ("ü" * 1025, None),
        ("x" * 1025, None),
        *((wrong, None) for wrong in WRONG),
    )
    for value, text in values:
        assert Fields({"a": value}).text("a") == text


@pytest.mark.parametrize(
    ("value", "is_identifier"),
    [
        ("a1b2" * 10, True),
        ("com.plexapp.plugins:a_b/c-d~!", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("x" * 100_000, False),
        ("", False),
        ("a b", False),
        ("a\n", False),
        ("ä", False),
        ("\x7f", False),
        *((wrong, False) for wrong in WRONG),
    ],
    ids=short,
)
def test_identifier(value: Json, is_identifier: bool) -> None:
    """An identifier is visible ASCII, and not too long to be logged or stored."""
    expected = value if is_identifier else None
    assert Fields({"a": value}).identifier("a") == expected


def test_many_texts() -> None:
    """A list of texts has an end, and a text that is too long is none of them."""
    many: list[Json] = ["x" * 1025, *map(str, range(10_000))]
    assert Fields({"a": many}).texts("a", "b") == tuple(map(str, range(256)))
    wrapped: list[Json] = [{"b": {"id": text}} for text in many]
    assert Fields({"a": wrapped}).texts("a", "b") == tuple(map(str, range(256)))


FAMILY = "\U0001f469\u200d\U0001f467"
PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
HEART = "\u2764\ufe0f"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("Anna", "Anna"),
        ("  Living \n\t Room ", "Living Room"),
        ("a\x07b\u202ec\u2028d", "a b c d"),
        (FAMILY, FAMILY),
        (PERSIAN, PERSIAN),
        (HEART, HEART),
        ("\u200d \u200c", None),
        (f"\u200d{FAMILY}\u200d", FAMILY),
        ("\n", None),
        ("N" * 128, "N" * 128),
        ("N" * 100_000, "N" * 128),
        (f"{'N' * 127}\u200d{FAMILY}", "N" * 127),
        (f"{' ' * 200}a", "a"),
    ],
)
def test_line(value: str, line: str | None) -> None:
    """A name is one printable line that is not too long; what joins letters stays."""
    assert Fields({"a": value}).line("a") == line


def test_short_line() -> None:
    """A line may have to be shorter."""
    assert Fields({"a": "1.43.2" * 50}).line("a", 64) == ("1.43.2" * 50)[:64]


def test_integer() -> None:
    """A whole number has as many digits as a caller can calculate with."""
    values: tuple[tuple[Json, int | None], ...] = (
        (7, 7),
        (-7, -7),
        ("7", 7),
        ("-7", -7),
        (0, 0),
        ("0", 0),
        (7.0, None),
        (True, None),
        ("", None),
        ("7.5", None),
        ("+7", None),
        (" 7", None),
        ("--7", None),
        ("-", None),
        ("٧", None),
        ("1_0", None),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
        (10**18 - 1, 10**18 - 1),
        (10**18, None),
        (-(10**400), None),
        *((wrong, None) for wrong in WRONG),
    )
    for value, number in values:
        assert Fields({"a": value}).integer("a") == number


def test_boolean() -> None:
    """A truth value is one in JSON and in XML."""
    values: tuple[tuple[Json, bool | None], ...] = (
        *((yes, True) for yes in (True, 1, "1", "true", "True", "TRUE")),
        *((no, False) for no in (False, 0, "0", "false", "False")),
        *((neither, None) for neither in (2, -1, "", "yes", 1.0, "٢", 10**4000)),
        *((wrong, None) for wrong in WRONG),
    )
    for value, truth in values:
        assert Fields({"a": value}).boolean("a") is truth


MOMENT = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def test_moment() -> None:
    """A time is aware and in UTC, however it is written, or none."""
    values: tuple[tuple[Json, datetime | None], ...] = (
        (MOMENT.timestamp(), MOMENT),
        (int(MOMENT.timestamp()), MOMENT),
        (str(int(MOMENT.timestamp())), MOMENT),
        ("2024-05-06T07:08:09Z", MOMENT),
        ("2024-05-06T07:08:09.000Z", MOMENT),
        ("2024-05-06T09:08:09+02:00", MOMENT),
        ("2024-05-06T07:08:09", MOMENT),
        ("2024-05-06 07:08:09 UTC", MOMENT),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("0", datetime(1970, 1, 1, tzinfo=UTC)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        *(
            (none, None)
            for none in (
                True,
                "",
                "soon",
                10**18,
                -(10**18),
                10**400,
                float("nan"),
                float("inf"),
                float("-inf"),
                "9" * 18,
                "9" * 100,
                "0001-01-01T00:00:00+23:59",
                "9999-12-31T23:59:59-23:59",
                "2024-13-01",
                HALF_A_CHARACTER,
                "2024-05-06 07:08:09 " + HALF_A_CHARACTER,
            )
        ),
        *((wrong, None) for wrong in WRONG),
    )
    for value, moment in values:
        found = Fields({"a": value}).moment("a")
        assert found == moment
        assert found is None or found.tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "numbers"),
    [
        ({"n": 1}, [1]),
        ([{"n": 1}, {"n": 2}], [1, 2]),
        ([{"n": 1}, "x", None, [{"n": 3}], {"n": 2}], [1, 2]),
        ([{"item": [{"n": 1}, {"n": 2}]}], [1, 2]),
        ([{"item": {"n": 1}}], [1]),
        ([{"item": None}], []),
        ("x", []),
        (None, []),
    ],
    ids=short,
)
def test_children(value: Json, numbers: list[int]) -> None:
    """Objects come one by one, as a list, or wrapped as in XML."""
    children = Fields({"a": value}).children("a", "item")
    assert [child.integer("n") for child in children] == numbers


def test_child_is_the_first_or_empty() -> None:
    """One object is the first of a list, and an empty one where there is none."""
    assert Fields({"a": [{"n": 1}, {"n": 2}]}).child("a").integer("n") == 1
    assert Fields({"a": "x"}).child("a").integer("n") is None


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (["x", "y"], ("x", "y")),
        ("x", ("x",)),
        (["x", "", None, 1, HALF_A_CHARACTER, ["z"]], ("x",)),
        ([{"item": [{"id": "x"}, {"id": "y"}, {"id": ""}, {}]}], ("x", "y")),
        ([{}], ()),
        (None, ()),
    ],
    ids=short,
)
def test_texts(value: Json, texts: tuple[str, ...]) -> None:
    """Texts come as a list in JSON and as attributes of wrapped elements in XML."""
    assert Fields({"a": value}).texts("a", "item") == texts


@pytest.mark.parametrize("data", [None, 1, "x", [], [{"a": "x"}], True])
def test_what_is_no_object_reads_as_an_empty_one(data: Any) -> None:
    """Anything but an object has no fields."""
    assert Fields(data).text("a") is None
    assert list(unwrap(data, "a").children("a")) == []


def test_unwrap_takes_the_object_bare_or_under_its_root() -> None:
    """JSON has an object bare, XML under its root element."""
    assert unwrap({"n": 1}, "user").integer("n") == 1
    assert unwrap({"user": {"n": 1}}, "user").integer("n") == 1
    assert unwrap({"user": "x", "n": 1}, "user").integer("n") == 1
