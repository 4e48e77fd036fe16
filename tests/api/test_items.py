"""What can be played, as a person names it and as a server describes it."""

import pytest
from yarl import URL

from custom_components.plex_auth.api.bodies import Json, decode
from custom_components.plex_auth.api.errors import UnexpectedAnswerError
from custom_components.plex_auth.api.items import (
    Item,
    first_part,
    holds_token,
    parse_path,
)

PART = "/library/parts/46618/1389985872/file.mkv"
ITEM_JSON: Json = {
    "MediaContainer": {
        "size": 1,
        "Metadata": [
            {
                "ratingKey": "1",
                "type": "movie",
                "Media": [
                    {"id": 1, "Part": [{"id": 46618, "key": PART}, {"key": "/2"}]},
                    {"id": 2, "Part": [{"key": "/3"}]},
                ],
            }
        ],
    }
}
ITEM_XML = f"""<MediaContainer size="1">
<Video ratingKey="1" type="movie"><Media id="1">
<Part id="46618" key="{PART}"/><Part key="/2"/></Media><Media><Part key="/3"/></Media>
</Video></MediaContainer>""".encode()


@pytest.mark.parametrize(
    ("text", "path", "server"),
    [
        ("/library/metadata/1", "/library/metadata/1", None),
        ("/library/metadata/12345/", "/library/metadata/12345", None),
        ("#!/server/a/details?key=/library/metadata/1", "/library/metadata/1", "a"),
        (
            "https://app.plex.tv/desktop/#!/server/a/details"
            "?context=key%3D%2Flibrary%2Fmetadata%2F2&key=%2Flibrary%2Fmetadata%2F1",
            "/library/metadata/1",
            "a",
        ),
        (
            "http://nas:32400/web/index.html#!/server/a/details/%2Flibrary%2Fmetadata%2F1",
            "/library/metadata/1",
            "a",
        ),
    ],
)
def test_item(text: str, path: str, server: str | None) -> None:
    """An item is named by its path, or by its page, which names the server too."""
    assert Item.parse(text) == Item(path=path, machine_identifier=server)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/library/metadata/",
        "/library/metadata/1/children",
        "/library/metadata/1?x=1",
        "/library/metadata/1,2",
        "/library/metadata/٣",
        "/library/metadata/5d776824103a2d001f5639a1",
        "library/metadata/1",
        "#!/server//details?key=/library/metadata/1",
        "#!/server/a/details?key=/library/metadata/1/children",
        "#!/server/a/details?key=/library/collections/1",
        "#!/server/a/details?other=/library/metadata/1",
        "#!/server/a/playlist?key=/library/metadata/1",
        "/server/a/details?key=/library/metadata/1",
    ],
)
def test_no_item(text: str) -> None:
    """What lies below an item is none, nor is anything else that a page may show."""
    assert Item.parse(text) is None


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("x?X-Plex-Token=1", True),
        ("x-plex-token", True),
        ("X%2dPlex%2DToken=", True),
        ("%2558-Plex-Token", True),
        ("/library/metadata/1?token=1", False),
    ],
)
def test_token_in_a_text(text: str, holds: bool) -> None:
    """A token is noticed by its name, in whatever case, encoded once or twice."""
    assert holds_token(text) is holds


def test_path() -> None:
    """A path keeps what is encoded in it; the rest is tested with the action."""
    path = parse_path("/a%2Fb/c d?e=f")
    assert path is not None
    assert path.raw_path_qs == "/a%2Fb/c%20d?e=f"


@pytest.mark.parametrize("data", [ITEM_JSON, decode(ITEM_XML)], ids=["JSON", "XML"])
def test_first_part(data: Json) -> None:
    """The first part of the first version is what plays, in JSON and XML."""
    assert first_part(data) == URL(PART)


@pytest.mark.parametrize("kind", ["Metadata", "Video", "Track", "Photo"])
def test_first_part_of_each_kind(kind: str) -> None:
    """Whatever an item is called, and whether lists are lists or not, its part is read."""
    media: Json = {"Part": {"key": PART}}
    assert first_part({"MediaContainer": {kind: {"Media": media}}}) == URL(PART)


@pytest.mark.parametrize(
    "container",
    [
        {},
        {"Metadata": []},
        {"Metadata": [{"type": "show"}]},
        {"Directory": [{"type": "show"}]},
        {"Metadata": [{"Media": []}, {"Media": [{"Part": []}]}]},
        {"Metadata": [{"Media": [{"Part": [{"id": 1}, {"key": "//evil"}]}]}]},
    ],
)
def test_no_part(container: Json) -> None:
    """A show has no part, and a key that leads elsewhere is none."""
    assert first_part({"MediaContainer": container}) is None


def test_part_that_leads_elsewhere_is_passed_over() -> None:
    """A part whose key is no path on the server is none; the next one is taken."""
    versions: list[Json] = [
        {"Part": [{"key": "//evil"}, {"key": 1}, {"key": None}]},
        {},
        {"Part": {"key": "http://evil/x"}},
        {"Part": [{"key": PART}]},
    ]
    found = first_part({"MediaContainer": {"Metadata": [{"Media": versions}]}})
    assert found == URL(PART)


def test_no_answer_of_a_server() -> None:
    """What is no container is no answer."""
    with pytest.raises(UnexpectedAnswerError):
        first_part([])
