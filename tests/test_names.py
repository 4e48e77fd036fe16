"""Names are shown as they are, whatever Markdown or elements they look like."""

from string import ascii_letters, digits, punctuation

import pytest

from custom_components.plex_auth.names import escaped, placeholders

from .walks.markdown import check_names, elements, words

ELEMENTS = (
    "[Sign in again](http://evil.example)",
    "![](http://evil.example/picture)",
    '<img src="http://evil.example/picture">',
    "<ha-alert alert-type='error'>Sign in</ha-alert>",
    "<http://evil.example>",
    "http://evil.example",
    "www.evil.example",
    "anna@evil.example",
    "`code`",
    "**bold**",
    "# Sign in",
    "1. Sign in",
    "> [!NOTE]",
)
NAMES = (
    *ELEMENTS,
    "{server} {0} {{ states() }} {% raw %}",
    "| a | b |",
    "__bold__ ~~gone~~ \\[x\\](y)",
    "&lt;b&gt; &#60;b&#62;",
    "    Sign in",
    "[x]: http://evil.example",
    "===",
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


@pytest.mark.parametrize("name", ELEMENTS)
def test_rendered_as_it_is(name: str) -> None:
    """Such a name would be more than words if it were not escaped."""
    assert elements(name)
    with pytest.raises(AssertionError):
        check_names("{server}", placeholders(server=name))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("template", ["{}", "Sign in to {} again."])
def test_rendered(name: str, template: str) -> None:
    """Markdown shows an escaped name as a text, and makes nothing of it."""
    markdown = template.format(escaped(name))
    assert elements(markdown) == []
    assert words(markdown) == template.format(name.strip())
