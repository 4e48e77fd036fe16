"""Names are shown as they are, whatever Markdown or elements they look like."""

from string import ascii_letters, digits, punctuation

from markdown_it import MarkdownIt
import pytest

from custom_components.plex_auth.names import escaped, placeholders

NAMES = (
    "[Sign in again](http://evil.example)",
    "![](http://evil.example/picture)",
    '<img src="http://evil.example/picture">',
    "<ha-alert alert-type='error'>Sign in</ha-alert>",
    "<http://evil.example>",
    "http://evil.example www.evil.example anna@evil.example",
    "{server} {0} {{ states() }} {% raw %}",
    "# Sign in",
    "1. Sign in",
    "| a | b |",
    "`code` **bold** __bold__ ~~gone~~ \\[x\\](y)",
    "&lt;b&gt; &#60;b&#62;",
    "    Sign in",
    "[x]: http://evil.example",
    "===",
    "> [!NOTE]",
    "trailing\\",
    punctuation,
)


def test_placeholders() -> None:
    """A name has a plain and an escaped placeholder, both without blanks around it."""
    assert placeholders(server=" Anna's *TV* ", account="Ben") == {
        "server": "Anna's *TV*",
        "server_md": "Anna\\'s \\*TV\\*",
        "account": "Ben",
        "account_md": "Ben",
    }


def test_letters_stay() -> None:
    """Only the punctuation of ASCII is escaped; letters, digits and emoji are not."""
    kept = f"{ascii_letters}{digits} Wohnzimmer für Åsa 客厅 👨‍👩‍👧 «x»"
    assert escaped(kept) == kept
    assert escaped(punctuation) == "".join(f"\\{one}" for one in punctuation)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("template", ["{}", "Sign in to {} again.", "# {}\n\n{}"])
def test_rendered(name: str, template: str) -> None:
    """Markdown shows an escaped name as a text, and makes nothing of it."""
    markdown = MarkdownIt("gfm-like", {"linkify": False, "html": True})
    rendered = [
        child
        for token in markdown.parse(template.format(*[escaped(name)] * 2))
        for child in token.children or ()
    ]
    assert {child.type for child in rendered} <= {"text", "text_special"}
    texts = template.replace("# ", "").split("\n\n")
    shown = "".join(text.format(name.strip()) for text in texts)
    assert "".join(child.content for child in rendered) == shown
